"""`fepctl verify`: is this receipt's signature good, by two independent implementations."""

from __future__ import annotations

import base64
import re
import sys
from pathlib import Path
from typing import Any

import click

from fep.cli.common import emit, facts, paint, say
from fep.cli.common_reach import of, reached
from fep.cli.common_verbs import Verb, option
from fep.domain.faults_desk import desk_refuse

_NAME = re.compile(r"\d{8}-\d{10}", re.ASCII)


@click.command("verify", cls=Verb, zh="核对一张票据的签名（票据编号，或票据 XML 文件/导出目录）",
               en="verify a receipt's signature (its name, its XML file or an export)")  # fmt: skip
@click.argument("what", metavar="CODE-NUMBER|FILE")
@option("--cert", type=click.Path(path_type=Path, dir_okay=False), default=None,
        zh="证书文件（默认按序列号查找）",
        en="certificate (default: by serial number)")  # fmt: skip
def command(what: str, cert: Path | None) -> None:
    """Verify; exit 1 when an implementation says no."""
    path = Path(what)
    if _NAME.fullmatch(what) and not path.exists():
        with reached() as desk:
            told = desk.call("verify.receipt", name=what)
    else:
        told = _of_file(path, cert)
    emit(told, lambda: _show(told))
    if not told["good"]:
        sys.exit(1)


def _of_file(path: Path, cert: Path | None) -> dict[str, Any]:
    """Verify a document; its certificate is given, beside it, or known to the store."""
    document = _read(path / "receipt.xml" if path.is_dir() else path)
    beside = (path if path.is_dir() else path.parent) / "certificate.pem"
    given = cert if cert is not None else beside if beside.exists() else None
    if given is not None:
        return _here(document, _read(given))
    with reached() as desk:
        answer = desk.call("verify.receipt", document=base64.b64encode(document).decode())
    return dict(answer)


def _here(document: bytes, certificate: bytes) -> dict[str, Any]:
    """Verify without any site: everything that is needed is in the files."""
    from fep.crypto import certs
    from fep.crypto.errors import CryptoError
    from fep.domain.faults import Refused
    from fep.services.desk_receipts import taken_apart, verdict

    try:
        original, der, _, name = taken_apart(document)
        return verdict(original, der, certs.parse(certificate), name)
    except Refused as refused:
        raise of(refused) from refused
    except CryptoError as error:
        raise of(desk_refuse("VFY_DOCUMENT", why=error)) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise of(desk_refuse("CTL_FILE", path=path, why=error.strerror)) from error


def _show(told: dict[str, Any]) -> None:
    good = told["good"]
    word = say("签名有效", "the signature is good") if good else (
        say("签名无效", "the signature is NOT good")
    )  # fmt: skip
    click.echo(f"{paint(word, 'green' if good else 'red')}  {told['name']}")
    answers = {True: say("有效", "good"), False: say("无效", "NOT good"),
               None: say("本机不可用", "not usable here")}  # fmt: skip
    facts([
        *((backend, answers[said]) for backend, said in told["by"].items()),
        (say("证书", "certificate"), f"{told['cert_serial']}  {told['subject']}"),
        (say("有效期", "valid"), f"{told['not_before'][:10]} … {told['not_after'][:10]}"),
    ], indent=2)  # fmt: skip
