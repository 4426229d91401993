"""Key files of every origin open, and only with their passphrase and their own point."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from asn1crypto import core
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from fep.crypto import certs, der, keyfile, sealed, selftest, sm2, sm3, sm4
from fep.crypto.curve import N
from fep.crypto.errors import BackendMissing, BadKeyFile, WrongPassphrase

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command")
KEY = sm2.PrivateKey(selftest.SCALAR)
SM2_OID = "1.2.156.10197.1.301"


def openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(
        ["openssl", *arguments], cwd=directory, capture_output=True, timeout=60, check=True
    )


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A directory with key.pem (SM2, PKCS#8) and cert.pem as the openssl command makes them."""
    openssl(tmp_path, "genpkey", "-algorithm", "SM2", "-out", "key.pem")
    openssl(tmp_path, "req", "-new", "-x509", "-key", "key.pem", "-sm3", "-days", "30",
            "-subj", "/C=CN/O=Finance/CN=unit", "-sigopt", "distid:1234567812345678",
            "-out", "cert.pem")  # fmt: skip
    return tmp_path


def gmssl_file(passphrase: bytes, rounds: int = 65536, prf: str = "1.2.156.10197.1.401.2") -> bytes:
    """Build what GmSSL 3 writes: PBES2, PBKDF2 with HMAC-SM3, SM4-CBC."""
    salt, iv = bytes(range(8)), bytes(range(16))
    secret = sm3.pbkdf2(passphrase, salt, min(rounds, 65536), 16)
    algorithm = der.element(der.SEQUENCE, core.ObjectIdentifier(prf).dump())
    parameters = der.element(
        der.SEQUENCE,
        der.element(der.OCTET_STRING, salt) + core.Integer(rounds).dump()
        + core.Integer(16).dump() + algorithm,
    )  # fmt: skip
    kdf = der.element(
        der.SEQUENCE, core.ObjectIdentifier("1.2.840.113549.1.5.12").dump() + parameters
    )
    cipher = der.element(
        der.SEQUENCE,
        core.ObjectIdentifier("1.2.156.10197.1.104.2").dump() + der.element(der.OCTET_STRING, iv),
    )
    scheme = der.element(
        der.SEQUENCE,
        core.ObjectIdentifier("1.2.840.113549.1.5.13").dump()
        + der.element(der.SEQUENCE, kdf + cipher),
    )
    body = der.element(der.OCTET_STRING, sm4.cbc_encrypt(secret, iv, KEY.info()))
    return armored("ENCRYPTED PRIVATE KEY", der.element(der.SEQUENCE, scheme + body))


def armored(kind: str, body: bytes, headers: str = "") -> bytes:
    text = base64.encodebytes(body).decode()
    return f"-----BEGIN {kind}-----\n{headers}{text}-----END {kind}-----\n".encode()


def sec1(scalar: int, point: bytes | None, curve: str | None = SM2_OID) -> bytes:
    inner = der.integer(1) + der.element(der.OCTET_STRING, scalar.to_bytes(32, "big"))
    if curve is not None:
        inner += der.element(0xA0, core.ObjectIdentifier(curve).dump())
    if point is not None:
        inner += der.element(0xA1, der.element(0x03, b"\0\4" + point))
    return der.element(der.SEQUENCE, inner)


@pytest.mark.parametrize("passphrase", [None, "x", "口令 with spaces", b"\xff\xfe"])
@pytest.mark.parametrize("cipher", ["aes-256-cbc", "aes-128-cbc", "sm4-cbc"])
def test_saved_key_loads_with_its_passphrase(passphrase: str | bytes | None, cipher: str) -> None:
    saved = keyfile.save_private(KEY, passphrase, cipher=cipher)

    assert keyfile.load_private(saved, passphrase).scalar == KEY.scalar


