"""`fepctl callers` with the daemon running: every change holds at once and is journalled."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from fep.client import Client, RemoteFault
from fep.services.caller_keys import KeyCase
from fep.services.callers import FAILURES_MAX, LOCKED_S
from tests.unit.cutover.office import Office


def comes_in(office: Office, appid: str, key: str) -> Any:
    """Log in at the socket API and ask something; return the answer or the fault's code."""
    try:
        with Client.tcp("127.0.0.1", office.town.port, appid=appid, key=key.encode()) as client:
            return client.call("system.ping")
    except RemoteFault as fault:
        return fault.code


def test_a_caller_that_is_added_comes_in_with_the_key_shown_once(office: Office):
    told = office.ctl("callers", "add", "--appid", "lis", "--name", "检验", "--right", "query",
                      "--unit", office.town.unit, "--rate", "50", "--reason", "新系统")  # fmt: skip

    assert "version" in comes_in(office, "lis", told["key"])
    assert "AUTH_WRONG" == comes_in(office, "lis", told["key"][::-1])
    key_file = office.town.place / "keys" / "caller-lis.key"
    assert told["key"] not in key_file.read_text()
    assert 0o600 == stat.S_IMODE(key_file.stat().st_mode)
    shown = office.ctl("callers", "show", "lis")
    assert (["query"], 50, True) == (shown["rights"], shown["rate_per_s"], shown["enabled"])
    assert told["key"] not in str(shown)
    (entry,) = [each for each in office.journal("caller.added") if each["ref"] == "lis"]
    assert "新系统" == entry["body"]["reason"]
    assert told["key"] not in str(entry)


def test_a_rotated_key_ends_the_old_one_and_its_connections(office: Office):
    old = office.ctl("callers", "add", "--appid", "pacs", "--reason", "r")["key"]
    with Client.tcp("127.0.0.1", office.town.port, appid="pacs", key=old.encode()) as open_one:
        open_one.call("system.ping")
        new = office.ctl("callers", "rotate", "pacs", "--reason", "泄露")["key"]

        with pytest.raises(Exception, match=r"."):
            open_one.call("system.ping")

    assert "AUTH_WRONG" == comes_in(office, "pacs", old)
    assert "version" in comes_in(office, "pacs", new)


def test_a_disabled_caller_is_kept_out_until_it_is_enabled(office: Office):
    key = office.ctl("callers", "add", "--appid", "kiosk", "--reason", "r")["key"]
    office.ctl("callers", "disable", "kiosk", "--reason", "停用")
    kept_out = comes_in(office, "kiosk", key)
    office.ctl("callers", "enable", "kiosk", "--reason", "恢复")

    assert "AUTH_WRONG" == kept_out
    assert "version" in comes_in(office, "kiosk", key)


def test_rights_and_addresses_change_without_a_restart(office: Office):
    key = office.ctl("callers", "add", "--appid", "desk", "--reason", "r")["key"]
    office.ctl("callers", "change", "--appid", "desk", "--address", "10.9.0.0/16",
               "--reason", "只许一个网段")  # fmt: skip
    elsewhere = comes_in(office, "desk", key)
    office.ctl("callers", "change", "--appid", "desk", "--address", "any", "--reason", "r")

    assert "AUTH_ADDRESS" == elsewhere
    assert "version" in comes_in(office, "desk", key)


def test_a_lock_out_is_seen_and_lifted_by_a_person(office: Office):
    """On the day of the cut-over nobody waits a quarter of an hour for a key that was mended."""
    key = office.ctl("callers", "add", "--appid", "locked", "--reason", "r")["key"]
    for _ in range(FAILURES_MAX):
        assert "AUTH_WRONG" == comes_in(office, "locked", "wrong")
    assert "AUTH_LOCKED" == comes_in(office, "locked", key)

    (row,) = office.ctl("callers", "show", "locked")["locked"]
    warned = [each for each in office.ctl("doctor")["checks"] if each["code"] == "CALLER"]
    office.ctl("callers", "reload", "--reason", "密钥已改正")

    assert "127.0.0.1" == row["address"]
    assert 0 < row["seconds"] <= LOCKED_S
    assert any("locked" in each["zh"] and "callers reload" in each["next"] for each in warned)
    assert "version" in comes_in(office, "locked", key)
    assert [] == office.ctl("callers", "show", "locked")["locked"]


def test_an_existing_appid_and_key_are_taken_over(office: Office, tmp_path: Path):
    (tmp_path / "old.key").write_text("a1b2c3d4e5f6\n")
    told = office.ctl("callers", "add", "--appid", "HISOLD0001", "--key-file",
                      str(tmp_path / "old.key"), "--his", "points.P7=" + office.town.point,
                      "--key-rule", "before:_", "--reason", "割接")  # fmt: skip

    assert told["key"] is None
    assert "before:_" == told["caller"]["his"]["key_rule"]
    assert "version" in comes_in(office, "HISOLD0001", "a1b2c3d4e5f6")
    assert "a1b2c3d4e5f6" not in (office.town.place / "keys/caller-HISOLD0001.key").read_text()


def test_what_is_wrong_changes_nothing(office: Office):
    office.ctl("callers", "add", "--appid", "good", "--reason", "r")
    file = office.town.place / "callers" / "good.toml"
    before = file.read_bytes()

    assert "CALLER_EXISTS" == office.refused("callers", "add", "--appid", "good", "--reason", "r")
    assert "CALLER_FILES" == office.refused(
        "callers", "change", "--appid", "good", "--point", "no-such", "--reason", "r"
    )
    assert "CALLER_FILES" == office.refused(
        "callers", "add", "--appid", "bad", "--upstream", "ftp://x", "--reason", "r"
    )
    wrong = office.ctl("callers", "add", "--appid", "bad", "--max-amount", "1,000",
                       "--reason", "r", code=1)["error"]  # fmt: skip
    assert "max_amount 1,000" in wrong["zh"]
    appid = office.ctl("callers", "add", "--appid", "b d", "--reason", "r", code=2)["error"]
    assert "--appid 的值不对" in appid["zh"]
    missing = office.ctl("callers", "add", "--appid", "bad", "--key-file", "/no/such", "--reason",
                         "r", code=2)["error"]  # fmt: skip
    assert "没有此文件：/no/such" in missing["zh"]
    assert before == file.read_bytes()
    assert not (office.town.place / "callers" / "bad.toml").exists()
    assert not (office.town.place / "keys" / "caller-bad.key").exists()
    assert "CALLER_BY_HAND" == office.refused("callers", "disable", "his", "--reason", "r")
    assert "CALLER_UNKNOWN" == office.refused("callers", "show", "nobody")


class Counted:
    """Entropy that never repeats."""

    def __init__(self) -> None:
        self._next = 0

    def token(self, size: int) -> bytes:
        self._next += 1
        return self._next.to_bytes(size, "big")

    def below(self, bound: int) -> int:
        return 0


def test_a_sealed_key_opens_only_for_its_caller_under_its_node(tmp_path: Path):
    case, other = KeyCase(lambda: b"node 1"), KeyCase(lambda: b"node 2")
    file = tmp_path / "caller.key"
    file.write_text(case.seal("his", b"demo-key-not-a-secret", Counted()))

    assert b"demo-key-not-a-secret" == case.read("his", file)
    for wrong, appid in ((case, "lis"), (other, "his")):
        with pytest.raises(Exception, match="CALLER_KEY_SEAL"):
            wrong.read(appid, file)
