"""Frames of the terminal's side, written apart from the driver's own code.

STX LEN(2) PATH TYPE ID(6) CONT ETX LRC; LRC is the XOR of everything between STX and itself.
"""

from __future__ import annotations

from dataclasses import dataclass

FS = "\x1c"
MOST = 4096


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `sound` False: its LRC is wrong."""

    path: int
    type: int
    number: bytes
    content: bytes
    sound: bool

    @property
    def fields(self) -> list[str]:
        """Return the fields of the content."""
        return self.content.decode("gbk", "replace").split(FS)


def checksum(data: bytes) -> int:
    """Return the XOR of all bytes."""
    total = 0
    for byte in data:
        total ^= byte
    return total


def frame(path: int, kind: int, number: bytes, content: bytes) -> bytes:
    """Return a frame to send."""
    size = 2 + len(number) + len(content)
    middle = bytes((size >> 8, size & 255, path, kind)) + number + content + b"\x03"
    return b"\x02" + middle + bytes((checksum(middle),))


class Ear:
    """Collects bytes until a request is whole."""

    def __init__(self) -> None:
        self._heard = b""

    def hear(self, data: bytes) -> list[Request]:
        """Return the requests that are whole now."""
        self._heard += data
        whole: list[Request] = []
        while True:
            self._heard = (
                self._heard[self._heard.find(b"\x02") :] if b"\x02" in self._heard else b""
            )
            if len(self._heard) < 3:
                return whole
            size = self._heard[1] << 8 | self._heard[2]
            if size < 8 or size + 5 > MOST:
                self._heard = self._heard[1:]
                continue
            if len(self._heard) < size + 5:
                return whole
            one = self._heard[: size + 5]
            if one[-2] != 3:
                self._heard = self._heard[1:]
                continue
            self._heard = self._heard[size + 5 :]
            sound = checksum(one[1:-1]) == one[-1]
            whole.append(Request(one[3], one[4], one[5:11], one[11:-2], sound))

    def deafen(self) -> None:
        """Forget what is not whole."""
        self._heard = b""