def test_saved_key_does_not_open_with_another_passphrase_or_none() -> None:
    saved = keyfile.save_private(KEY, "right")

    with pytest.raises(WrongPassphrase):
        keyfile.load_private(saved, "wrong")
    with pytest.raises(WrongPassphrase):
        keyfile.load_private(saved)


def test_senseless_protection_is_refused() -> None:
    with pytest.raises(ValueError):
        keyfile.save_private(KEY, "")
    with pytest.raises(ValueError):
        keyfile.save_private(KEY, "x", cipher="rot13")


@needs_openssl
@pytest.mark.parametrize("cipher", ["aes-256-cbc", "sm4-cbc"])
def test_openssl_command_opens_what_we_save(tmp_path: Path, cipher: str) -> None:
    (tmp_path / "ours.pem").write_bytes(keyfile.save_private(KEY, "secret", cipher=cipher))

    openssl(tmp_path, "pkey", "-in", "ours.pem", "-passin", "pass:secret", "-out", "plain.pem")

    assert keyfile.load_private((tmp_path / "plain.pem").read_bytes()).scalar == KEY.scalar


@needs_openssl
@pytest.mark.parametrize(
    "options",
    [
        "-v2 aes-256-cbc",
        "-v2 aes-192-cbc",
        "-v2 sm4-cbc",
        "-v2 aes-128-cbc -v2prf hmacWithSHA1",
        "-v2 aes-128-cbc -v2prf hmacWithSHA512",
        "-v2 des3",
        "-v1 PBE-SHA1-3DES",
        "-scrypt",
    ],
)
def test_encrypted_pkcs8_of_the_openssl_command_opens(made: Path, options: str) -> None:
    plain = keyfile.load_private((made / "key.pem").read_bytes())
    openssl(made, "pkcs8", "-topk8", "-in", "key.pem", *options.split(),
            "-passout", "pass:secret", "-out", "sealed.pem")  # fmt: skip
    file = (made / "sealed.pem").read_bytes()

    assert keyfile.load_private(file, "secret").scalar == plain.scalar
    with pytest.raises(WrongPassphrase):
        keyfile.load_private(file, "wrong")
    with pytest.raises(WrongPassphrase):
        keyfile.load_private(file)


@needs_openssl
@pytest.mark.parametrize(
    "options",
    [
        "",
        "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1",
        "-keypbe SM4-CBC -certpbe SM4-CBC -macalg sm3",
        "-legacy",
    ],
)
def test_pfx_of_the_openssl_command_opens(made: Path, options: str) -> None:
    plain = keyfile.load_private((made / "key.pem").read_bytes())
    openssl(made, "pkcs12", "-export", "-inkey", "key.pem", "-in", "cert.pem",
            *options.split(), "-passout", "pass:secret", "-out", "unit.pfx")  # fmt: skip
    pfx = (made / "unit.pfx").read_bytes()

    bundle = keyfile.load_pfx(pfx, "secret")

    assert bundle.key.scalar == plain.scalar
    assert keyfile.load_private(pfx, "secret").scalar == plain.scalar
    assert bundle.certificate == certs.parse((made / "cert.pem").read_bytes()).der
    assert bundle.chain == ()
    with pytest.raises(WrongPassphrase):
        keyfile.load_pfx(pfx, "wrong")
    with pytest.raises(WrongPassphrase):
        keyfile.load_private(pfx)


@needs_openssl
def test_pfx_brings_its_chain_along(made: Path) -> None:
    openssl(made, "genpkey", "-algorithm", "SM2", "-out", "other.pem")
    openssl(made, "req", "-new", "-x509", "-key", "other.pem", "-sm3", "-subj", "/CN=root",
            "-sigopt", "distid:1234567812345678", "-out", "root.pem")  # fmt: skip
    openssl(made, "pkcs12", "-export", "-inkey", "key.pem", "-in", "cert.pem",
            "-certfile", "root.pem", "-passout", "pass:x", "-out", "unit.pfx")  # fmt: skip

    bundle = keyfile.load_pfx((made / "unit.pfx").read_bytes(), "x")

    assert [certs.parse(one).subject for one in bundle.chain] == ["CN=root"]


