"""The binding of SKF over the stub library: structures of every width, each code, the PIN."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as untyped
from twisted.internet.threads import deferToThread

from fep.crypto import certs, gm, skf, skf_key
from fep.crypto.errors import BackendMissing, BadCertificate, CryptoError
from fep.crypto.skf import Profile
from fep.services.signer_token import MarkFile
from fep.sim import sm
from tests.device.skf import PIN, UKeyRig

reactor: Any = untyped
DIGEST = bytes(range(32))
SHAPES = [
    ((), Profile()),
    (("-DPACK1",), Profile(packed=True)),
    (("-DULONG_BYTES=8",), Profile(ulong_bytes=8)),
    (("-DULONG_BYTES=8", "-DPACK1"), Profile(ulong_bytes=8, packed=True)),
]


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One key and certificate for all tests of the module."""
    place = tmp_path_factory.mktemp("identity")
    sm.create_identity(place / "token.key", place / "token.crt", "unit", 77)
    return place


@asynccontextmanager
async def plugged(place: Path, identity: Path, *switches: str) -> AsyncIterator[UKeyRig]:
    rig = UKeyRig(reactor, place, *switches, identity=identity)
    try:
        yield rig
    finally:
        await rig.slot.close()


def ukey(rig: UKeyRig, profile: Profile | None = None, **place: str) -> skf_key.UKey:
    names = {"application": "FEP", "container": "unit", "pin": PIN} | place
    return skf_key.UKey(
        skf_key.Place(str(rig.library), **names), profile or Profile(),
        certs.parse(rig.cert.read_bytes()), MarkFile(rig.place / "mark"), lambda _seconds: None,
    )  # fmt: skip


async def told(work: Callable[..., Any], *arguments: Any) -> Any:
    """Run a call of the library in a thread; its error is an answer."""
    try:
        return await deferToThread(work, *arguments)
    except CryptoError as error:
        return error


@pytest.mark.parametrize(("switches", "profile"), SHAPES)
@pytest_twisted.ensureDeferred
async def test_structures_of_every_width_and_packing_are_read(
    switches: tuple[str, ...], profile: Profile, tmp_path: Path, identity: Path
):
    async with plugged(tmp_path, identity, *switches) as rig:
        key = ukey(rig, profile)
        await deferToThread(key.open)
        der = await deferToThread(key.sign_digest, DIGEST)
        await deferToThread(key.close)

    public = certs.parse(rig.cert.read_bytes()).public_key
    assert "skf simulated FEP-SIM SIM0001" == key.backend
    assert public.verify_digest(DIGEST, der)
    assert public.on(gm.NAME).verify_digest(DIGEST, der)
    assert {} == rig.token._handles


@pytest.mark.parametrize(
    ("switches", "profile"),
    [(("-DULONG_BYTES=8",), Profile()), ((), Profile(ulong_bytes=8)), ((), Profile(align="left"))],
)
@pytest_twisted.ensureDeferred
async def test_a_wrong_profile_is_told_at_open_and_costs_no_try_of_the_pin(
    switches: tuple[str, ...], profile: Profile, tmp_path: Path, identity: Path
):
    async with plugged(tmp_path, identity, *switches) as rig:
        error = await told(ukey(rig, profile).open)

    assert isinstance(error, CryptoError)
    assert "profile" in str(error)
    assert 0 == rig.token.calls.count("VerifyPIN")


@pytest_twisted.ensureDeferred
async def test_names_that_are_not_given_are_the_only_ones_there(tmp_path: Path, identity: Path):
    async with plugged(tmp_path, identity) as rig:
        key = ukey(rig, application="", container="")
        await deferToThread(key.open)
        by_serial = ukey(rig, device="SIM0001")
        await deferToThread(by_serial.open)
        other = await told(ukey(rig, device="SIM0002").open)

    assert isinstance(other, skf_key.KeyRemoved)


@pytest_twisted.ensureDeferred
async def test_a_device_without_its_certificate_is_known_by_its_key(tmp_path: Path, identity: Path):
    async with plugged(tmp_path, identity) as rig:
        rig.token.knobs.no_certificate = True
        await deferToThread(ukey(rig).open)


