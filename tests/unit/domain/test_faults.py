"""The catalogue: a code stands once, and every part words its own refusals."""

from __future__ import annotations

import pytest

from fep.domain.faults import Catalogue, Fault, bare
from fep.domain.faults_desk import desk_refuse
from fep.domain.faults_render import render_refuse
from fep.domain.faults_site import site_refuse

FAULT = Fault("X_TWICE", "两次", "twice", "改名", "rename")


def test_a_code_that_stands_twice_is_a_bug():
    catalogue = Catalogue()
    catalogue.add((FAULT,))

    with pytest.raises(ValueError, match="X_TWICE"):
        catalogue.add((FAULT,))


def test_a_part_words_its_refusals_without_the_rest_of_the_catalogue():
    assert (
        "/srv/fep already holds fep.toml"
        in site_refuse("SITE_EXISTS", path="/srv/fep", found="fep.toml").en
    )
    assert "CTL_DENIED" == desk_refuse("CTL_DENIED").code
    assert "The fonts have no glyph for 㛃" in render_refuse("RND_CHAR", chars="㛃").en


def test_a_page_that_fails_for_an_unknown_reason_says_it():
    refused = render_refuse("killed by signal 9")

    assert ("RND_FAILED", "killed by signal 9") == (refused.code, refused.details["why"])


def test_a_sentence_without_its_details_does_not_end_in_a_colon():
    assert "含字库没有的汉字" == bare("含字库没有的汉字：{chars}")
    assert "Terminal  is off" == bare("Terminal {terminal} is off")
