"""Shapes of the calls of form printing, for the served documents."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from fep.services import schemas_receipts as r
from fep.services.schemas_receipts import Asked


class JobsAsked(Asked):
    """Form jobs of a unit that wait for a person or for their printer."""

    unit: r.Unit
    limit: r.Cursor = 50


class ConfirmAsked(Asked):
    """`sheet` is the number read on the paper, with its zeros, or CODE-NUMBER."""

    job: int
    sheet: Annotated[str, Meta(min_length=1, max_length=40)]
    device: Annotated[str, Meta(max_length=40)] = ""
    operator: r.Text50 = ""


class PrintedAsked(Asked):
    """Somebody looked: the sheet is whole and legible."""

    job: int
    reason: Annotated[str, Meta(max_length=200)] = ""
    operator: r.Text50 = ""


class SpoilAsked(Asked):
    """作废套打的纸质票; `approve` names two people where the outcome is unknown.

    `again` takes the next sheet for the receipt.
    """

    job: int
    reason: r.Reason
    approve: Annotated[list[str], Meta(max_length=5)] = msgspec.field(default_factory=list)
    again: bool = True
    operator: r.Text50 = ""


class FormJob(msgspec.Struct, kw_only=True):
    """A receipt on one sheet, and what is known of it."""

    id: int
    sheet: str
    state: str
    form: str
    unit: str
    point: str
    device: str | None
    reason: str | None
    confirmed_by: str | None
    created_at: int
    updated_at: int


class FormJobTold(msgspec.Struct, kw_only=True):
    """The job."""

    job: FormJob


class FormJobs(msgspec.Struct, kw_only=True):
    """Jobs, the oldest first."""

    jobs: list[FormJob]


class Spoiled(msgspec.Struct, kw_only=True):
    """The sheet that is void now, and the job of the one that replaces it."""

    voided: str
    job: FormJob | None
