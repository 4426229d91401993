"""Certificates: what they say, who signed them, and the one a site makes for itself."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from asn1crypto import x509

from fep.crypto import certs, selftest, sm2, sm3
from fep.crypto.errors import BadCertificate

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command")
KEY = sm2.PrivateKey(selftest.SCALAR)
BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
END = datetime(2036, 1, 1, tzinfo=UTC)
DISTID = "distid:1234567812345678"


def openssl(directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["openssl", *arguments], cwd=directory, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    return done.stdout


def own(name: str = "某医院", serial: int = 0x1234) -> bytes:
    return certs.self_signed(KEY, name, serial, BEGIN, END)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """root.pem signs unit.pem and leaf.pem; leaf.pem signs below.pem without being allowed."""
    here = tmp_path_factory.mktemp("chain")
    (here / "ca.cnf").write_text("basicConstraints=critical,CA:true\nkeyUsage=keyCertSign\n")
    (here / "leaf.cnf").write_text("basicConstraints=CA:false\nkeyUsage=digitalSignature\n")
    for name in ("root", "unit", "leaf", "below"):
        openssl(here, "genpkey", "-algorithm", "SM2", "-out", f"{name}.key")
        openssl(here, "req", "-new", "-key", f"{name}.key", "-sm3", "-sigopt", DISTID,
                "-subj", f"/C=CN/O=财政/CN={name}", "-utf8", "-out", f"{name}.csr")  # fmt: skip
    openssl(here, "x509", "-req", "-in", "root.csr", "-signkey", "root.key", "-sm3",
            "-extfile", "ca.cnf", "-sigopt", DISTID, "-vfyopt", DISTID, "-set_serial",
            "0xfedcba98765432100123456789abcdef", "-out", "root.pem")  # fmt: skip
    for child, parent in (("unit", "root"), ("leaf", "root"), ("below", "leaf")):
        openssl(here, "x509", "-req", "-in", f"{child}.csr", "-CA", f"{parent}.pem",
                "-CAkey", f"{parent}.key", "-sm3", "-extfile", "leaf.cnf", "-sigopt", DISTID,
                "-vfyopt", DISTID, "-set_serial", "7", "-out", f"{child}.pem")  # fmt: skip
    return here


def read(chain: Path, name: str) -> certs.Certificate:
    return certs.parse((chain / f"{name}.pem").read_bytes())


def test_own_certificate_says_what_was_asked() -> None:
    encoded = own()

    made = certs.parse(encoded)

    assert made.der == encoded
    assert made.serial_hex == "1234"
    assert made.serial_bytes() == bytes(18) + b"\x12\x34"
    assert made.subject == made.issuer == "CN=某医院"
    assert (made.not_before, made.not_after) == (BEGIN, END)
    assert made.public_key == KEY.public
    assert made.algorithm == "1.2.156.10197.1.501"
    assert made.key_usage == frozenset({"digital_signature"})
    assert made.authority is False
    assert made.fingerprint == sm3.digest(encoded)
    assert certs.verify_link(made, made) is True


def test_times_of_another_zone_and_after_2049_are_kept() -> None:
    china = timezone(timedelta(hours=8))
    begin = datetime(2026, 1, 1, tzinfo=china)
    end = datetime(2050, 1, 1, 7, 59, 59, tzinfo=china)
    late = datetime(2050, 1, 1, 8, 0, 0, tzinfo=china)

    made = certs.parse(certs.self_signed(KEY, "x", 1, begin, end))
    later = certs.parse(certs.self_signed(KEY, "x", 1, begin, late))

    assert (made.not_before, made.not_after) == (begin, end)
    assert later.not_after == late


@pytest.mark.parametrize("serial", [0, -1, 2**159])
def test_senseless_serial_is_refused(serial: int) -> None:
    with pytest.raises(ValueError):
        own(serial=serial)


def test_serial_of_20_bytes_is_kept() -> None:
    assert certs.parse(own(serial=2**159 - 1)).serial_hex == "7f" + "ff" * 19


def test_senseless_validity_is_refused() -> None:
    with pytest.raises(ValueError):
        certs.self_signed(KEY, "x", 1, END, BEGIN)
    with pytest.raises(ValueError):
        certs.self_signed(KEY, "x", 1, BEGIN.replace(tzinfo=None), END)


def test_certificate_with_any_flipped_bit_is_refused_or_unlinked() -> None:
    encoded = own()

    for position in range(0, len(encoded), 3):
        broken = bytearray(encoded)
        broken[position] ^= 1
        try:
            read_back = certs.parse(bytes(broken))
        except BadCertificate:
            continue
        assert certs.verify_link(read_back, read_back) is False


def test_certificate_of_two_minds_about_its_algorithm_is_refused() -> None:
    read_back = x509.Certificate.load(own())
    read_back["signature_algorithm"] = {"algorithm": "sha256_ecdsa"}

    with pytest.raises(BadCertificate, match="differ"):
        certs.parse(read_back.dump(force=True))


def test_negative_serial_is_refused() -> None:
    encoded = own(serial=0x7234)

    with pytest.raises(BadCertificate, match="negative"):
        certs.parse(encoded.replace(b"\x02\x02\x72\x34", b"\x02\x02\xf2\x34"))


@needs_openssl
def test_openssl_command_verifies_the_signature_in_our_certificate(tmp_path: Path) -> None:
    """By hand: `openssl verify` forgets the distid of a certificate it trusts."""
    (tmp_path / "own.der").write_bytes(own("unit"))
    (tmp_path / "signature").write_bytes(certs.parse((tmp_path / "own.der").read_bytes()).signature)
    openssl(tmp_path, "asn1parse", "-inform", "der", "-in", "own.der", "-strparse", "4",
            "-noout", "-out", "tbs")  # fmt: skip
    openssl(tmp_path, "x509", "-inform", "der", "-in", "own.der", "-noout", "-pubkey",
            "-out", "pub.pem")  # fmt: skip

    said = openssl(tmp_path, "pkeyutl", "-verify", "-rawin", "-digest", "sm3", "-in", "tbs",
                   "-pubin", "-inkey", "pub.pem", "-sigfile", "signature",
                   "-pkeyopt", DISTID)  # fmt: skip

    assert said == "Signature Verified Successfully\n"


@needs_openssl
def test_certificate_of_the_openssl_command_is_read(chain: Path) -> None:
    root = read(chain, "root")
    unit = read(chain, "unit")

    assert root.serial_hex == "fedcba98765432100123456789abcdef"
    assert unit.serial_hex == "07"
    assert unit.subject == "CN=unit,O=财政,C=CN"
    assert unit.issuer == root.subject == "CN=root,O=财政,C=CN"
    assert root.authority is True
    assert unit.not_before.tzinfo is not None
    pem = (chain / "unit.pem").read_bytes()
    assert certs.parse(b"some words before\n" + pem) == unit
    assert certs.parse(unit.der) == unit


@needs_openssl
@pytest.mark.parametrize(
    ("child", "parent", "linked"),
    [
        ("unit", "root", True),
        ("root", "root", True),
        ("unit", "leaf", False),
        ("root", "unit", False),
        ("below", "leaf", False),
    ],
)
def test_link_is_good_only_to_the_authority_that_signed(
    chain: Path, child: str, parent: str, linked: bool
) -> None:
    assert certs.verify_link(read(chain, child), read(chain, parent)) is linked


@needs_openssl
def test_certificate_signed_under_the_empty_id_does_not_link(tmp_path: Path) -> None:
    """The openssl command does that when nobody says distid, and hides it from itself."""
    openssl(tmp_path, "genpkey", "-algorithm", "SM2", "-out", "key.pem")
    openssl(tmp_path, "req", "-new", "-x509", "-key", "key.pem", "-sm3", "-subj", "/CN=x",
            "-out", "cert.pem")  # fmt: skip
    root = certs.parse((tmp_path / "cert.pem").read_bytes())

    assert root.public_key.verify(root.tbs, root.signature, b"") is True
    assert certs.verify_link(root, root) is False


@needs_openssl
def test_certificate_with_another_key_is_refused(tmp_path: Path) -> None:
    openssl(tmp_path, "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k",
            "-subj", "/CN=x", "-out", "rsa.pem")  # fmt: skip
    openssl(tmp_path, "ecparam", "-name", "prime256v1", "-genkey", "-out", "p256.key")
    openssl(tmp_path, "req", "-new", "-x509", "-key", "p256.key", "-subj", "/CN=x",
            "-out", "p256.pem")  # fmt: skip

    for name in ("rsa.pem", "p256.pem"):
        with pytest.raises(BadCertificate, match="SM2"):
            certs.parse((tmp_path / name).read_bytes())


def test_what_is_no_certificate_is_refused() -> None:
    strange = [
        b"",
        b"words",
        b"\x30\x00",
        own()[:-1],
        own() + b"\0",
        b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
        bytes(certs.CERTIFICATE_MAX_BYTES + 1),
    ]

    for data in strange:
        with pytest.raises(BadCertificate):
            certs.parse(data)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ({"common_name": "a,b"}, "CN=a\\,b"),
        ({"common_name": '"x" <y>; z\\+'}, 'CN=\\"x\\" \\<y\\>\\; z\\\\\\+'),
        ({"common_name": " lead and trail "}, "CN=\\ lead and trail\\ "),
        ({"common_name": "#1"}, "CN=\\#1"),
        ({"common_name": "a#b"}, "CN=a#b"),
        ({"country_name": "CN", "organization_name": "财政部"}, "O=财政部,C=CN"),
        ({"email_address": "a@b.cn"}, "emailAddress=a@b.cn"),
        ({"title": "x"}, "2.5.4.12=#0c0178"),
    ],
)
def test_name_is_written_as_rfc_4514(name: dict[str, str], text: str) -> None:
    assert certs.name_text(x509.Name.build(name)) == text