@needs_openssl
def test_pfx_without_integrity_check_is_refused(made: Path) -> None:
    openssl(made, "pkcs12", "-export", "-inkey", "key.pem", "-in", "cert.pem", "-nomac",
            "-passout", "pass:x", "-out", "unit.pfx")  # fmt: skip

    with pytest.raises(BadKeyFile, match="integrity"):
        keyfile.load_pfx((made / "unit.pfx").read_bytes(), "x")


@needs_openssl
def test_file_with_parameters_before_the_key_opens(tmp_path: Path) -> None:
    openssl(tmp_path, "ecparam", "-name", "SM2", "-genkey", "-out", "key.pem")

    assert keyfile.load_private((tmp_path / "key.pem").read_bytes()).scalar > 0


@pytest.mark.parametrize("prf", ["1.2.156.10197.1.401.2", "1.2.156.10197.1.401.3.1"])
def test_key_file_of_gmssl_that_openssl_refuses_opens(prf: str) -> None:
    file = gmssl_file(b"secret", prf=prf)

    assert keyfile.load_private(file, "secret").scalar == KEY.scalar
    with pytest.raises(WrongPassphrase):
        keyfile.load_private(file, "wrong")


def test_key_file_that_would_hang_the_start_is_refused() -> None:
    file = gmssl_file(b"x", rounds=sealed.ROUNDS_MAX + 1)

    with pytest.raises(BadKeyFile, match="senseless"):
        keyfile.load_private(file, "x")


@pytest.mark.parametrize("kind", ["EC PRIVATE KEY", "SM2 PRIVATE KEY"])
@pytest.mark.parametrize("point", [None, selftest.POINT])
def test_sec1_key_opens_as_pem_and_der(kind: str, point: bytes | None) -> None:
    encoded = sec1(selftest.SCALAR, point)

    assert keyfile.load_private(armored(kind, encoded)).scalar == selftest.SCALAR
    assert keyfile.load_private(encoded).scalar == selftest.SCALAR


OLD_CIPHERS = {
    "AES-128-CBC": (algorithms.AES, 16, 16),
    "AES-256-CBC": (algorithms.AES, 32, 16),
    "SM4-CBC": (algorithms.SM4, 16, 16),
    "DES-EDE3-CBC": (TripleDES, 24, 8),
}


@pytest.mark.parametrize("cipher", OLD_CIPHERS)
def test_old_style_encrypted_pem_opens(cipher: str) -> None:
    method, key_bytes, block = OLD_CIPHERS[cipher]
    iv = bytes(range(block))
    first = hashlib.md5(b"secret" + iv[:8]).digest()
    secret = (first + hashlib.md5(first + b"secret" + iv[:8]).digest())[:key_bytes]
    plain = sec1(selftest.SCALAR, selftest.POINT)
    pad = block - len(plain) % block
    context = Cipher(method(secret), modes.CBC(iv)).encryptor()
    body = context.update(plain + bytes((pad,)) * pad) + context.finalize()
    headers = f"Proc-Type: 4,ENCRYPTED\nDEK-Info: {cipher},{iv.hex().upper()}\n\n"
    file = armored("EC PRIVATE KEY", body, headers)

    assert keyfile.load_private(file, "secret").scalar == selftest.SCALAR
    with pytest.raises(WrongPassphrase):
        keyfile.load_private(file, "wrong")
    with pytest.raises(WrongPassphrase):
        keyfile.load_private(file)


@pytest.mark.parametrize("info", ["RC4,00", "AES-128-CBC,zz", "AES-128-CBC,0011", ""])
def test_old_style_headers_that_make_no_sense_are_refused(info: str) -> None:
    headers = f"Proc-Type: 4,ENCRYPTED\nDEK-Info: {info}\n\n"

    with pytest.raises(BadKeyFile):
        keyfile.load_private(armored("EC PRIVATE KEY", bytes(32), headers), "x")


