"""What the methods of the desk answer, member by member, for the served documents.

One line a method: `member:type`, a type that ends in `~` may be null, a line that begins with
`?` has members that may be absent. Lists hold objects. A method that is not here answers an
object of which nothing is promised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

TYPES: Mapping[str, Any] = {
    "str": str, "int": int, "bool": bool, "number": float, "any": Any,
    "list": list[Any], "object": dict[str, Any],
}  # fmt: skip
MEMBERS: Mapping[str, str] = {
    "callers.list": "callers:list",
    "clock.status": "now:int platform:any offset_ms:int~ steps:int last_step:any fault:any",
    "day.close": "? running:bool unit:str day:str counted:int fault:str closed:list",
    "day.list": "days:list",
    "day.progress": "? running:bool unit:str day:str counted:int fault:str closed:list",
    "devices.list": "devices:list jobs:object",
    "devices.test": "? device:str result:object",
    "evidence.begin": "? node:str now:int parts:list certificate:str journal:object",
    "evidence.sign": "signature:str sm3:str",
    "fence.status": "fenced:str fault:any instance:str epoch:int witness:str",
    "imports.check": "? new:int conflicts:list",
    "imports.find": "receipts:list",
    "imports.list": "imports:list",
    "journal.export": "records:list done:bool",
    "journal.verify": "checkpoints:int last:int hash:str count:int broken_at:int why:str done:bool",
    "kinds.list": "year:int kinds:list problems:list",
    "link.ask": "ask:str state:str result:str detail:str",
    "link.asked": "ask:str state:str result:str detail:str",
    "link.batches": "batches:list",
    "link.history": "history:list",
    "link.revoke": "announced:bool serial:str",
    "link.rotate": "announced:bool serial:str signs:bool state:str detail:str",
    "link.status": "links:list",
    "numbers.audit": "? audit:int done:bool part:str receipts:int burns:int records:int good:bool"
                     " stock:list found:int findings:list evidence:list",
    "numbers.forecast": "forecast:list",
    "numbers.list": "? next_year:list stock:list blocks:list requested:list",
    "numbers.request": "? requested:bool unit:str code:str count:int",
    "paper.blocks": "blocks:list",
    "paper.import": "new:bool unit:str point:str code:str first:str last:str",
    "payments.back": "payment:object",
    "payments.inquire": "payment:object",
    "payments.list": "payments:list",
    "payments.reprint": "payment:object",
    "payments.say": "payment:object",
    "payments.settle": "settlement:object",
    "payments.show": "payment:object",
    "payments.sign_in": "terminals:list settlements:list",
    "payments.terminals": "terminals:list settlements:list",
    "payments.tie": "payment:object",
    "queue.list": "stats:object queued:int frozen:int waiting:list refused:list",
    "receipts.export": "name:str issued_at:str amount:str cert_serial:str files:object",
    "receipts.find": "receipts:list",
    "receipts.life": "? name:str life:object sheets:list marks:list",
    "receipts.list": "receipts:list next:int",
    "receipts.page": "name:str view:object",
    "receipts.rejected": "refused:list",
    "receipts.show": "? code:str number:str check_code:str einvoice_id:str unit:str point:str"
                     " kind:str amount:str issued_at:str state:str key:str payer:str"
                     " print_job:int~ caller:str received_at:str face:any signature:any"
                     " supervision:any uploads:list prints:list",
    "reconcile.list": "runs:list",
    "reconcile.show": "? dest:str running:str run:any differences:list open_days:list",
    "resolve.list": "? prints:list uploads:list payments:list forms:list frozen:int",
    "sheets.list": "sheets:list next:str~",
    "system.discover": "openrpc:str info:object methods:list components:object",
    "system.doctor": "daemon:object checks:list",
    "system.status": "? daemon:object now:int today:list numbers:list queue:object links:list"
                     " devices:list prints:object journal:object checkpoint:any offline:any"
                     " alarms:list",
    "system.unmask": "grant:int",
    "verify.receipt": "? name:str good:bool by:object cert_serial:str subject:str not_before:str"
                      " not_after:str",
}  # fmt: skip


def told(method: str) -> type[msgspec.Struct] | None:
    """Return the shape of a desk method's answer, None when nothing is promised."""
    line = MEMBERS.get(method)
    if line is None:
        return None
    optional = line.startswith("?")
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for word in line.removeprefix("?").split():
        name, _, kind = word.partition(":")
        shape = TYPES[kind.rstrip("~")]
        if kind.endswith("~"):
            shape |= None
        fields.append((name, shape | msgspec.UnsetType, msgspec.UNSET) if optional
                      else (name, shape))  # fmt: skip
    title = "".join(part.title() for part in method.replace("_", ".").split(".")) + "Told"
    return msgspec.defstruct(title, fields, kw_only=True, module=__name__)
