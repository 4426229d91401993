"""Writing an exported receipt to a directory, with the way to verify it without us.

The files hold personal data: they are readable by their owner only.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

from fep.cli.common_reach import of
from fep.domain.faults_desk import desk_refuse

# The id is that of GM/T 0009; without it openssl takes the empty one and refuses.
VERIFY = (
    "openssl pkeyutl -verify -rawin -digest sm3 -pubin -inkey public-key.pem"
    " -in original.bin -sigfile signature.der -pkeyopt distid:1234567812345678"
)
BY_CERTIFICATE = (
    "openssl pkeyutl -verify -rawin -digest sm3 -certin -inkey certificate.pem"
    " -in original.bin -sigfile signature.der -pkeyopt distid:1234567812345678"
)
_TEXT = """\
票据 Receipt {name}    金额 amount {amount}    开票时间 issued at {issued_at}

original.bin      签名原文，逐字节为 <Header>…</Header><EInvoiceData>…</EInvoiceData>
                  the signed bytes, literally
signature.der     单位签名，SM2（SM3，用户标识 1234567812345678），DER
                  the unit's signature
certificate.pem   单位签名证书，序列号 {serial}
                  the unit's certificate
public-key.pem    证书中的公钥 / the public key of the certificate
receipt.xml       完整电子票据 / the complete e-receipt document

在本目录中核对（OpenSSL 3.0 及以上） / verify in this directory (OpenSSL 3.0 or later):

{verify}

或直接用证书 / or with the certificate itself:

{by_certificate}

结果应为 / expected: Signature Verified Successfully
改动 original.bin 任一字节后必须失败 / any changed byte of original.bin must fail.
"""


def write(told: dict[str, Any], directory: Path) -> list[str]:
    """Write the files and VERIFY.txt; return their names. Raises CliFault CTL_FILE."""
    files = {name: base64.b64decode(body) for name, body in told["files"].items()}
    text = _TEXT.format(name=told["name"], amount=told["amount"], issued_at=told["issued_at"],
                        serial=told["cert_serial"], verify=VERIFY,
                        by_certificate=BY_CERTIFICATE)  # fmt: skip
    files["VERIFY.txt"] = text.encode()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, body in files.items():
            _put(directory / name, body)
    except OSError as error:
        raise of(desk_refuse("CTL_FILE", path=directory, why=error.strerror)) from error
    return sorted(files)


def _put(path: Path, body: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(body)
