"""Files of channel 0 on their way out. A lost one is repeated on demand or by the next."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fep.services.uplink_ends import Ends
from fep.services.uplink_pulse import Pulse
from fep.store.link import TRANSPORT, Head
from fep.wire.fpb import Kind


@dataclass(slots=True)
class Transport:
    """Writes transport files; `applied` is where the control channel stands, for headers."""

    ends: Ends
    pulse: Pulse
    epoch: int = 1
    applied: Head = field(default_factory=Head)

    async def send(self, kind: Kind, plain: bytes) -> None:
        """Write one file; a carrier fault is noted and passes."""
        seq = await self.pulse.next_transport()
        header = replace(
            self.ends.header(kind, self.epoch, TRANSPORT, seq, self.ends.now_ms()),
            cum_ack=self.applied.rec_seq, ack_head_sm3=self.applied.rec_hash,
        )  # fmt: skip
        name = self.ends.name(self.epoch, TRANSPORT, seq, 1).text()

        def write() -> None:
            self.ends.carrier.put(name, self.ends.pack(header, plain))

        try:
            await self.ends.work(write)
        except OSError as error:
            self.pulse.carrier_fault = str(error)
