"""The sections of fep.toml as strict structs: names, defaults, ranges.

Owns what a key is called and what it may hold. Rules: a number's name ends in its unit; a
path is relative to the directory of fep.toml. Nothing is read here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fep.domain.life import Policy, Verdict
from fep.domain.money import parse_fen
from fep.settings_books import ReconcileSettings
from fep.settings_bridge import BridgeSettings
from fep.settings_his import HisSettings
from fep.settings_http import HttpSettings, TlsSettings
from fep.settings_link import LinkSettings, OfflineSettings
from fep.settings_web import WebSettings

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Bytes = Annotated[int, Meta(ge=65_536, le=4_294_967_296)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$")]
Secret = Annotated[str, Meta(pattern=r"^(|file:.+|credential:[A-Za-z0-9_.-]+)$")]
"""Never the secret itself: file:PATH, credential:NAME (systemd), or empty for none."""

Right = Literal["issue", "reverse", "print", "pay", "query", "admin"]


class NodeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[node]: this machine, its data, its own key (signs batches, never receipts)."""

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,16}$")] = "node-0001"
    data: Path = Path("data")
    witness: Path = Path("witness")  # best on another disk than `data`
    key: Path = Path("keys/node.key")
    cert: Path = Path("keys/node.crt")
    passphrase: Secret = ""


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[log]: `file` "-" is standard error, which systemd keeps in its journal."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"
    file: str = "-"


class ApiSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[api]: the local socket API and its bounds."""

    listen: tuple[str, ...] = ("tcp:7500:interface=127.0.0.1",)
    control: Path = Path("data/control.sock")
    control_group: str = ""
    max_connections: Count = 256
    max_line_bytes: Bytes = 16_777_216
    max_details: Count = 20_000
    max_outstanding: Count = 64
    max_unsent_bytes: Bytes = 8_388_608
    queue_events: Count = 1024
    queue_bytes: Bytes = 67_108_864
    deadline_s: Annotated[float, Meta(gt=0, le=60)] = 3.0
    idle_s: Annotated[float, Meta(ge=0)] = 0
    frame_mac: Literal["auto", "always", "never"] = "auto"


class CallerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[[callers]]: one business system, what it may do and how it proves who it is."""

    appid: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    key_file: Path
    auth: Literal["hmac-sm3", "hmac-sha256", "token"] = "hmac-sm3"
    rights: tuple[Right, ...] = ("issue", "print", "query")
    units: Annotated[tuple[str, ...], Meta(min_length=1)] = ("*",)
    points: Annotated[tuple[str, ...], Meta(min_length=1)] = ("*",)
    encoding: Literal["utf-8", "gbk"] = "utf-8"
    queue: bool = False
    rate_per_s: Annotated[int, Meta(ge=0, le=100_000)] = 0
    max_amount: str = ""  # yuan, like "50000.00"
    name: Annotated[str, Meta(max_length=60)] = ""
    enabled: bool = True
    addresses: tuple[str, ...] = ()
    upstream: str = ""
    upstream_appid: Annotated[str, Meta(max_length=64)] = ""
    upstream_key_file: str = ""
    upstream_s: Annotated[float, Meta(gt=0, le=30)] = 3.0
    his: HisSettings = HisSettings()

    def __post_init__(self) -> None:
        """Refuse an amount that is none, by the name of its key."""
        if self.max_amount:
            try:
                parse_fen(self.max_amount)
            except ValueError as error:
                raise ValueError(f"max_amount {self.max_amount}") from error


class IssueSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[issue]."""

    suspected_double_s: Annotated[int, Meta(ge=0, le=86_400)] = 600


class LifeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[life]: reversing a receipt that the payer has booked, or may have."""

    reverse_booked: Literal["allowed", "force", "refused"] = "force"
    reverse_unknown_booking: Literal["allowed", "force", "refused"] = "allowed"

    def policy(self) -> Policy:
        """Return the domain value."""
        return Policy(Verdict(self.reverse_booked), Verdict(self.reverse_unknown_booking))


class CalendarSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[calendar]."""

    self_check_minutes: Annotated[int, Meta(ge=1, le=1440)] = 60
    day_close_minute: Annotated[int, Meta(ge=1, le=59)] = 5  # minutes after midnight


class ClockSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[clock]: what the wall clock may do before a person must look."""

    step_s: Annotated[float, Meta(ge=0.5, le=60)] = 2.0
    back_minutes: Annotated[int, Meta(ge=1, le=1440)] = 10
    forward_hours: Annotated[int, Meta(ge=1, le=720)] = 24


class NumbersSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[numbers]: `request` asks the platform for a block when a stock is below its target."""

    request: bool = True


class FepFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of fep.toml; every section may be left out."""

    node: NodeSettings = NodeSettings()
    log: LogSettings = LogSettings()
    api: ApiSettings = ApiSettings()
    callers: tuple[CallerSettings, ...] = ()
    issue: IssueSettings = IssueSettings()
    link: LinkSettings = LinkSettings()
    offline: OfflineSettings = OfflineSettings()
    web: WebSettings = WebSettings()
    http: HttpSettings = HttpSettings()
    tls: TlsSettings = TlsSettings()
    calendar: CalendarSettings = CalendarSettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    life: LifeSettings = LifeSettings()
    numbers: NumbersSettings = NumbersSettings()
    clock: ClockSettings = ClockSettings()
    bridge: BridgeSettings = BridgeSettings()
