"""The page process: a request on stdin, files on stdout, nothing else. Ends at EOF.

A frame is a 4-byte big-endian length and JSON. Request: {"form": pdf | png | slip, "ppi",
"templates": directory, "fonts": [directory], "view": a PageView}. Answer: a frame
{"files": [length, …]} and the files' bytes, or {"fault": code, "details": {…}}.
Fonts are opened before the first request is read, so that a caller can start the process
first and collect the facts meanwhile. No network; memory and CPU time are bounded.
"""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import typst

from fep.render import page_fonts, qr
from fep.render.page_frame import LENGTH, MAX_BYTES, frame
from fep.render.page_view import PageView, page_data, texts

MAX_CPU_S = 120
MAX_MEMORY = 3 * 1024**3
MIN_PPI, MAX_PPI = 72, 400
# What the layouts share is no layout itself.
SHARED = "page"
PDF_STANDARD: Final = "a-2u"


class CannotRender(Exception):
    """A page cannot be made: catalogue code and details."""

    def __init__(self, code: str, **details: str) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """One page to make."""

    form: str
    view: PageView
    templates: str
    fonts: list[str] = []
    ppi: int = 200


class Pages:
    """Makes pages; holds the opened fonts."""

    def __init__(self) -> None:
        self._fonts: dict[tuple[str, ...], typst.Fonts] = {}
        self._opened(page_fonts.DIRECTORIES)

    def make(self, request: Request) -> list[bytes]:
        """Return the files: one PDF, or a PNG a page. Raises CannotRender."""
        if request.form == "slip":
            return [_slip(request.view)]
        rooms = tuple(request.fonts) or page_fonts.DIRECTORIES
        data = _data(request.view, page_fonts.directories(rooms))
        template = Path(request.templates) / f"{request.view.layout}.typ"
        if request.view.layout == SHARED or not template.is_file():
            raise CannotRender("RND_TEMPLATE", path=str(template), why="not found")
        try:
            made = self._typeset(template, request, data, rooms)
        except typst.TypstError as error:
            raise CannotRender("RND_TEMPLATE", path=str(template), why=_why(error)) from error
        return [bytes(page) for page in made] if isinstance(made, list) else [bytes(made)]

    def _typeset(
        self, template: Path, request: Request, data: dict[str, Any], rooms: tuple[str, ...]
    ) -> bytes | list[bytes]:
        png = request.form == "png"
        return typst.compile(
            str(template),
            root=str(template.parent),
            font_paths=self._opened(rooms),
            ignore_system_fonts=True,
            format="png" if png else "pdf",
            ppi=float(min(max(request.ppi, MIN_PPI), MAX_PPI)),
            sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
            pdf_standards=[] if png else PDF_STANDARD,
            pdf_tags=False,
            timestamp=request.view.issued_ms // 1000,
        )

    def _opened(self, rooms: tuple[str, ...]) -> typst.Fonts:
        if rooms not in self._fonts:
            self._fonts[rooms] = typst.Fonts(
                include_system_fonts=False,
                include_embedded_fonts=False,
                font_paths=list(page_fonts.directories(rooms)),
            )
        return self._fonts[rooms]


def _data(view: PageView, rooms: list[str]) -> dict[str, Any]:
    fonts = page_fonts.files(rooms)
    if not fonts:
        raise CannotRender("RND_FONT")
    data = page_data(view, qr.svg(view.face.qr) if view.face.qr else "")
    lacking = page_fonts.missing("".join(texts(data)), fonts)
    if lacking:
        raise CannotRender("RND_CHAR", chars=named(lacking))
    return data


def named(chars: str) -> str:
    """Name characters so that they can be read where they cannot be shown."""
    return " ".join(f"{char} (U+{ord(char):04X})" for char in chars[:20])


def _slip(view: PageView) -> bytes:
    # Pillow is only needed here: a page does without it.
    from fep.render import page_slip
    from fep.render.glyphs import NoFont
    from fep.render.slip import RED_MARK, slip

    face = view.face
    if view.red:
        # A page says it by its mark and its colour; a slip has neither.
        face = replace(face, title=f"{face.title}{RED_MARK}",
                       related=(view.related_code, view.related_number))  # fmt: skip
    try:
        return page_slip.png(slip(face))
    except page_slip.NoGlyph as error:
        raise CannotRender("RND_CHAR", chars=named(error.chars)) from error
    except NoFont as error:
        raise CannotRender("RND_FONT") from error


def _why(error: typst.TypstError) -> str:
    return " ".join(str(error).split())[:200]


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer until the source ends."""
    pages = Pages()
    while True:
        head = source.read(LENGTH.size)
        if len(head) < LENGTH.size:
            return
        (size,) = LENGTH.unpack(head)
        body = source.read(size) if size <= MAX_BYTES else b""
        if len(body) < size:
            return
        header, files = _answer(pages, body)
        sink.write(frame(header))
        for file in files:
            sink.write(file)
        sink.flush()


def _answer(pages: Pages, body: bytes) -> tuple[dict[str, Any], list[bytes]]:
    try:
        files = pages.make(msgspec.json.decode(body, type=Request))
    except CannotRender as error:
        return {"fault": error.code, "details": error.details}, []
    return {"files": [len(file) for file in files]}, files


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    serve(sys.stdin.buffer, sys.stdout.buffer)
