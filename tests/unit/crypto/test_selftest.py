"""The self-test finds every planted fault and raises nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fep.crypto import gm, libcrypto, selftest, sm2, sm3, sm4
from fep.crypto.errors import BackendMissing
from fep.env import RealEntropy


def broken(checks: list[selftest.Check]) -> set[str]:
    return {check.name for check in checks if not check.ok}


@pytest.fixture
def fresh() -> Iterator[None]:
    """Let the choice of backend be made anew, before and after."""
    sm2._opened.cache_clear()
    sm2.active.cache_clear()
    yield
    sm2._opened.cache_clear()
    sm2.active.cache_clear()


def test_every_check_passes_on_this_machine() -> None:
    assert broken(selftest.run()) == set()
    assert broken(selftest.run(RealEntropy())) == set()


def test_names_are_distinct_and_cross_both_ways() -> None:
    names = [check.name for check in selftest.run()]

    assert len(names) == len(set(names))
    assert {"sm2-libcrypto-to-gmssl", "sm2-gmssl-to-libcrypto"} <= set(names)


def test_probe_names_backend_and_version() -> None:
    probe = selftest.probe()

    assert (probe.name, probe.fallback) == ("libcrypto", None)
    assert probe.version.startswith("OpenSSL 3")


@pytest.mark.usefixtures("fresh")
def test_without_libcrypto_gmssl_stands_in_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> libcrypto.Library:
        raise BackendMissing("no libcrypto here")

    monkeypatch.setattr(libcrypto, "open_library", none)

    probe = selftest.probe()
    checks = selftest.run()

    assert (probe.name, probe.fallback) == ("gmssl", "no libcrypto here")
    assert broken(checks) == set()
    assert not any("libcrypto" in check.name for check in checks)
    key = sm2.PrivateKey(selftest.SCALAR, entropy=RealEntropy())
    assert key.public.verify(b"x", key.sign(b"x")) is True


def test_signer_that_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: libcrypto.LibcryptoSecret, digest: bytes) -> bytes:
        return sm2.raw_to_der(selftest.SIGNATURE[32:] + selftest.SIGNATURE[:32])

    monkeypatch.setattr(libcrypto.LibcryptoSecret, "sign_digest", wrong)

    assert broken(selftest.run()) == {"sm2-libcrypto-to-libcrypto", "sm2-libcrypto-to-gmssl"}


def test_verifier_that_believes_all_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def yes(self: gm.GmPublic, digest: bytes, signature: bytes) -> bool:
        return True

    monkeypatch.setattr(gm.GmPublic, "verify_digest", yes)

    assert broken(selftest.run()) == {"sm2-verify-gmssl"}


def test_whatever_a_broken_library_throws_ends_in_the_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def torn(*_: object) -> bytes:
        raise OSError("torn library")

    monkeypatch.setattr(sm3, "digest", torn)
    monkeypatch.setattr(sm4, "cbc_encrypt", torn)

    checks = selftest.run()

    assert {"sm3", "sm4-cbc", "sm2-digest"} <= broken(checks)
    assert any("torn library" in check.detail for check in checks)
