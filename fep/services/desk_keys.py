"""Checks of keys, certificates, cryptography and the store: the slow half of the doctor.

They run in a thread (or in the command line when the daemon is stopped), read files and the
store, and change nothing. A key file that this user may not read is said so, not guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from fep.crypto import certs, keyfile, selftest
from fep.crypto.errors import CryptoError
from fep.domain.journal import GENESIS
from fep.domain.kind import KeyPlace
from fep.services.desk_checks import CERT_SOON, Check, State
from fep.settings import read_secret
from fep.store import queries_journal as chain

QUICK_STORE_BYTES = 512 * 1024**2
RECENT_ROWS = 2000
CREDENTIAL = "credential:"
_OPENING = {"the passphrase does not open the key file": "口令打不开密钥文件",
            "neither PEM nor DER": "不是 PEM 或 DER 格式的密钥文件"}  # fmt: skip


def unit_key(place: KeyPlace, root: Path, now: datetime) -> Check:
    """Check a unit's key; of a UKEY only the certificate, the key itself is the signer's."""
    if place.kind == "skf":
        return valid("KEY_UNIT", root / place.cert, now)
    secret = passphrase_of(place.passphrase, root)
    return pair("KEY_UNIT", root / place.key, root / place.cert, secret, now)


def valid(code: str, cert: Path, now: datetime) -> Check:
    """Check a certificate whose key is not ours to open."""
    return _judged(code, cert, now, lambda _certificate: None)


def pair(code: str, key: Path, cert: Path, passphrase: str, now: datetime) -> Check:
    """Check that a key can be opened, fits its certificate, and that this one is valid."""
    if CREDENTIAL in (str(key)[: len(CREDENTIAL)], str(cert)[: len(CREDENTIAL)]):
        return Check(code, State.WARN, f"{key} 只有服务进程可见，未检查",
                     f"{key} can only be seen by the service, not checked",
                     "systemctl status fep")  # fmt: skip
    return _judged(code, cert, now, lambda held: _unfit(code, held, key, passphrase))


def _unfit(code: str, certificate: certs.Certificate, key: Path, passphrase: str) -> Check | None:
    mismatch = _mismatch(certificate, key, passphrase)
    if mismatch is None:
        return None
    zh, en = mismatch
    return Check(code, State.FAIL, f"{key} 不能用：{zh}", f"{key} cannot be used: {en}",
                 "fepctl help keys")  # fmt: skip


def _judged(code: str, cert: Path, now: datetime,
            unfit: Callable[[certs.Certificate], Check | None]) -> Check:  # fmt: skip
    try:
        certificate = certs.parse(cert.read_bytes())
    except (OSError, CryptoError) as error:
        return Check(code, State.FAIL, f"证书 {cert} 不可用：{error}",
                     f"certificate {cert} cannot be used: {error}", f"ls -l {cert}")  # fmt: skip
    until = certificate.not_after.date().isoformat()
    name = f"{certificate.subject} {certificate.serial_hex}"
    if now < certificate.not_before:
        since = certificate.not_before.date().isoformat()
        return Check(code, State.FAIL, f"{name} 尚未生效（自 {since}），请核对本机时钟",
                     f"{name} is not valid before {since}: is the clock right?",
                     "fepctl clock")  # fmt: skip
    if now > certificate.not_after:
        return Check(code, State.FAIL, f"{name} 已过期（{until}）",
                     f"{name} has expired ({until})", "fepctl help keys")  # fmt: skip
    found = unfit(certificate)
    if found is not None:
        return found
    if certificate.not_after - now < CERT_SOON:
        return Check(code, State.WARN, f"{name} 即将到期（{until}）",
                     f"{name} expires soon ({until})", "fepctl help keys")  # fmt: skip
    return Check(code, State.OK, f"{name} 有效至 {until}", f"{name} valid until {until}")


def _mismatch(certificate: certs.Certificate, key: Path, passphrase: str) -> tuple[str, str] | None:
    try:
        private = keyfile.load_private(key.read_bytes(), passphrase or None)
    except OSError as error:
        return f"{error.strerror}（{type(error).__name__}）", str(error.strerror)
    except CryptoError as error:
        return _OPENING.get(str(error), str(error)), str(error)
    same = private.public.point == certificate.public_key.point
    return None if same else ("密钥不属于该证书", "the key does not belong to the certificate")


def passphrase_of(reference: str, root: Path) -> str:
    """Return the passphrase behind a reference, empty for none. Raises SettingsError."""
    return read_secret(reference, root) if reference else ""


def cryptography() -> list[Check]:
    """Run the self-test of the crypto door; one line, or one a failure."""
    probe = selftest.probe()
    failed = [check for check in selftest.run() if not check.ok]
    if failed:
        return [
            Check("CRYPTO", State.FAIL, f"{check.name}：{check.detail}",
                  f"{check.name}: {check.detail}", "openssl version -a")
            for check in failed
        ]  # fmt: skip
    text = f"{probe.name} ({probe.version})"
    if probe.fallback:
        return [Check("CRYPTO", State.WARN, f"{text}，签名很慢：{probe.fallback}",
                      f"{text}, signing is slow: {probe.fallback}",
                      "openssl version -a")]  # fmt: skip
    return [Check("CRYPTO", State.OK, f"{text} 自检通过", f"{text} self-test passed")]


def store_sound(conn: Connection, path: Path, full: bool) -> Check:
    """Let SQLite look at the file; a big one only when asked for."""
    size = path.stat().st_size
    shown = f"{size / 1024**2:.0f} MiB"
    if size > QUICK_STORE_BYTES and not full:
        return Check("STORE", State.OK, f"{shown}，较大，未做全文件检查（--full）",
                     f"{shown}, too big for the quick check (--full)")  # fmt: skip
    answer = str(conn.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    if answer != "ok":
        return Check("STORE", State.FAIL, f"数据库损坏：{answer}",
                     f"the store is damaged: {answer}", "systemctl stop fep")  # fmt: skip
    return Check("STORE", State.OK, f"{shown} 完好", f"{shown}, sound")


def journal_sound(conn: Connection) -> Check:
    """Follow the newest part of the chain."""
    head = chain.head_q(conn)
    if head is None:
        return Check("JOURNAL", State.OK, "日志账为空", "the journal is empty")
    after = max(head.seq - RECENT_ROWS, 0)
    previous = chain.slice_q(conn, after - 1, 1)[0].hash if after else GENESIS
    walk = chain.walk_q(conn, after, previous, RECENT_ROWS)
    if walk.broken_at:
        return Check("JOURNAL", State.FAIL, f"日志账在第 {walk.broken_at} 条断裂：{walk.why}",
                     f"the journal is broken at record {walk.broken_at}: {walk.why}",
                     "fepctl journal verify")  # fmt: skip
    return Check("JOURNAL", State.OK, f"共 {head.seq} 条，最近 {walk.count} 条连贯",
                 f"{head.seq} records, the last {walk.count} follow")  # fmt: skip


def configuration(settings: Any) -> Check:
    """Say what is configured; whether the file still reads is the caller's to check."""
    counts = (len(settings.units), len(settings.kinds), len(settings.devices))
    return Check("CONFIG", State.OK, "单位 {} 个，票据种类 {} 个，设备 {} 台".format(*counts),
                 "{} units, {} kinds, {} devices".format(*counts))  # fmt: skip
