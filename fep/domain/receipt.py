"""Receipts: their identifiers, states and the facts a caller is told. No I/O here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fep.domain.calendar import iso
from fep.domain.money import Fen, format_fen

CHECK_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class ReceiptState(StrEnum):
    """Durable states of the spine."""

    FROZEN = "frozen"  # number and bytes are fixed, the signature is not there yet
    SEALED = "sealed"  # signed; effects may leave
    BURNED = "burned"  # the number was given up with evidence


@dataclass(frozen=True, slots=True)
class Receipt:
    """An issued (or frozen) receipt as the store knows it."""

    id: int
    event_id: int
    unit: str
    kind: str
    point: str
    code: str
    number: str
    state: ReceiptState
    amount_fen: Fen
    check_code: str
    payer: str
    issued_at: int
    issued_on: str
    key: str = ""
    print_job: int | None = None

    @property
    def ref(self) -> str:
        """Return code-number, the name of a receipt everywhere."""
        return f"{self.code}-{self.number}"

    def told(self) -> dict[str, object]:
        """Return what the caller of the socket API is told."""
        return {
            "code": self.code,
            "number": self.number,
            "check_code": self.check_code,
            "einvoice_id": einvoice_id(self.code, self.number),
            "unit": self.unit,
            "point": self.point,
            "kind": self.kind,
            "amount": format_fen(self.amount_fen),
            "issued_at": iso(self.issued_at),
            "state": self.state.value,
            "key": self.key,
            "payer": self.payer,
            "print_job": self.print_job,
        }


def einvoice_id(code: str, number: str) -> str:
    """Return EInvoiceID: the characters of code-number in reverse (facts/standards 2.5)."""
    return f"{code}-{number}"[::-1]


def check_code(draw: bytes) -> str:
    """Return a 6-character 校验码 [0-9A-Za-z] from at least 8 random bytes."""
    value = int.from_bytes(draw[:8], "big")
    text = ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        text += CHECK_ALPHABET[digit]
    return text
