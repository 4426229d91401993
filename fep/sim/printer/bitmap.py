"""Pictures that come as bits: rows (GS v 0) and columns (ESC *). Ink is a set bit."""

from __future__ import annotations

from PIL import Image


def raster(args: bytes) -> Image.Image | None:
    """Return the picture of `0 m xL xH yL yH d…`; None when it has no dots."""
    mode = args[1] & 3
    across, rows = int.from_bytes(args[2:4], "little"), int.from_bytes(args[4:6], "little")
    if not across or not rows:
        return None
    image = Image.frombytes("1", (across * 8, rows), args[6:])
    return _enlarged(image, 2 if mode & 1 else 1, 2 if mode & 2 else 1)


def columns(args: bytes) -> Image.Image | None:
    """Return the picture of `m nL nH d…`; None for an unknown mode or no dots.

    Modes 0, 1 have 8 dots to a column and 32, 33 have 24; the even ones are half as dense.
    """
    mode, count = args[0], int.from_bytes(args[1:3], "little")
    if mode not in (0, 1, 32, 33) or not count:
        return None
    depth = 3 if mode >= 32 else 1
    # A column is a row of the picture lying on its side.
    lying = Image.frombytes("1", (depth * 8, count), args[3:])
    image = lying.transpose(Image.Transpose.TRANSPOSE)
    return _enlarged(image, 1 if mode & 1 else 2, 1 if depth == 3 else 3)


def _enlarged(image: Image.Image, across: int, down: int) -> Image.Image:
    if (across, down) == (1, 1):
        return image
    size = (image.width * across, image.height * down)
    return image.resize(size, Image.Resampling.NEAREST)
