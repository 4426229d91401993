"""Is what the platform sends back as finance's signature good? (facts/standards 5.2)

Verified off the reactor over what we sent, with the key of a certificate of [link]
finance_certs or of the platform itself, before the answers are stored. A bad one changes
nothing about the result: it becomes the answer's `doubt`, which the store keeps and journals.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from fep.crypto.errors import CryptoError
from fep.services.uplink_build import SignatureXml
from fep.services.uplink_ends import Ends
from fep.services.uplink_peers import Peers
from fep.store.link import DueRow, sent_q
from fep.store.link_out import Answer
from fep.wire import einvoice

PAGE_ROWS: Final = 50  # one read, well under the 5 ms a read may take
Signed = tuple[int, str, bytes]  # signed_at, serial of the certificate, DER


async def examined(
    ends: Ends, signature_xml: SignatureXml, answers: tuple[Answer, ...]
) -> tuple[Answer, ...]:
    """Return the answers, those with a bad supervision signature with their doubt."""
    given = {answer.rec_seq: answer.supervision for answer in answers
             if answer.supervision is not None and answer.result in ("OK", "DUP")}  # fmt: skip
    asked = list(given)
    doubts: dict[int, str] = {}
    for start in range(0, len(asked), PAGE_ROWS):
        rows = ends.store.read(sent_q, ends.dest, asked[start : start + PAGE_ROWS])
        if rows:
            doubts |= await ends.work(doubted, ends, rows, given, signature_xml)
    return tuple(
        replace(answer, doubt=doubts[answer.rec_seq]) if answer.rec_seq in doubts else answer
        for answer in answers
    )


def doubted(
    ends: Ends,
    rows: list[DueRow],
    given: Mapping[int, Signed],
    signature_xml: SignatureXml,
) -> dict[int, str]:
    """Return why signatures are not good, by record. For a worker thread."""
    found = {}
    for row in rows:
        ends.breathe()
        why = _doubt(ends.peers, row, given[row.rec_seq], signature_xml)
        if why:
            found[row.rec_seq] = why
    return found


def _doubt(peers: Peers, row: DueRow, signed: Signed, signature_xml: SignatureXml) -> str:
    _signed_at, serial, der = signed
    finance = peers.of_finance(serial)
    if finance is None:
        return f"certificate {serial} is not the platform's"
    try:
        text = einvoice.finance_original(zlib.decompress(row.body), signature_xml(row).encode())
    except (zlib.error, ValueError, KeyError, CryptoError) as error:
        return f"cannot be verified: {type(error).__name__}"
    return "" if finance.public_key.verify(text, der) else "the signature does not fit"
