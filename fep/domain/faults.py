"""The catalogue of everything that can be refused or go wrong, in Chinese and English.

A code is stable and ASCII: it can be read out over the phone. A sentence says the cause, an
action what to do next; placeholders in braces are filled from the refusal's details.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry. `retryable`: the same call may succeed later without any change."""

    code: str
    zh: str
    en: str
    action_zh: str
    action_en: str
    retryable: bool = False


def fill(sentence: str, details: dict[str, object]) -> str:
    """Return the sentence with its placeholders filled; unknown ones stay empty."""
    return _PLACE.sub(lambda match: str(details.get(match.group(1), "")), sentence)


def bare(sentence: str) -> str:
    """Return a sentence of whose details nothing is known."""
    return fill(sentence, {}).rstrip("：: ")


def _chinese(details: dict[str, object]) -> dict[str, object]:
    """Return the details that are said otherwise in Chinese: `why_zh` stands for `why`."""
    return {
        name.removesuffix("_zh"): value for name, value in details.items() if name.endswith("_zh")
    }


class Refused(Exception):
    """An expected refusal: the caller's or the world's doing, not a bug of ours."""

    def __init__(self, fault: Fault, details: dict[str, object]) -> None:
        super().__init__(fault.code)
        self.fault = fault
        self.details = details

    @property
    def code(self) -> str:
        """Return the stable ASCII code."""
        return self.fault.code

    @property
    def zh(self) -> str:
        """Return the Chinese sentence with cause and next action."""
        details = {**self.details, **_chinese(self.details)}
        return f"{fill(self.fault.zh, details)}。{fill(self.fault.action_zh, details)}"

    @property
    def en(self) -> str:
        """Return the English sentence with cause and next action."""
        return f"{fill(self.fault.en, self.details)}. {fill(self.fault.action_en, self.details)}"

    def __str__(self) -> str:
        return f"{self.code}: {self.en}"


@dataclass(slots=True)
class Catalogue:
    """All faults by code; a code defined twice is a bug found at import of the tests."""

    faults: dict[str, Fault] = field(default_factory=dict)

    def add(self, entries: tuple[Fault, ...]) -> None:
        """Take entries in. Raises ValueError for a code that exists."""
        for entry in entries:
            if entry.code in self.faults:
                raise ValueError(f"fault defined twice: {entry.code}")
            self.faults[entry.code] = entry


CATALOGUE = Catalogue()


def fault(code: str) -> Fault:
    """Return the entry of `code`. Raises KeyError."""
    _load()
    return CATALOGUE.faults[code]


def refuse(code: str, /, **details: object) -> Refused:
    """Return the refusal to raise; `details` fill the sentences and travel to the caller."""
    return Refused(fault(code), details)


def _load() -> None:
    if CATALOGUE.faults:
        return
    # The parts import `Fault` from here, so they can only be read once this module stands.
    from fep.domain import (
        faults_api,
        faults_bridge,
        faults_callers,
        faults_core,
        faults_day,
        faults_desk,
        faults_device,
        faults_fence,
        faults_forms,
        faults_his,
        faults_http,
        faults_kind,
        faults_life,
        faults_link,
        faults_platform,
        faults_pos,
        faults_print,
        faults_render,
        faults_sign,
        faults_site,
        faults_web,
    )

    CATALOGUE.add(faults_core.CATALOGUE)
    CATALOGUE.add(faults_bridge.CATALOGUE)
    CATALOGUE.add(faults_callers.CATALOGUE)
    CATALOGUE.add(faults_api.CATALOGUE)
    CATALOGUE.add(faults_link.CATALOGUE)
    CATALOGUE.add(faults_platform.CATALOGUE)
    CATALOGUE.add(faults_pos.CATALOGUE)
    CATALOGUE.add(faults_print.CATALOGUE)
    CATALOGUE.add(faults_forms.CATALOGUE)
    CATALOGUE.add(faults_desk.CATALOGUE)
    CATALOGUE.add(faults_device.CATALOGUE)
    CATALOGUE.add(faults_site.CATALOGUE)
    CATALOGUE.add(faults_sign.CATALOGUE)
    CATALOGUE.add(faults_kind.CATALOGUE)
    CATALOGUE.add(faults_fence.CATALOGUE)
    CATALOGUE.add(faults_life.CATALOGUE)
    CATALOGUE.add(faults_render.CATALOGUE)
    CATALOGUE.add(faults_web.CATALOGUE)
    CATALOGUE.add(faults_day.CATALOGUE)
    CATALOGUE.add(faults_http.CATALOGUE)
    CATALOGUE.add(faults_his.CATALOGUE)
