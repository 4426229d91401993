"""Which language the operator reads: Chinese, or English where Chinese cannot be shown.

The choice is made once, before any verb is built, and holds for the process. Nothing is
printed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LANGUAGES = ("zh", "en")
_NO_LOCALE = ("", "C", "POSIX")


@dataclass(slots=True)
class Chosen:
    """The language of this process: one operator, one console."""

    language: str = "zh"

    def get(self) -> str:
        """Return `zh` or `en`."""
        return self.language

    def set(self, language: str) -> None:
        """Choose."""
        assert language in LANGUAGES, language
        self.language = language


LANG = Chosen()


def say(zh: str, en: str) -> str:
    """Return the sentence in the chosen language."""
    return zh if LANG.get() == "zh" else en


def choose(argv: Sequence[str], environ: Mapping[str, str], encoding: str | None) -> str:
    """Return `zh` or `en`: --lang, then $FEP_LANG, then what the console can show."""
    asked = _asked(argv) or environ.get("FEP_LANG", "")
    if asked in LANGUAGES:
        return asked
    return "zh" if _shows_chinese(environ, encoding) else "en"


def _asked(argv: Sequence[str]) -> str:
    found = ""
    for index, word in enumerate(argv):
        if word == "--":
            break
        if word == "--lang" and index + 1 < len(argv):
            found = argv[index + 1]
        elif word.startswith("--lang="):
            found = word.removeprefix("--lang=")
    return found


def _shows_chinese(environ: Mapping[str, str], encoding: str | None) -> bool:
    """The kernel's own console (TERM=linux) has no Chinese glyphs whatever the locale says."""
    if environ.get("TERM") == "linux":
        return False
    ctype = environ.get("LC_CTYPE", "")
    if ctype == "C.UTF-8" and environ.get("LANG", "") in _NO_LOCALE:
        ctype = ""  # Python itself wrote this for a bare C locale (PEP 538); no person did.
    locale = environ.get("LC_ALL") or ctype or environ.get("LANG") or ""
    if locale in _NO_LOCALE:
        return False
    try:
        "票据号码，前置机".encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