@needs_openssl
def test_old_style_encryption_is_that_of_the_openssl_command(tmp_path: Path) -> None:
    """On a curve the command still writes this way: it is refused only for its curve."""
    openssl(tmp_path, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "k.pem")
    openssl(tmp_path, "ec", "-in", "k.pem", "-aes192", "-passout", "pass:x", "-out", "old.pem")

    with pytest.raises(BadKeyFile, match="SM2 curve"):
        keyfile.load_private((tmp_path / "old.pem").read_bytes(), "x")


def test_pkcs8_opens_as_der() -> None:
    assert keyfile.load_private(KEY.info()).scalar == KEY.scalar


def test_key_whose_public_point_is_another_is_refused() -> None:
    other = sm2.PrivateKey(selftest.SCALAR + 1).public.point

    with pytest.raises(BadKeyFile, match="public key"):
        keyfile.load_private(sec1(selftest.SCALAR, other))


def test_key_of_another_curve_is_refused() -> None:
    with pytest.raises(BadKeyFile, match="curve"):
        keyfile.load_private(sec1(selftest.SCALAR, None, curve="1.2.840.10045.3.1.7"))


@pytest.mark.parametrize("scalar", [0, 2**256 - 1])
def test_key_out_of_range_is_refused(scalar: int) -> None:
    with pytest.raises(BadKeyFile, match="range"):
        keyfile.load_private(sec1(scalar, None))


@needs_openssl
@pytest.mark.parametrize("algorithm", ["RSA", "ED25519"])
def test_key_of_another_algorithm_is_refused(tmp_path: Path, algorithm: str) -> None:
    openssl(tmp_path, "genpkey", "-algorithm", algorithm, "-out", "key.pem")

    with pytest.raises(BadKeyFile):
        keyfile.load_private((tmp_path / "key.pem").read_bytes())


def test_what_is_no_key_file_is_refused() -> None:
    strange = [
        b"",
        b"not a key",
        b"\x30\x00",
        b"\x30\x03\x02\x01\x00",
        b"\x30\x80\x00\x00",
        KEY.info() + b"\0",
        KEY.info()[:-1],
        b"-----BEGIN PRIVATE KEY-----\n!!!\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        bytes(keyfile.FILE_MAX_BYTES + 1),
        gmssl_file(b"x", rounds=1)[:200],
    ]

    for data in strange:
        with pytest.raises(BadKeyFile):
            keyfile.load_private(data, "x")


def test_two_generated_keys_differ() -> None:
    assert keyfile.generate().scalar != keyfile.generate().scalar


def test_generated_key_is_drawn_from_the_given_entropy() -> None:
    class Fixed:
        def token(self, size: int) -> bytes:
            raise AssertionError(size)

        def below(self, bound: int) -> int:
            return bound - 1

    key = keyfile.generate(Fixed())

    assert key.scalar == N - 2


def test_loaded_key_signs_on_the_backend_that_was_asked() -> None:
    with pytest.raises(BackendMissing):
        keyfile.load_private(KEY.info(), backend_name="gmssl").sign(b"x")

    assert keyfile.load_private(KEY.info()).backend == sm2.active()


@needs_openssl
@pytest.mark.parametrize("options", ["-v2 aes-128-cbc -iter 1", "-v1 PBE-SHA1-3DES -iter 1"])
def test_wrong_passphrase_with_lucky_padding_is_still_called_wrong(
    made: Path, options: str
) -> None:
    """One wrong passphrase in 256 leaves good padding: 1500 tries meet that case."""
    openssl(made, "pkcs8", "-topk8", "-in", "key.pem", *options.split(),
            "-passout", "pass:secret", "-out", "file.pem")  # fmt: skip
    file = (made / "file.pem").read_bytes()

    for number in range(1500):
        with pytest.raises(WrongPassphrase):
            keyfile.load_private(file, f"wrong{number}")
