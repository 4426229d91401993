"""The record of `bankall`, read and written by the simulator's own code."""

from __future__ import annotations

from dataclasses import dataclass

SIZES = ((8, "terminal"), (8, "operator"), (2, "type"), (12, "amount"), (8, "day"), (12, "ref"),
         (6, "trace"), (3, "nonce"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, its fields without the spaces around them."""

    terminal: str
    operator: str
    type: str
    amount: str
    day: str
    ref: str
    trace: str
    nonce: str
    info: str


def parse(raw: bytes) -> Asked:
    """Return the fields of a request. Raises ValueError for one of a wrong length."""
    if len(raw) not in (59, 159):
        raise ValueError(f"{len(raw)} bytes")
    found, at = {}, 0
    for size, name in SIZES:
        found[name] = raw[at : at + size].decode("ascii").strip()
        at += size
    return Asked(**found, info=raw[at:].decode("ascii").strip())


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply; `at` is MMDDHHMMSS."""

    code: str
    nonce: str
    amount: int = 0
    card: str = ""
    trace: str = ""
    text: str = ""
    batch: str = ""
    at: str = ""
    ref: str = ""
    auth: str = ""
    slip: str = ""

    def build(self) -> bytes:
        """Return the bytes, the text of the slip behind the record."""
        record = b"".join(
            part.encode("gbk")[:size].ljust(size)
            for size, part in (
                (2, self.code), (4, "0105"), (20, self.card), (6, self.trace),
                (12, f"{self.amount:012d}"), (40, self.text), (15, "898420153110001"),
                (8, "00000001"), (6, self.batch), (10, self.at), (12, self.ref), (6, self.auth),
                (4, self.at[:4]), (3, self.nonce),
            )
        )  # fmt: skip
        assert len(record) == 148, len(record)
        return record + self.slip.encode("gbk")
