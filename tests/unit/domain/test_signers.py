"""Where a unit's signing keys are."""

from __future__ import annotations

from dataclasses import replace

from fep.domain.kind import KeyPlace, Point, Seal, Unit

UNIT = Unit(
    code="H001", name="医院", party_code="1", area="420900", province="hubei", rec_name="医院",
    rec_account="", rec_bank="", seal=Seal("", "", ""), kinds=(), points=(Point("001"),),
    signer_key="unit.key", signer_cert="unit.crt", signer_passphrase="file:pass",
)  # fmt: skip


def test_a_unit_has_its_key_file_or_the_signers_that_were_named():
    second = KeyPlace("skf", cert="unit.crt", library="libskf.so")

    assert (KeyPlace("file", "unit.key", "unit.crt", "file:pass"),) == UNIT.key_places()
    assert (second,) == replace(UNIT, signers=(second,)).key_places()
