"""HELLO, SYNC and MANIFEST of a node as the relay hears them (fpb1.md 4.4 to 4.6).

Rules: all three only ask and tell, none frees a record or proves a delivery. A HELLO is
answered for the channels it names; a MANIFEST shows a loss at the end, which no gap shows; a
SYNC has what the node lacks of channel 2 written again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fep.domain.link_gap import ranges
from fep.services.relay_control import EPOCH, ControlOut
from fep.services.relay_ends import CONTROL, EPOCHS, RECORDS, NodeEnds, channel_of, stream_of
from fep.services.relay_streams import Streams
from fep.store.relay import held_q, stream_q
from fep.store.relay_out import peer_q
from fep.wire.fpb import Kind
from fep.wire.fpb_greet import Greeting, Hello, Holding, Manifest, Sync, encode

Send = Callable[[Kind, bytes], Awaitable[None]]


class Manners:
    """What is said between the relay and one node about what each has."""

    def __init__(self, ends: NodeEnds, streams: Streams, control: ControlOut, send: Send) -> None:
        self._ends = ends
        self._streams = streams
        self._control = control
        self._send = send
        self._tops: dict[int, int] = {}  # stream -> last batch of a manifest

    async def take(self, greeting: Greeting) -> None:
        """Answer, or remember."""
        if isinstance(greeting, Hello):
            named = [(one.channel, one.epoch) for one in greeting.channels]
            await self._send(Kind.SYNC, encode(self._sync(named)))
        elif isinstance(greeting, Manifest):
            if _ours(greeting.channel, greeting.epoch):
                stream = stream_of(greeting.channel, greeting.epoch)
                self._streams.tally(stream)
                self._tops[stream] = max(self._tops.get(stream, 0), greeting.seq)
        else:
            self._synced(greeting)

    def beyond(self, stream: int) -> tuple[int, ...]:
        """Return a batch that must come after the last one a manifest named, to show its gap."""
        top = self._tops.get(stream, 0)
        return (top + 1,) if top else ()

    def _sync(self, named: list[tuple[int, int]]) -> Sync:
        store, node = self._ends.us.store, self._ends.node
        told = []
        for channel, epoch in named:
            if not _ours(channel, epoch):
                continue
            number = stream_of(channel, epoch)
            stream, held = store.read(stream_q, node, number), store.read(held_q, node, number)
            opened = ((1, stream.batch_seq),) if stream.batch_seq else ()
            known = number in self._streams.tallies
            upto = self._streams.tallies[number].upto if known else 0
            head = self._streams.head(number) if known else bytes(32)
            told.append(
                Holding(*channel_of(number), upto, head.hex(), (*opened, *ranges(held)))
            )  # fmt: skip
        return Sync(tuple(told), self._ends.us.now_ms())

    def _synced(self, sync: Sync) -> None:
        made = self._ends.us.store.read(peer_q, self._ends.node).seq
        for one in sync.channels:
            got = max((last for _first, last in one.received), default=0)
            if (one.channel, one.epoch) == (CONTROL, EPOCH) and got < made:
                self._control.hasten()


def _ours(channel: int, epoch: int) -> bool:
    return channel in RECORDS and 0 < epoch < EPOCHS
