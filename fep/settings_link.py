"""Settings of the link and of the offline budget; fep/settings.py embeds them.

Every key has a default that suits a file gate with a shared directory on each side.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fep.domain.link_budget import OfflineBudget
from fep.domain.link_pace import Limits, parse_span
from fep.domain.link_window import Timing, Window
from fep.domain.money import parse_fen

ONE_WAY_BATCHES = 20_000
ONE_WAY_BYTES = 16 * 1024**3
Seconds = Annotated[float, Meta(gt=0)]


class CarrierSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[link.carrier] and [relay.carrier]: how files cross the gate, and what it lets pass."""

    kind: Literal["ferry", "tcp", "https"] = "ferry"
    form: Literal["binary", "txt", "xml"] = "binary"  # of files; ferry only
    connect: str = ""  # tcp: Twisted client endpoint; https: base URL
    listen: str = ""  # tcp: Twisted server endpoint; https: host:port
    peers: tuple[str, ...] = ()  # addresses that may connect, empty for all
    tls_cert: str = ""  # https: our certificate, key, and whom we trust; PEM files
    tls_key: str = ""
    tls_peer: str = ""
    poll_s: Seconds = 0.5
    idle_s: Seconds = 50.0
    answer_s: Seconds = 30.0
    retry_s: Seconds = 60.0
    hours: tuple[str, ...] = ()
    bytes_per_s: Annotated[int, Meta(ge=0)] = 0
    files_per_minute: Annotated[int, Meta(ge=0)] = 0
    file_bytes: Annotated[int, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        """Refuse hours that are none; msgspec names the key's place."""
        self.limits()

    def limits(self) -> Limits:
        """Return what the gate lets pass. Raises ValueError."""
        spans = tuple(parse_span(text) for text in self.hours)
        return Limits(spans, self.bytes_per_s, self.files_per_minute, self.file_bytes)


class LinkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[link]: one destination. Paths are relative to the directory of fep.toml."""

    enabled: bool = True
    dest: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,16}$")] = "province"  # also its party id
    directory: str = "link"  # holds out, in, tmp, quarantine
    platform_cert: str = "keys/platform.crt"
    next_key: str = ""  # the node's next key and certificate on the link: fepctl link rotate
    next_cert: str = ""
    finance_certs: tuple[str, ...] = ()  # of 监制, where it does not sign with the platform's
    ext: Annotated[str, Meta(pattern=r"^[a-z0-9]{1,8}$")] = "fpb"
    cipher: Literal["cbc", "gcm"] = "cbc"
    poll_s: Seconds = 1.0
    linger_s: Annotated[float, Meta(ge=0)] = 1.0
    records_max: Annotated[int, Meta(ge=1, le=1000)] = 250
    target_bytes: Annotated[int, Meta(ge=4096, le=4194304)] = 262_144
    window_batches: Annotated[int, Meta(ge=1, le=1024)] = 64
    window_bytes: Annotated[int, Meta(ge=65536)] = 67_108_864
    rto_first_s: Seconds = 120.0
    rto_least_s: Seconds = 15.0
    rto_most_s: Seconds = 1800.0
    rto_jitter: Annotated[float, Meta(ge=0, le=0.5)] = 0.2
    heartbeat_s: Seconds = 30.0
    silent_after_s: Seconds = 120.0
    late_after_s: Seconds = 900.0
    gap_s: Seconds = 60.0
    part_timeout_s: Seconds = 900.0
    direct: str = ""  # file of the province the daemon calls itself, in place of batches
    verify_supervision: bool = True
    stale_hours: tuple[str, ...] = ()  # "HH:MM-HH:MM": when a refused date is taken after all
    one_way: bool = False  # nothing comes back but what an operator imports
    manifest_s: Annotated[float, Meta(ge=60)] = 3600.0
    carrier: CarrierSettings = CarrierSettings()

    def __post_init__(self) -> None:
        """Refuse hours that are none; msgspec names the key's place."""
        for text in self.stale_hours:
            parse_span(text)
        if bool(self.next_key) != bool(self.next_cert):
            raise ValueError("next_key and next_cert belong together")

    def window(self) -> Window:
        """Return the bounds of what may be unanswered; one way they are those of memory."""
        if self.one_way:
            return Window(ONE_WAY_BATCHES, ONE_WAY_BYTES)
        return Window(self.window_batches, self.window_bytes)

    def timing(self) -> Timing:
        """Return the limits of the time-out; never quicker than three polls."""
        least_s = max(self.rto_least_s, 3 * self.poll_s)
        return Timing(self.rto_first_s, least_s, self.rto_most_s, self.rto_jitter)

    def gap_patience_s(self) -> float:
        """Return how old a hole must be before it is asked for."""
        return max(3 * self.poll_s, self.gap_s)


class OfflineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[offline]: limits of our own; 0 or "" is no limit. What a platform signed binds too."""

    hours_max: Annotated[int, Meta(ge=0)] = 336
    count_max: Annotated[int, Meta(ge=0)] = 0
    amount_max: str = ""  # yuan, like "100000.00"
    single_max: str = ""  # yuan, one receipt while the platform is away

    def __post_init__(self) -> None:
        """Refuse an amount that is none; msgspec names the key's place."""
        for amount in (self.amount_max, self.single_max):
            if amount:
                parse_fen(amount)

    def budget(self) -> OfflineBudget:
        """Return the limits as the domain counts them."""
        return OfflineBudget(
            self.hours_max or None,
            self.count_max or None,
            parse_fen(self.amount_max) if self.amount_max else None,
            parse_fen(self.single_max) if self.single_max else None,
        )
