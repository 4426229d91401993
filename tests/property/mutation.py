"""Strange bytes made of good ones: quick, seeded, the same in every run."""

from __future__ import annotations

import random
from collections.abc import Sequence

TOKENS = (
    b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\u0000", b"\\ud800", b"\\uDFFF", b"null",
    b"true", b"-", b"0", b"1e999", b"-1e999", b"9" * 40, b"0." + b"3" * 40, b"NaN", b"Infinity",
    b"\x00", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf",
    b"\xe2\x80\xae", b"\r\n", b"\n", b"\t", b" ", b"%", b"%00", b"%2e%2e/", b"..", b"/", b"&", b"=",
    b"+", b";", b"'", b"<", b"\xb0\xa1", b"\x81", "张".encode(), "１".encode(), b"a" * 300,
    b"[" * 200, b'{"a":' * 200, b"=" * 5,
)  # fmt: skip


class Mutation:
    """Bends one of the seeds, or puts two of them together."""

    def __init__(self, seed: int, seeds: Sequence[bytes]) -> None:
        self._dice = random.Random(seed)
        self._seeds = seeds

    def next(self) -> bytes:
        """Return the next strange input; one in twenty is a good one."""
        dice = self._dice
        text = dice.choice(self._seeds)
        for _ in range(dice.randrange(4) if dice.random() < 0.95 else 0):
            text = self._bent(text)
        return text

    def _bent(self, text: bytes) -> bytes:
        dice = self._dice
        size = len(text)
        at = int(dice.random() * (size + 1))
        deed = dice.randrange(7)
        if deed == 0:
            return text[:at] + dice.choice(TOKENS) + text[at:]
        if deed == 1:
            return text[:at] + dice.choice(TOKENS) + text[at + dice.randrange(8) :]
        if deed == 2:
            return text[:at]
        if deed == 3:
            return text[:at] + text[at + dice.randrange(1, 20) :]
        if deed == 4:
            return text[:at] + bytes((dice.randrange(256),)) + text[at + 1 :]
        if deed == 5:
            piece = text[at : at + dice.randrange(1, 60)]
            return text[:at] + piece * dice.randrange(2, 4) + text[at:]
        other = dice.choice(self._seeds)
        return text[:at] + other[int(dice.random() * len(other)) :]
