"""The method table of the socket API: name, right, what it does.

The groups of methods are plain tables in their own modules; this one joins them, checks the
right, and knows nothing of the wire.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fep.domain.faults import refuse
from fep.services.callers import Caller


@dataclass(frozen=True, slots=True)
class Method:
    """`right` empty: every proved caller. `call(caller, params)` answers value or Deferred.

    `params` and `result` are types for the served documents (fep.services.openrpc).
    """

    right: str
    call: Callable[[Caller, Any], Any]
    about: str
    params: Any = None
    result: Any = None


class Methods:
    """All methods of this node."""

    def __init__(self, *tables: Mapping[str, Method]) -> None:
        self._methods: dict[str, Method] = {}
        for table in tables:
            doubled = self._methods.keys() & table.keys()
            assert not doubled, doubled
            self._methods.update(table)
        self._methods["system.discover"] = Method("", self._discover, "the OpenRPC document")
        self._methods["system.methods"] = Method("", self._list, "all methods and their rights")

    def call(self, caller: Caller, name: str, params: Any) -> Any:
        """Run a method. Raises Refused REQ_METHOD, AUTH_RIGHT and what the method raises."""
        method = self._methods.get(name)
        if method is None:
            raise refuse("REQ_METHOD", method=name[:64])
        caller.need(method.right, name)
        if caller.pace is not None:
            caller.pace.take()
        return method.call(caller, {} if params is None else params)

    def table(self) -> Mapping[str, Method]:
        """Return every method by name."""
        return self._methods

    def _discover(self, _caller: Caller, _params: Any) -> dict[str, Any]:
        # The documents are made where somebody asks for them.
        from fep.services.openrpc import openrpc

        return openrpc(self._methods)

    def _list(self, caller: Caller, _params: Any) -> dict[str, Any]:
        return {
            "methods": [
                {"name": name, "right": method.right, "about": method.about}
                for name, method in sorted(self._methods.items())
                if not method.right or method.right in caller.rights
            ]
        }
