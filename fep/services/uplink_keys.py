"""Our own keys on the link: the one that signs now and, once announced, the next one.

Rules: the next certificate is announced in a letter signed with the key that is believed
(fpb1.md, ROTATE); until the platform has answered OK the old key signs, from then on the next,
also after a restart; files sealed to either are opened. A certificate that signed batches
which are not answered yet cannot be revoked: they would never be taken. Receipts and
checkpoints are signed with other keys, or go on with the configured one.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from fep.crypto.certs import Certificate
from fep.crypto.sm2 import PrivateKey
from fep.domain.faults import refuse
from fep.store.link import CONTROL
from fep.store.link_certs import plain_serial
from fep.store.link_letters import LetterFate, letter_q, letter_txn
from fep.store.schema import link_batch
from fep.store.tx import Tx
from fep.store.writer import Store
from fep.wire.fpb import Seat
from fep.wire.fpb_record import idem


@dataclass(frozen=True, slots=True)
class Pair:
    """A private key and its certificate."""

    key: PrivateKey
    cert: Certificate

    @property
    def serial(self) -> str:
        """Return the serial in hex, without leading zeros."""
        return plain_serial(self.cert.serial_hex)


class OwnKeys:
    """The pairs of one party on one link: `now` signs; `following` is announced or to be."""

    def __init__(self, party: str, now: Pair, following: Pair | None = None) -> None:
        self.party = party
        self.now = now
        self.following = following
        self._all = (now,) if following is None else (now, following)

    def seat(self, serial: bytes) -> Seat:
        """Return who reads a file that is sealed to a serial; ours, whatever it says."""
        found = next((p for p in self._all if p.cert.serial_bytes() == serial), self.now)
        return Seat(self.party, found.cert.serial_bytes(), found.key)

    def believed(self) -> None:
        """Sign with the next pair from now on."""
        assert self.following is not None, "there is none"
        self.now = self.following

    def fate(self, store: Store, dest: str) -> LetterFate | None:
        """Return what became of the announcement of the next pair."""
        if self.following is None:
            return None
        identity = idem(self.party, self.following.serial, "ROTATE")
        return store.read(letter_q, dest, CONTROL, identity)

    def turn(self, store: Store, dest: str) -> bool:
        """Sign with the next pair once the platform believes it; True when that is new."""
        if self.following is None or self.now is self.following:
            return False
        fate = self.fate(store, dest)
        if fate is None or fate.state != "applied":
            return False
        self.believed()
        return True


async def rotate(store: Store, dest: str, own: OwnKeys, reason: str, by: str) -> dict[str, Any]:
    """Announce the next pair; returns its serial and what became of it. Raises LINK_KEY."""
    following = own.following
    if following is None:
        raise refuse("LINK_KEY", why="[link] next_key and next_cert name no next pair",
                     why_zh="没有配置下一对密钥")  # fmt: skip
    body: dict[str, object] = {
        "cert": base64.b64encode(following.cert.der).decode(), "serial": following.serial,
    }  # fmt: skip
    identity = idem(own.party, following.serial, "ROTATE")
    new = await store.do(
        "link.rotate", _letter_txn, dest, "ROTATE", identity, body, {"by": by, "reason": reason}
    )
    fate = own.fate(store, dest)
    return {
        "announced": new, "serial": following.serial, "signs": own.now is following,
        "state": fate.state if fate is not None else "due",
        "detail": fate.detail if fate is not None else "",
    }  # fmt: skip


async def revoke(store: Store, dest: str, own: OwnKeys, serial: str, reason: str,
                 by: str) -> dict[str, Any]:  # fmt: skip
    """Have the platform believe one of our certificates no more. Raises LINK_KEY."""
    told = plain_serial(serial)
    if not told:
        raise refuse("LINK_KEY", why=f"{serial[:40]} is no serial, hexadecimal",
                     why_zh=f"{serial[:40]} 不是十六进制序列号")  # fmt: skip
    if told == own.now.serial:
        raise refuse("LINK_KEY", why=f"{told} signs now; fepctl link rotate",
                     why_zh=f"{told} 正在使用，先运行 fepctl link rotate")  # fmt: skip
    signed = store.read(signed_q, dest, told)
    if signed:
        raise refuse("LINK_KEY", why=f"{signed} open batches are signed with {told}",
                     why_zh=f"还有 {signed} 个未应答批次由 {told} 签名")  # fmt: skip
    body: dict[str, object] = {"reason": reason, "serial": told}
    new = await store.do(
        "link.revoke", _letter_txn, dest, "REVOKE_CERT", idem(own.party, told, "REVOKE_CERT"),
        body, {"by": by, "reason": reason},
    )  # fmt: skip
    return {"announced": new, "serial": told}


def signed_q(conn: Connection, dest: str, serial: str) -> int:
    """Return how many unanswered batches carry a certificate's serial (fpb1.md 3: bytes 195…)."""
    batch = link_batch.c
    return conn.execute(
        select(func.count()).select_from(link_batch)
        .where(batch.dest == dest, batch.state != "acked",
               func.substr(batch.bytes, 196, 20) == bytes.fromhex(serial.zfill(40)))
    ).scalar_one()  # fmt: skip


def _letter_txn(tx: Tx, dest: str, op: str, identity: str, body: dict[str, object],
                noted: dict[str, object]) -> bool:  # fmt: skip
    new = letter_txn(tx, dest, CONTROL, op, identity, body)
    if new:
        tx.journal("link.own_cert", dest, {"op": op, "serial": body["serial"], **noted})
    return new
