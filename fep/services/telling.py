"""What a business system is told of a receipt: its facts, where it stands, where its page is.

`state` is that of the signed document and never changes once it is `sealed`; `life` says
what became of the receipt afterwards. One question to the store serves a whole page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fep.domain.receipt import Receipt
from fep.services.web_token import UrlOf, no_url
from fep.store.life import lives_q
from fep.store.writer import Store


class Telling:
    """Tells receipts the same way whatever the method."""

    def __init__(self, store: Store, url_of: UrlOf = no_url) -> None:
        self._store = store
        self._url_of = url_of

    def one(self, receipt: Receipt) -> dict[str, Any]:
        """Return a stored receipt as it stands now."""
        return self.all([receipt])[0]

    def all(self, found: Sequence[Receipt]) -> list[dict[str, Any]]:
        """Return stored receipts as they stand now, in the same order."""
        lives = self._store.read(lives_q, found)
        return [
            self._told(receipt, lives[receipt.id].life.value, lives[receipt.id].sheet)
            for receipt in found
        ]

    def answered(self, receipt: Receipt, repeated: bool) -> dict[str, Any]:
        """Return what issuing answers; of a receipt signed this moment nothing has become yet."""
        return self.one(receipt) if repeated else self._told(receipt, receipt.state.value, "")

    def _told(self, receipt: Receipt, life: str, sheet: str) -> dict[str, Any]:
        told = {**receipt.told(), "life": life, "sheet": sheet or None}
        url = self._url_of(receipt)
        return {**told, "url": url} if url else told
