"""The binding: threads, drained errors, and machines without SM2."""

from __future__ import annotations

import ctypes
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fep.crypto import containers, gm, libcrypto, selftest, sm2
from fep.crypto.errors import BackendMissing, LibcryptoFault, WrongPassphrase


@pytest.fixture(scope="module")
def library() -> libcrypto.Library:
    """The system's libcrypto."""
    return libcrypto.open_library()


def test_one_key_signs_and_verifies_on_many_threads() -> None:
    key = sm2.PrivateKey(selftest.SCALAR, backend_name="libcrypto")
    start = threading.Barrier(4)

    def work(_: int) -> bool:
        start.wait(10)
        return all(
            key.public.verify_digest(selftest.DIGEST, key.sign_digest(selftest.DIGEST))
            for _ in range(50)
        )

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(work, range(4)))

    assert answers == [True] * 4


def test_failed_verification_leaves_no_error_behind(library: libcrypto.Library) -> None:
    public = sm2.PublicKey(selftest.POINT, backend_name="libcrypto")

    public.verify_digest(selftest.DIGEST, sm2.raw_to_der(bytes(31) + b"\1" + bytes(31) + b"\1"))
    public.verify_digest(b"short", sm2.raw_to_der(selftest.SIGNATURE))

    assert library.drain() == ()


def test_failed_call_carries_the_reason_and_empties_the_queue(library: libcrypto.Library) -> None:
    with pytest.raises(LibcryptoFault) as raised:
        libcrypto.LibcryptoPublic(library, bytes(63) + b"\1")

    assert raised.value.call == "d2i_PUBKEY"
    assert [reason for reason in raised.value.reasons if "decode error" in reason] != []
    assert library.drain() == ()


def test_long_queue_is_drained_within_its_bound(library: libcrypto.Library) -> None:
    for _ in range(50):
        library.d2i_PUBKEY(None, ctypes.byref(ctypes.c_char_p(b"\x30\x00")), 2)

    first = library.drain()

    assert 0 < len(first) <= 16
    assert library.drain() == ()


def test_library_built_without_sm2_is_a_missing_backend() -> None:
    class Bare(libcrypto.Library):
        def EVP_PKEY_CTX_new_from_name(self, *_: object) -> None:
            return None

        def declare(self, quick: dict, long: dict) -> None:  # type: ignore[type-arg]  # as given
            quick = {name: form for name, form in quick.items() if "from_name" not in name}
            super().declare(quick, long)

    bare = Bare(libcrypto.open_library().path)

    with pytest.raises(BackendMissing, match="without SM2"):
        libcrypto.Libcrypto(bare)


def test_generated_keys_are_whole(library: libcrypto.Library) -> None:
    encoded = libcrypto.Libcrypto(library).generate()

    assert encoded[:1] == b"\x30"
    assert encoded != libcrypto.Libcrypto(library).generate()


def test_info_is_what_libcrypto_itself_reads(library: libcrypto.Library) -> None:
    key = sm2.PrivateKey(selftest.SCALAR)
    boxes = containers.Containers(library)

    sealed = boxes.seal_pkcs8(key.info(), b"x", "sm4-cbc")

    assert boxes.open_pkcs8(sealed, b"x") == key.info()
    with pytest.raises(WrongPassphrase):
        boxes.open_pkcs8(sealed, b"y")


def test_active_backend_is_libcrypto_where_it_has_sm2() -> None:
    assert sm2.active() == "libcrypto"
    assert sm2.backend().version.startswith("OpenSSL 3")
    assert sm2.backend(gm.NAME).version.startswith("gmssl 3")


def test_machine_without_libcrypto_3_is_a_missing_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libcrypto, "_SONAMES", ("libnone.so.3", "libc.so.6"))
    monkeypatch.setattr(libcrypto, "_VERSION_MIN", 0xFFFFFFFF)

    with pytest.raises(BackendMissing, match="OpenSSL 3"):
        libcrypto.open_library()


def test_library_under_another_name_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libcrypto, "_SONAMES", ("libnone.so.3",))

    assert libcrypto.open_library().version().startswith("OpenSSL 3")
