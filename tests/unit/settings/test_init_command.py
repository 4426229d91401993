"""`fepctl init` and `fepctl config check` as a person meets them: words, codes, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fep.cli.common_lang import LANG
from fep.cli.fepctl import run
from fep.crypto import certs
from tests.unit.settings.place import tree


def test_the_command_prints_fingerprints_and_what_to_do_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert 0 == run(["init", str(tmp_path / "site"), "--demo"])

    shown = capsys.readouterr().out
    read = certs.parse((tmp_path / "site" / "keys" / "unit.crt").read_bytes())
    assert read.fingerprint.hex().upper()[:4] in shown
    assert f"fepctl -c {tmp_path}/site/fep.toml config check" in shown
    assert "the unit is the demo one" not in shown


def test_the_command_tells_the_same_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                            platform: Path):  # fmt: skip
    run(["init", str(tmp_path / "site"), "--json"])
    capsys.readouterr()

    assert 0 == run(["init", str(tmp_path / "site"), "--platform-cert", str(platform), "--json"])

    told = json.loads(capsys.readouterr().out)
    (theirs,) = told["certificates"]
    assert ("platform", certs.parse(platform.read_bytes()).fingerprint.hex()) == (
        theirs["name"], theirs["sm3"],
    )  # fmt: skip
    assert "systemctl restart fep" in [step["run"] for step in told["next"]]


def test_the_command_says_everything_in_chinese(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    LANG.set("zh")

    run(["init", str(tmp_path / "site")])

    assert "站点已建立" in capsys.readouterr().out


def test_a_second_run_is_refused_with_a_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run(["init", str(tmp_path / "site")])
    before = tree(tmp_path / "site")

    with pytest.raises(SystemExit) as left:
        run(["init", str(tmp_path / "site"), "--unit-name", "别的医院"])

    assert 1 == left.value.code
    assert capsys.readouterr().err.startswith("SITE_EXISTS")
    assert before == tree(tmp_path / "site")


@pytest.mark.parametrize(
    "option",
    [("--area", "42"), ("--unit-code", "a b"), ("--party-code", "x!"), ("--node-id", "n" * 17),
     ("--port", "70000"), ("--unit-name", "a\x1bb")],
)  # fmt: skip
def test_a_value_of_the_wrong_shape_makes_nothing(tmp_path: Path, option: tuple[str, str]):
    assert 2 == run(["init", str(tmp_path / "site"), *option])
    assert not (tmp_path / "site").exists()


def test_a_passphrase_that_others_may_read_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "pass").write_text("geheim")
    (tmp_path / "pass").chmod(0o644)

    with pytest.raises(SystemExit):
        run(["init", str(tmp_path / "site"), "--passphrase-file", str(tmp_path / "pass")])

    assert capsys.readouterr().err.startswith("SITE_SECRET")


def test_config_check_names_file_and_line_and_exits_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run(["init", str(tmp_path)])
    config = tmp_path / "fep.toml"
    config.write_text(config.read_text("utf-8").replace("deadline_s", "deadine_s"), "utf-8")
    line = config.read_text("utf-8").split("deadine_s")[0].count("\n") + 1
    capsys.readouterr()

    with pytest.raises(SystemExit) as left:
        run(["-c", str(config), "config", "check"])

    shown = capsys.readouterr().out
    assert 1 == left.value.code
    assert f"FAIL  {config}:{line}  api.deadine_s  unknown key, did you mean deadline_s" in shown
    assert "→ deadline_s" in shown


def test_config_check_of_a_sound_site_is_quiet_and_tells_the_same_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], platform: Path
):
    run(["init", str(tmp_path / "site"), "--platform-cert", str(platform)])
    config = tmp_path / "site" / "fep.toml"
    capsys.readouterr()

    run(["-c", str(config), "config", "check", "--json"])

    assert {"config": str(config), "ok": True, "problems": []} == json.loads(
        capsys.readouterr().out
    )
