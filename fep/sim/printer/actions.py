"""What the interpreter asks of the mechanism, as values, in the order of the commands."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True, slots=True)
class Band:
    """Dot rows to print across the paper.

    `image` is one bit deep, set where there is ink, None for a feed. `text` is the line it
    carries, None when it is not a text line; `qr` the content of a symbol; `picture` says
    that it belongs to a raster image.
    """

    rows: int
    image: Image.Image | None = None
    text: str | None = None
    qr: str | None = None
    picture: bool = False

    def split(self, rows: int) -> tuple[Band, Band]:
        """Return the part that still fits on the paper and the part that does not."""
        assert 0 < rows < self.rows, (rows, self.rows)
        if self.image is None:
            return Band(rows, text=self.text), Band(self.rows - rows)
        width = self.image.width
        head = self.image.crop((0, 0, width, rows))
        tail = self.image.crop((0, rows, width, self.rows))
        first = Band(rows, head, self.text, self.qr, self.picture)
        return first, Band(self.rows - rows, tail, picture=self.picture)


@dataclass(frozen=True, slots=True)
class Cut:
    """Cut the paper; `full` or leaving one point."""

    full: bool


@dataclass(frozen=True, slots=True)
class Pulse:
    """Kick the drawer on connector pin 2 (0) or 5 (1)."""

    pin: int


@dataclass(frozen=True, slots=True)
class Buzz:
    """Sound the buzzer `times` times."""

    times: int


@dataclass(frozen=True, slots=True)
class TellPaper:
    """Reply to GS r 1, ESC v."""


@dataclass(frozen=True, slots=True)
class TellDrawer:
    """Reply to GS r 2, ESC u."""


@dataclass(frozen=True, slots=True)
class TellProcess:
    """Reply to GS ( H fn 48 once everything before it is on paper."""

    process_id: bytes


@dataclass(frozen=True, slots=True)
class TellIdentity:
    """Reply to GS I n."""

    number: int


@dataclass(frozen=True, slots=True)
class SetAutomatic:
    """Obey GS a n; None is ESC @, which may end it."""

    mask: int | None


@dataclass(frozen=True, slots=True)
class Remark:
    """Something for the journal: an unknown command, a character that does not exist."""

    event: str
    raw: bytes


Action = (
    Band
    | Cut
    | Pulse
    | Buzz
    | TellPaper
    | TellDrawer
    | TellProcess
    | TellIdentity
    | SetAutomatic
    | Remark
)
