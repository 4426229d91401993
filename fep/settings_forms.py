"""The files of forms/: preprinted sheets (套打格式), checked with the rest of the site."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fep.render.form_sheet import FormSheet, problems
from fep.settings_toml import Source

__all__ = ["FormSheet", "check_forms"]


def check_forms(forms: Iterable[tuple[Source, FormSheet]], kinds: Collection[str]) -> None:
    """Note what is wrong with each form, and kinds that have two or do not exist.

    All of it is weak: a form that cannot be printed on must not keep receipts from being issued.
    """
    taken: dict[str, str] = {}
    for source, form in forms:
        for wrong in problems(form):
            source.wrong(wrong.trail, wrong.zh, wrong.en, weak=True)
        for place, kind in enumerate(form.kinds):
            if kind in taken:
                source.wrong(("kinds", place), f"{kind} 已有格式 {taken[kind]}",
                             f"{kind} has the form {taken[kind]} already", weak=True)  # fmt: skip
            elif kind not in kinds:
                # A site takes the forms it was made with and only some of the kinds.
                source.wrong(("kinds", place), f"没有票据种类 {kind}",
                             f"there is no kind {kind}", weak=True)  # fmt: skip
            taken.setdefault(kind, source.path.stem)
