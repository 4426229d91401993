"""The caller's side of the page process: start it, hand it one page, take the files.

Rules: the process is started before the facts are collected, so that fonts are open when
they come; it has TIMEOUT_S to answer and is killed after that; what it says is a refusal of
the catalogue or files, never a traceback. Owns no fonts and no typesetting.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from fep.domain.faults_render import render_refuse
from fep.render import page_frame

MODULE = "fep.render.page_worker"
FORMS = ("pdf", "png", "slip")
TIMEOUT_S = 30.0
MAX_COMPLAINT = 200


class PageProcess:
    """One page process; a context manager that never leaves it behind."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-m", MODULE],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"PYTHONUTF8": "1"},
        )  # fmt: skip

    def __enter__(self) -> PageProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def render(
        self, view: Mapping[str, Any], form: str, templates: Path, *, ppi: int = 200,
        fonts: Sequence[str] = (), timeout_s: float = TIMEOUT_S,
    ) -> tuple[bytes, ...]:  # fmt: skip
        """Return the files of one page; the process ends with it.

        `view` holds the members of a `PageView` as JSON. One PDF, one slip, or a picture a page.

        Raises:
            Refused: RND_CHAR, RND_FONT, RND_TEMPLATE, RND_TIME, RND_FAILED.
        """
        request = {"form": form, "view": view, "templates": str(templates), "ppi": ppi,
                   "fonts": list(fonts)}  # fmt: skip
        try:
            out, complaint = self._child.communicate(page_frame.frame(request), timeout_s)
        except subprocess.TimeoutExpired as error:
            self.close()
            raise render_refuse("RND_TIME", seconds=f"{timeout_s:g}") from error
        return self._files(out, complaint)

    def close(self) -> None:
        """Kill the process if it still runs, and wait for its end."""
        if self._child.poll() is None:
            self._child.kill()
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()
        self._child.wait()

    def _files(self, out: bytes, complaint: bytes) -> tuple[bytes, ...]:
        try:
            header, rest = page_frame.unframed(out)
        except ValueError as error:
            lines = complaint.decode("utf-8", "replace").strip().splitlines()
            why = lines[-1][:MAX_COMPLAINT] if lines else f"exit {self._child.returncode}"
            raise render_refuse("RND_FAILED", why=why) from error
        if "fault" in header:
            raise render_refuse(header["fault"], **header["details"])
        files = []
        for size in header["files"]:
            files.append(rest[:size])
            rest = rest[size:]
        return tuple(files)
