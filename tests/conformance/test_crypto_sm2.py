"""Every SM2 backend keeps the same promises, and each believes the others."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from fep.crypto import der, envelope, keyfile, selftest, sm2, sm3
from fep.crypto.curve import N, P
from fep.crypto.errors import BackendMissing, BadCipher, BadKey

BOTH = sm2.BACKENDS
MATRIX = [(one, other) for one in BOTH for other in BOTH]
OTHER_ID = b"ALICE123@YAHOO.COM"

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command")


class Dice:
    """Entropy that a test can repeat: SM3 of a counter."""

    def __init__(self, seed: bytes = b"") -> None:
        self.seed = seed
        self.drawn = 0

    def token(self, size: int) -> bytes:
        out = b""
        while len(out) < size:
            self.drawn += 1
            out += sm3.digest(self.seed + self.drawn.to_bytes(8, "big"))
        return out[:size]

    def below(self, bound: int) -> int:
        return int.from_bytes(self.token(bound.bit_length() // 8 + 9), "big") % bound


@pytest.fixture(params=BOTH)
def name(request: pytest.FixtureRequest) -> str:
    """Run the promise over every backend."""
    return str(request.param)


def key_on(name: str, scalar: int = selftest.SCALAR) -> sm2.PrivateKey:
    return sm2.PrivateKey(scalar, entropy=Dice(name.encode()), backend_name=name)


def test_signature_of_the_standard_verifies(name: str) -> None:
    public = sm2.PublicKey(selftest.POINT, backend_name=name)

    good = public.verify(selftest.MESSAGE, sm2.raw_to_der(selftest.SIGNATURE))

    assert good is True


def test_ciphertext_of_the_standard_opens(name: str) -> None:
    sealed = der.write_cipher(selftest.CIPHER_POINT, selftest.CIPHER_MAC, selftest.CIPHER_MASKED)

    assert key_on(name).decrypt(sealed) == selftest.PLAIN


@pytest.mark.parametrize(("signer", "verifier"), MATRIX)
@pytest.mark.parametrize("user_id", [sm2.DEFAULT_ID, OTHER_ID])
def test_what_one_signs_the_other_verifies(signer: str, verifier: str, user_id: bytes) -> None:
    key = key_on(signer)
    message = bytes(range(256)) * 20

    signature = key.sign(message, user_id)

    public = key.public.on(verifier)
    assert public.verify(message, signature, user_id) is True
    assert public.verify(message + b"x", signature, user_id) is False
    assert public.verify(message, signature, b"someone else") is False


@pytest.mark.parametrize(("sender", "receiver"), MATRIX)
@pytest.mark.parametrize("size", [1, 16, 33])
def test_what_one_encrypts_the_other_decrypts(sender: str, receiver: str, size: int) -> None:
    plain = bytes(range(size))
    key = key_on(receiver)

    sealed = key.public.on(sender).encrypt(plain, Dice())

    assert key.decrypt(sealed) == plain


@pytest.mark.parametrize(("sender", "receiver"), MATRIX)
def test_wrapped_key_comes_back_from_either_side(sender: str, receiver: str) -> None:
    session = bytes(range(16))
    key = key_on(receiver)

    wrapped = envelope.wrap(session, key.public.on(sender), Dice())

    assert envelope.unwrap(wrapped, key) == session


def test_envelope_takes_nothing_but_16_bytes(name: str) -> None:
    key = key_on(name)

    with pytest.raises(ValueError):
        envelope.wrap(bytes(17), key.public, Dice())
    with pytest.raises(BadCipher):
        envelope.unwrap(key.public.encrypt(bytes(17), Dice()), key)


def test_ciphertext_with_one_flipped_bit_is_refused_everywhere(name: str) -> None:
    key = key_on(name)
    sealed = key.public.encrypt(b"0123456789abcdef", Dice())

    # Every eighth byte and both ends: structure, point, C3 and C2 are all hit.
    for position in [*range(0, len(sealed), 8), len(sealed) - 1]:
        broken = bytearray(sealed)
        broken[position] ^= 1
        with pytest.raises(BadCipher):
            key.decrypt(bytes(broken))


def test_ciphertext_for_another_key_is_refused(name: str) -> None:
    sealed = key_on(name).public.encrypt(b"0123456789abcdef", Dice())

    with pytest.raises(BadCipher):
        key_on(name, selftest.SCALAR + 1).decrypt(sealed)


def test_signature_with_one_flipped_bit_is_false_never_an_exception(name: str) -> None:
    key = key_on(name)
    good = key.sign_digest(selftest.DIGEST)

    answers = set()
    for position in range(0, len(good), 6):
        broken = bytearray(good)
        broken[position] ^= 0x40
        answers.add(key.public.verify_digest(selftest.DIGEST, bytes(broken)))

    assert answers == {False}


MALFORMED = {
    "empty": b"",
    "one byte": b"\x30",
    "not DER": b"signature",
    "raw form": selftest.SIGNATURE,
    "trailing byte": sm2.raw_to_der(selftest.SIGNATURE) + b"\0",
    "cut": sm2.raw_to_der(selftest.SIGNATURE)[:-1],
    "r zero": der.write_signature(0, 5),
    "s zero": der.write_signature(5, 0),
    "r is n": der.write_signature(N, 5),
    "s is n": der.write_signature(5, N),
    "r + s is n": der.write_signature(5, N - 5),
    "one integer": der.element(der.SEQUENCE, der.integer(5)),
    "negative": bytes.fromhex("3006020180020105"),
    "long length": bytes.fromhex("308106020105020105"),
    "padded integer": bytes.fromhex("300702020005020105"),
}


@pytest.mark.parametrize("form", MALFORMED)
def test_malformed_signature_is_false(name: str, form: str) -> None:
    public = sm2.PublicKey(selftest.POINT, backend_name=name)

    assert public.verify_digest(selftest.DIGEST, MALFORMED[form]) is False


def test_digest_of_another_length_is_neither_signed_nor_verified(name: str) -> None:
    key = key_on(name)

    for digest in (b"", bytes(31), bytes(33), bytes(64)):
        with pytest.raises(ValueError):
            key.sign_digest(digest)
        assert key.public.verify_digest(digest, sm2.raw_to_der(selftest.SIGNATURE)) is False


def test_two_signatures_of_one_digest_differ(name: str) -> None:
    key = key_on(name)

    assert key.sign_digest(selftest.DIGEST) != key.sign_digest(selftest.DIGEST)


def test_digest_with_leading_zeros_is_signed(name: str) -> None:
    key = key_on(name)

    for digest in (bytes(32), bytes(31) + b"\1", b"\xff" * 32):
        assert key.public.verify_digest(digest, key.sign_digest(digest)) is True


@pytest.mark.parametrize("scalar", [0, -1, N - 1, N, N + 1])
def test_private_key_out_of_range_is_refused(name: str, scalar: int) -> None:
    with pytest.raises(BadKey):
        sm2.PrivateKey(scalar, backend_name=name)


@pytest.mark.parametrize("scalar", [1, 2, N - 2])
def test_private_key_at_the_edge_of_the_range_works(name: str, scalar: int) -> None:
    key = key_on(name, scalar)

    assert key.public.verify(b"edge", key.sign(b"edge")) is True


@pytest.mark.parametrize(
    "point",
    [
        bytes(64),
        selftest.POINT[:-1],
        b"\x04" + selftest.POINT,
        selftest.POINT[:-1] + bytes((selftest.POINT[-1] ^ 1,)),
        (int.from_bytes(selftest.POINT[:32], "big") % P).to_bytes(32, "big")
        + P.to_bytes(32, "big"),
    ],
)
def test_point_off_the_curve_is_refused(name: str, point: bytes) -> None:
    with pytest.raises(BadKey):
        sm2.PublicKey(point, backend_name=name)


def test_ciphertext_with_a_point_off_the_curve_is_refused(name: str) -> None:
    sealed = der.write_cipher(bytes(63) + b"\1", selftest.CIPHER_MAC, selftest.CIPHER_MASKED)

    with pytest.raises(BadCipher):
        key_on(name).decrypt(sealed)


# Scalars whose public key begins with the hex digits that gmssl's constructor would strip.
STRIPPED = {"0": 6, "04": 11, "4": 65, "00": 327}


@pytest.mark.parametrize("digits", STRIPPED)
@pytest.mark.parametrize(("signer", "verifier"), MATRIX)
def test_public_keys_that_begin_with_0_and_4_are_whole(
    digits: str, signer: str, verifier: str
) -> None:
    key = key_on(signer, STRIPPED[digits])

    signature = key.sign(b"prefix")

    assert key.public.point.hex().startswith(digits)
    assert key.public.on(verifier).verify(b"prefix", signature) is True


def test_gmssl_without_entropy_decrypts_but_does_not_sign() -> None:
    key = sm2.PrivateKey(selftest.SCALAR, backend_name="gmssl")

    with pytest.raises(BackendMissing):
        key.sign_digest(selftest.DIGEST)
    assert key.decrypt(key.public.encrypt(b"secret", Dice())) == b"secret"


def test_user_id_and_plain_text_have_bounds(name: str) -> None:
    key = key_on(name)

    with pytest.raises(ValueError):
        key.sign(b"x", bytes(8192))
    for size in (0, 65537):
        with pytest.raises(ValueError):
            key.public.encrypt(bytes(size), Dice())


def test_equal_points_are_equal_keys_whoever_computes() -> None:
    keys = {key_on(one).public for one in BOTH}

    assert len(keys) == 1
    assert key_on("gmssl").public != key_on("gmssl", 5).public
    assert key_on("gmssl").public != "a key"


def test_unknown_backend_is_named() -> None:
    with pytest.raises(BackendMissing, match="tongsuo"):
        sm2.PublicKey(selftest.POINT, backend_name="tongsuo")


def test_private_key_shows_nothing_of_itself(name: str) -> None:
    text = repr(key_on(name))

    assert f"{selftest.SCALAR:x}" not in text
    assert str(selftest.SCALAR) not in text


@needs_openssl
def test_openssl_command_verifies_what_we_sign(name: str, tmp_path: Path) -> None:
    key = key_on(name)
    (tmp_path / "key.pem").write_bytes(keyfile.save_private(key))
    (tmp_path / "message").write_bytes("票据".encode() * 1000)
    (tmp_path / "signature").write_bytes(key.sign((tmp_path / "message").read_bytes()))

    done = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-rawin", "-digest", "sm3", "-in", "message",
         "-inkey", "key.pem", "-sigfile", "signature", "-pkeyopt", "distid:1234567812345678"],
        cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip

    assert "Signature Verified Successfully" in done.stdout


@needs_openssl
def test_we_verify_what_the_openssl_command_signs(name: str, tmp_path: Path) -> None:
    key = key_on(name)
    (tmp_path / "key.pem").write_bytes(keyfile.save_private(key))
    (tmp_path / "message").write_bytes(b"message")

    subprocess.run(
        ["openssl", "pkeyutl", "-sign", "-rawin", "-digest", "sm3", "-in", "message",
         "-inkey", "key.pem", "-out", "signature", "-pkeyopt", "distid:1234567812345678"],
        cwd=tmp_path, capture_output=True, timeout=30, check=True,
    )  # fmt: skip

    assert key.public.verify(b"message", (tmp_path / "signature").read_bytes()) is True


@needs_openssl
def test_openssl_command_opens_what_we_encrypt(name: str, tmp_path: Path) -> None:
    key = key_on(name)
    (tmp_path / "key.pem").write_bytes(keyfile.save_private(key))
    (tmp_path / "sealed").write_bytes(key.public.encrypt(b"0123456789abcdef", Dice()))

    done = subprocess.run(
        ["openssl", "pkeyutl", "-decrypt", "-in", "sealed", "-inkey", "key.pem"],
        cwd=tmp_path, capture_output=True, timeout=30, check=True,
    )  # fmt: skip

    assert done.stdout == b"0123456789abcdef"
