"""Two-dimensional symbols: the store and print functions of GS ( k for QR code."""

from __future__ import annotations

from dataclasses import dataclass

import segno
from PIL import Image
from segno.encoder import DataOverflowError

# cn of GS ( k.
QR_CODE = 0x31
MAX_CONTENT_BYTES = 7089
_LEVELS = {48: "l", 49: "m", 50: "q", 51: "h"}


@dataclass(slots=True)
class Symbol:
    """What was set and stored; it survives printing and is gone after ESC @."""

    module_dots: int = 3
    level: str = "l"
    content: bytes = b""

    def obey(self, function: int, data: bytes) -> bool:
        """Set model, size, level or content; return False when the values are no use."""
        if function == 65:
            return data[:1] in (b"1", b"2")
        if function == 67 and data and 1 <= data[0] <= 16:
            self.module_dots = data[0]
            return True
        if function == 69 and data and data[0] in _LEVELS:
            self.level = _LEVELS[data[0]]
            return True
        if function == 80 and data[:1] == b"0" and len(data) - 1 <= MAX_CONTENT_BYTES:
            self.content = data[1:]
            return True
        return False

    def draw(self) -> Image.Image | None:
        """Return the symbol without a quiet zone, as printers do; None if it cannot be."""
        if not self.content:
            return None
        try:
            code = segno.make_qr(self.content, error=self.level, boost_error=False)
        except DataOverflowError:
            return None
        side = len(code.matrix)
        dots = bytes(255 if dark else 0 for row in code.matrix for dark in row)
        image = Image.frombytes("L", (side, side), dots).convert("1", dither=Image.Dither.NONE)
        size = side * self.module_dots
        return image.resize((size, size), Image.Resampling.NEAREST)

    @property
    def text(self) -> str:
        """Return the content as text, in the first encoding that fits it."""
        for encoding in ("utf-8", "gb18030"):
            try:
                return self.content.decode(encoding)
            except UnicodeDecodeError:
                continue
        return self.content.decode("latin-1")