@pytest_twisted.ensureDeferred
async def test_a_key_of_another_certificate_is_refused_before_the_pin(
    tmp_path: Path, identity: Path
):
    sm.create_identity(tmp_path / "k", tmp_path / "c", "other", 78)
    async with plugged(tmp_path / "slot", identity) as rig:
        rig.cert = tmp_path / "c"
        with_certificate = await told(ukey(rig).open)
        rig.token.knobs.no_certificate = True
        without = await told(ukey(rig).open)

    assert isinstance(with_certificate, BadCertificate)
    assert isinstance(without, BadCertificate)
    assert "VerifyPIN" not in rig.token.calls


@pytest_twisted.ensureDeferred
async def test_a_wrong_pin_is_tried_once_and_never_again_until_the_mark_goes(
    tmp_path: Path, identity: Path
):
    async with plugged(tmp_path, identity) as rig:
        errors = [await told(ukey(rig, pin="11111111").open) for _ in range(3)]
        # Not even the right one, by another process after a restart: a person has to act.
        errors.append(await told(ukey(rig).open))
        (tmp_path / "mark").unlink()
        await deferToThread(ukey(rig).open)

    assert [5, 5, 5, 5] == [error.left for error in errors]
    assert 2 == rig.token.calls.count("VerifyPIN")
    assert not (tmp_path / "mark").exists()


@pytest_twisted.ensureDeferred
async def test_tries_that_a_library_keeps_to_itself_are_asked_for_and_else_unknown(
    tmp_path: Path, identity: Path
):
    async with plugged(tmp_path, identity) as rig:
        knobs = rig.token.knobs
        knobs.no_tries = True
        asked = await told(ukey(rig, pin="11111111").open)
        knobs.fails, knobs.fails_at, knobs.fails_with = 1, "GetPINInfo", "0A000003"
        unknown = await told(ukey(rig).open)

    assert (skf_key.PinRefused, 5) == (type(asked), asked.left)
    assert isinstance(unknown, skf_key.LoginUnknown)
    assert 1 == rig.token.calls.count("VerifyPIN")


@pytest_twisted.ensureDeferred
async def test_a_locked_pin_is_told_as_such(tmp_path: Path, identity: Path):
    async with plugged(tmp_path, identity) as rig:
        rig.token.tries_left = 1
        spent = await told(ukey(rig, pin="11111111").open)
        again = await told(ukey(rig).open)

    assert isinstance(spent, skf_key.PinLocked)
    assert isinstance(again, skf_key.PinLocked)
    assert 1 == rig.token.calls.count("VerifyPIN")


@pytest_twisted.ensureDeferred
async def test_a_login_that_was_cut_off_is_tried_again_only_if_it_cost_nothing(
    tmp_path: Path, identity: Path
):
    async with plugged(tmp_path, identity) as rig:
        MarkFile(tmp_path / "mark").write("trying")
        await deferToThread(ukey(rig).open)
        MarkFile(tmp_path / "mark").write("trying")
        rig.token.tries_left -= 1
        refused = await told(ukey(rig).open)

    assert isinstance(refused, skf_key.PinRefused)
    assert 1 == rig.token.calls.count("VerifyPIN")


@pytest_twisted.ensureDeferred
async def test_a_login_that_ends_unclear_is_not_repeated(tmp_path: Path, identity: Path):
    async with plugged(tmp_path, identity) as rig:
        rig.token.knobs.fails, rig.token.knobs.fails_at = 1, "VerifyPIN"
        errors = [await told(ukey(rig).open) for _ in range(2)]

    assert [skf_key.LoginUnknown, skf_key.PinRefused] == [type(error) for error in errors]
    assert 1 == rig.token.calls.count("VerifyPIN")


def test_a_code_is_told_with_its_name_if_the_standard_has_one():
    told = [str(skf.SkfFault("ECCSignData", code)) for code in (0x0A000023, 0x0A000055)]

    assert ["ECCSignData: 0x0A000023 DEVICE_REMOVED", "ECCSignData: 0x0A000055"] == told


