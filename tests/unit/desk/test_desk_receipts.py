"""Receipts at the desk: what is listed, found, shown, exported and verified, and masked."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from fep.cli.ctl_export import BY_CERTIFICATE, VERIFY, write
from fep.domain.faults import Refused
from fep.settings_link import LinkSettings
from fep.sim import sm
from fep.store.schema import reversal, supervision
from tests.unit.desk.desk_site import CODE, NAMES, DeskSite

FIRST = f"{CODE}-0000000001"


def test_list_is_newest_first_and_masks_the_payer(site: DeskSite) -> None:
    told = site.ask("receipts.list")

    numbers = [row["number"] for row in told["receipts"]]
    assert numbers == ["0000000003", "0000000002", "0000000001"]
    assert [row["payer"] for row in told["receipts"]] == ["王**", "李*", "欧**"]
    assert {(row["upload"], row["prints"]) for row in told["receipts"]} == {("due", "due")}


def test_a_list_says_which_receipts_are_reversed(site: DeskSite) -> None:
    def reverse_txn(tx: Any) -> None:
        values = {"red_id": 3, "blue_id": 1, "state": "live", "reason": "退费", "operator": "",
                  "booking": "unknown", "forced": 0, "at": 5}  # fmt: skip
        tx.conn.execute(insert(reversal).values(**values))

    site.room.done(site.room.store.do("reverse", reverse_txn))

    for told in (site.ask("receipts.list"), site.ask("receipts.find", text="OP1")):
        row = told["receipts"][-1]
        assert ("sealed", "reversed", None) == (row["state"], row["life"], row["sheet"])
    assert "sealed" == site.ask("receipts.list")["receipts"][0]["life"]


def test_list_pages_by_its_cursor(site: DeskSite) -> None:
    first = site.ask("receipts.list", limit=2)
    second = site.ask("receipts.list", limit=2, before=first["next"])

    assert [row["number"] for row in second["receipts"]] == ["0000000001"]
    assert second["next"] == 0


def test_list_of_another_day_is_empty(site: DeskSite) -> None:
    told = site.ask("receipts.list", from_on="2026-11-22", to_on="2026-11-22")

    assert told["receipts"] == []


@pytest.mark.parametrize("text", ["OP2", "2", "0000000002", f"{CODE}-0000000002", "李"])
def test_find_knows_key_number_name(site: DeskSite, text: str) -> None:
    told = site.ask("receipts.find", text=text)

    assert [row["key"] for row in told["receipts"]] == ["OP2"]


def test_unmasking_needs_a_journalled_grant(site: DeskSite) -> None:
    with pytest.raises(Refused) as refused:
        site.ask("receipts.list", unmask=7)
    assert refused.value.code == "CTL_UNMASK"

    grant = site.ask("system.unmask", reason="患者来电核对", verb="receipts list")["grant"]
    told = site.ask("receipts.list", unmask=grant)

    assert [row["payer"] for row in told["receipts"]] == list(reversed(NAMES))
    assert site.journal()[-1] == "system.unmasked"


def test_a_grant_ends(site: DeskSite) -> None:
    grant = site.ask("system.unmask", reason="核对")["grant"]
    site.clock.seconds += 121

    with pytest.raises(Refused) as refused:
        site.ask("receipts.list", unmask=grant)

    assert refused.value.code == "CTL_UNMASK"


def test_unmasking_without_a_reason_is_refused(site: DeskSite) -> None:
    with pytest.raises(Refused) as refused:
        site.ask("system.unmask", reason="  ")

    assert refused.value.code == "CTL_REASON"


def test_show_tells_everything_masked(site: DeskSite) -> None:
    told = site.ask("receipts.show", name=FIRST)

    assert told["payer"] == "欧**"
    assert told["face"]["payer_code"] == "420106********0059"
    assert told["face"]["name"] == "湖北省医疗门诊收费票据（电子）"
    assert [item["name"] for item in told["face"]["items"]] == ["诊察费"]
    assert told["signature"]["cert_serial"] == site.room.certificate.serial_hex
    assert [row["state"] for row in told["uploads"]] == ["due"]
    assert [row["copy"] for row in told["prints"]] == [1]


@pytest.mark.parametrize(
    ("name", "code"),
    [("abc", "RCP_NAME"), (f"{CODE}-1", "RCP_NAME"), (f"{CODE}-0000000999", "RCP_UNKNOWN")],
)
def test_show_refuses_what_is_no_receipt(site: DeskSite, name: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        site.ask("receipts.show", name=name)

    assert refused.value.code == code


def test_openssl_accepts_the_export_and_refuses_a_flipped_byte(
    site: DeskSite, tmp_path: Path
) -> None:
    out = tmp_path / "export"
    written = write(site.ask("receipts.export", name=FIRST), out)

    assert written == ["VERIFY.txt", "certificate.pem", "original.bin", "public-key.pem",
                       "receipt.xml", "signature.der"]  # fmt: skip
    for command in (VERIFY, BY_CERTIFICATE):
        assert command in (out / "VERIFY.txt").read_text("utf-8")
        assert subprocess.run(command.split(), cwd=out, capture_output=True).returncode == 0
    original = bytearray((out / "original.bin").read_bytes())
    original[100] ^= 1
    (out / "original.bin").write_bytes(original)
    assert subprocess.run(VERIFY.split(), cwd=out, capture_output=True).returncode != 0


def test_export_is_readable_by_its_owner_only_and_journalled(
    site: DeskSite, tmp_path: Path
) -> None:
    write(site.ask("receipts.export", name=FIRST), tmp_path / "x")

    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "x").iterdir()}
    assert modes == {0o600}
    assert site.journal()[-1] == "receipt.exported"


def test_both_implementations_verify_a_stored_receipt(site: DeskSite) -> None:
    told = site.ask("verify.receipt", name=FIRST)

    assert told["by"] == {"libcrypto": True, "gmssl": True}
    assert told["good"] is True


def test_a_document_verifies_by_the_serial_inside_it(site: DeskSite) -> None:
    files = site.ask("receipts.export", name=FIRST)["files"]

    told = site.ask("verify.receipt", document=files["receipt.xml"])

    assert (told["name"], told["good"]) == (FIRST, True)


def test_a_supervised_document_carries_both_signatures(site: DeskSite) -> None:
    keys = site.root / "keys"
    sm.create_identity(keys / "platform.key", keys / "platform.crt", "platform", 78)
    platform = sm.load_certificate((keys / "platform.crt").read_bytes())
    der = sm.load_private((keys / "platform.key").read_bytes()).sign(b"supervised")

    def supervise_txn(tx: Any) -> None:
        values = {"receipt_id": 1, "signed_at": 5, "cert_serial": platform.serial_hex, "der": der}
        tx.conn.execute(insert(supervision).values(**values))

    site.room.done(site.room.store.do("supervise", supervise_txn))

    told = site.ask("receipts.show", name=FIRST)
    document = base64.b64decode(site.ask("receipts.export", name=FIRST)["files"]["receipt.xml"])
    verified = site.ask("verify.receipt", document=base64.b64encode(document).decode())

    assert told["supervision"]["cert_serial"] == platform.serial_hex
    assert document.count(b"<Signature>") == 2
    assert base64.b64encode(der) in document
    assert verified["good"] is True


@pytest.mark.parametrize("listed", [True, False])
def test_a_document_names_finances_own_certificate_or_none(site: DeskSite, listed: bool) -> None:
    keys = site.root / "keys"
    for name, serial in (("platform", 78), ("finance", 79)):
        sm.create_identity(keys / f"{name}.key", keys / f"{name}.crt", name, serial)
    signed = sm.load_private((keys / "finance.key").read_bytes()).sign(b"supervised")
    site.settings.link = LinkSettings(finance_certs=("keys/finance.crt",) if listed else ())

    def supervise_txn(tx: Any) -> None:
        values = {"receipt_id": 1, "signed_at": 5, "cert_serial": "4f", "der": signed}
        tx.conn.execute(insert(supervision).values(**values))

    site.room.done(site.room.store.do("supervise", supervise_txn))

    document = base64.b64decode(site.ask("receipts.export", name=FIRST)["files"]["receipt.xml"])
    assert document.count(b"<Signature>") == (2 if listed else 1)


def test_a_changed_document_does_not_verify(site: DeskSite) -> None:
    files = site.ask("receipts.export", name=FIRST)["files"]
    document = base64.b64decode(files["receipt.xml"]).replace(b"12.34", b"92.34")

    told = site.ask("verify.receipt", document=base64.b64encode(document).decode())

    assert told["by"] == {"libcrypto": False, "gmssl": False}
    assert told["good"] is False


@pytest.mark.parametrize("document", [b"", b"<a/>", b"<EInvoice></EInvoice>"])
def test_what_is_no_document_is_refused(site: DeskSite, document: bytes) -> None:
    encoded = base64.b64encode(document).decode() or "IA=="

    with pytest.raises(Refused) as refused:
        site.ask("verify.receipt", document=encoded)

    assert refused.value.code == "VFY_DOCUMENT"
