"""How a printed piece of thermal paper looks: margins, edges, ink that is not quite black."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageDraw, ImageFilter

DPI = 203
# 80 mm paper around a print area of 72 mm, and the table it lies on.
MARGIN_X, MARGIN_TOP, MARGIN_BOTTOM = 32, 28, 28
TABLE = 18
PAPER = (252, 251, 247)
INK = (42, 39, 44)
DESK = (214, 216, 219)
SHADOW = (176, 178, 182)
TOOTH = 8
COLOURS = 32


def inked(bands: list[tuple[int, Image.Image]], width: int, rows: int) -> Image.Image:
    """Return the dots of a piece, one bit deep, at least one row high."""
    sheet = Image.new("1", (width, max(rows, 1)), 0)
    for row, image in bands:
        sheet.paste(image, (0, row))
    return sheet


def photograph(ink: Image.Image, *, straight: bool) -> Image.Image:
    """Return the piece on a table; its end is `straight` after a cut, else torn."""
    width = ink.width + 2 * MARGIN_X
    height = ink.height + MARGIN_TOP + MARGIN_BOTTOM
    edge = _outline(width, height, straight=straight)
    scene = Image.new("RGB", (width + 2 * TABLE, height + 2 * TABLE), DESK)
    shade = Image.new("L", scene.size, 0)
    shade.paste(edge, (TABLE + 3, TABLE + 4))
    scene.paste(SHADOW, (0, 0), mask=shade.filter(ImageFilter.GaussianBlur(4)))
    scene.paste(PAPER, (TABLE, TABLE), mask=edge)
    dots = Image.new("L", (width, height), 0)
    dots.paste(ink.convert("L"), (MARGIN_X, MARGIN_TOP))
    # Heat spreads a little into the paper around a dot.
    warm = ImageChops.lighter(dots, dots.filter(ImageFilter.GaussianBlur(0.6)))
    scene.paste(INK, (TABLE, TABLE), mask=ImageChops.darker(warm, edge))
    # A palette makes the file a third as large and shows no difference.
    return scene.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def _outline(width: int, height: int, *, straight: bool) -> Image.Image:
    """Return the shape of the paper; the cutter leaves fine teeth, tearing coarse ones."""
    shape = Image.new("L", (width, height), 255)
    pen = ImageDraw.Draw(shape)
    depth = 2 if straight else TOOTH
    for x in range(0, width + TOOTH, TOOTH):
        top = [(x - TOOTH // 2, -1), (x, 2), (x + TOOTH // 2, -1)]
        foot = [(x - TOOTH // 2, height), (x, height - 1 - depth), (x + TOOTH // 2, height)]
        pen.polygon(top, fill=0)
        pen.polygon(foot, fill=0)
    return shape