@pytest_twisted.ensureDeferred
async def test_every_code_of_every_call_is_told_and_spends_no_pin_twice(
    tmp_path: Path, identity: Path
):
    calls = ("ConnectDev", "GetDevInfo", "OpenApplication", "OpenContainer", "GetContainerType",
             "ExportCertificate", "ExportPublicKey", "VerifyPIN", "ECCSignData")  # fmt: skip
    few = (0x01, 0x05, 0x06, 0x0F, 0x1C, 0x20, 0x23, 0x24, 0x2D)
    wrong = []
    async with plugged(tmp_path, identity) as rig:
        for call in calls:
            every = call in ("VerifyPIN", "ECCSignData")
            for number in sorted(skf.NAMES) if every else few:
                rig.token.calls.clear()
                MarkFile(tmp_path / "mark").write("")
                knobs = rig.token.knobs
                knobs.fails, knobs.fails_at = skf_key.TRIES, call
                knobs.fails_with = f"{0x0A000000 + number:08X}"
                answer = await told(ukey(rig).open)
                good = (call, number) in {("VerifyPIN", 0x28), ("ExportCertificate", 0x1C)}
                if (answer is None) != good or rig.token.calls.count("VerifyPIN") > 1:
                    wrong.append((call, number, answer))
        rig.token.knobs.fails = 0
        MarkFile(tmp_path / "mark").write("")
        await deferToThread(ukey(rig).open)

    assert [] == wrong


@pytest_twisted.ensureDeferred
async def test_a_busy_device_and_a_wrong_signature_are_tried_again_twice(
    tmp_path: Path, identity: Path
):
    async with plugged(tmp_path, identity) as rig:
        key = ukey(rig)
        await deferToThread(key.open)
        knobs = rig.token.knobs
        answers = []
        for count in (2, 3):
            knobs.fails, knobs.fails_with = count, "0A00000F"
            answers.append(await told(key.sign_digest, DIGEST))
            knobs.wrong_signatures = count
            answers.append(await told(key.sign_digest, DIGEST))

    public = certs.parse(rig.cert.read_bytes()).public_key
    assert all(public.verify_digest(DIGEST, der) for der in answers[:2])
    assert [skf_key.SignFailed] * 2 == [type(error) for error in answers[2:]]


@pytest_twisted.ensureDeferred
async def test_a_key_pulled_out_is_gone_and_comes_back_by_open(tmp_path: Path, identity: Path):
    async with plugged(tmp_path, identity) as rig:
        key = ukey(rig)
        await deferToThread(key.open)
        rig.token.knobs.removed_signs = 1
        gone = await told(key.sign_digest, DIGEST)
        absent = (await told(key.open), await told(key.present))
        rig.token.put_in()
        stale = await told(key.sign_digest, DIGEST)
        await deferToThread(key.open)
        der = await deferToThread(key.sign_digest, DIGEST)
        present = await told(key.present)

    assert [skf_key.KeyRemoved] * 3 == [type(each) for each in (gone, absent[0], stale)]
    assert (False, True) == (absent[1], present)
    assert certs.parse(rig.cert.read_bytes()).public_key.verify_digest(DIGEST, der)


@pytest_twisted.ensureDeferred
async def test_a_library_that_cannot_tell_its_state_is_not_asked_to_log_in_again(
    tmp_path: Path, identity: Path
):
    async with plugged(tmp_path, identity) as rig:
        key = ukey(rig)
        await deferToThread(key.open)
        knobs = rig.token.knobs
        answers = []
        for code in ("0A000003", "0A000001", "0A000023"):
            knobs.fails, knobs.fails_at, knobs.fails_with = 1, "GetDevState", code
            answers.append(await told(key.present))

    assert [True, True, False] == answers


@pytest_twisted.ensureDeferred
async def test_no_message_holds_the_pin(tmp_path: Path, identity: Path):
    async with plugged(tmp_path, identity) as rig:
        rig.token.knobs.fails, rig.token.knobs.fails_at = 1, "VerifyPIN"
        key = ukey(rig)
        error = await told(key.open)

    assert PIN not in f"{error!r} {error} {skf_key.Place('x', pin=PIN)!r}"


@pytest.fixture
def empty_library(tmp_path: Path) -> Path:
    """A file that is no library."""
    path = tmp_path / "libnone.so"
    path.write_bytes(b"no library")
    return path


def test_a_library_that_cannot_be_loaded_is_told(empty_library: Path):
    with pytest.raises(BackendMissing, match="cannot be loaded"):
        skf.Library(str(empty_library), Profile())


def test_a_library_that_lacks_a_call_names_it():
    with pytest.raises(BackendMissing, match="SKF_EnumDev"):
        skf.Library("libcrypto.so.3", Profile()).devices()
