"""What printers and ports there are: serial by id, USB by what the printer says of itself, and
the network by asking given addresses on ports 9100 and 631.

Rules: only what a person named is asked, at most HOSTS_MAX addresses, at most RATE_PER_S
connections a second and AT_ONCE at a time; port 631 is asked by IPP, which prints nothing; a
raw port is only knocked at, since a laser printer would print the question of a receipt
printer, unless the person says that it may be asked.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from drivers.escpos import codec as escpos
from drivers.ipp import codec as ipp
from fep.domain.faults import refuse
from fep.ports import Clock

HOSTS_MAX = 1024
RATE_PER_S = 50.0
AT_ONCE = 16
CONNECT_S = 1.0
ANSWER_S = 2.0
ANSWER_MAX_BYTES = 256 * 1024
RAW, IPP = 9100, 631
PORTS = (RAW, IPP)
BY_ID = Path("/dev/serial/by-id")
USB_DEV = Path("/dev/usb")
USB_SYS = Path("/sys/class/usbmisc")
_MAKERS = (
    ("epson", "epson-80"), ("gprinter", "gprinter-80"), ("xprinter", "xprinter-80"),
    ("xp-", "xprinter-80"), ("hprt", "hprt-80"), ("sunmi", "sunmi-80"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """A device or port: its address as `devices add` takes it, and what it says of itself."""

    address: str
    about: str
    driver: str
    profile: str
    device: str = ""  # id of the configured device that has this address


def serial_ports(by_id: Path = BY_ID) -> list[Found]:
    """Return serial ports by the names that stay when a plug moves."""
    if not by_id.is_dir():
        return []
    return [
        _found(f"serial:{path}", path.name.replace("_", " ")) for path in sorted(by_id.iterdir())
    ]


def usb_printers(dev: Path = USB_DEV, sys: Path = USB_SYS) -> list[Found]:
    """Return printers at the kernel's USB printer ports, with their IEEE 1284 identity."""
    if not dev.is_dir():
        return []
    ports = sorted(path for path in dev.iterdir() if re.fullmatch(r"lp\d+", path.name))
    return [_found(f"usblp:{path}", _ieee1284(sys / path.name)) for path in ports]


def _ieee1284(entry: Path) -> str:
    try:
        told = (entry / "device" / "ieee1284_id").read_text("utf-8", "replace")
    except OSError:
        return ""
    pairs = dict(piece.split(":", 1) for piece in told.split(";") if ":" in piece)
    names = (("MFG", "MANUFACTURER"), ("MDL", "MODEL"), ("SN", "SERN"))
    said = (next((pairs[name] for name in pair if name in pairs), "") for pair in names)
    return " ".join(piece.strip() for piece in said if piece.strip())


def addresses(wanted: Sequence[str]) -> list[str]:
    """Return the addresses of hosts and networks. Raises Refused DEV_ADDRESS, DEV_NETWORK."""
    listed: dict[str, None] = {}
    for text in wanted:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError as error:
            raise refuse("DEV_ADDRESS", why=str(error)[:100]) from error
        if network.num_addresses > HOSTS_MAX:
            raise refuse("DEV_NETWORK", count=network.num_addresses, most=HOSTS_MAX)
        hosts = network.hosts() if network.num_addresses > 1 else (network.network_address,)
        listed |= dict.fromkeys(str(host) for host in hosts)
    if len(listed) > HOSTS_MAX:
        raise refuse("DEV_NETWORK", count=len(listed), most=HOSTS_MAX)
    return list(listed)


def network(
    hosts: Sequence[str], clock: Clock, *, ask_raw: bool = False, ports: Sequence[int] = PORTS,
    told: Callable[[int, int], None] = lambda done, of: None,
) -> list[Found]:  # fmt: skip
    """Knock at every host, slowly; `told` hears how far it is. Blocks."""
    knocks = [(host, port) for host in hosts for port in ports]
    pause = threading.Event()
    began = clock.mono()

    def knock(number: int) -> Found | None:
        early_s = began + number / RATE_PER_S - clock.mono()
        if early_s > 0:
            pause.wait(early_s)
        host, port = knocks[number]
        found = _raw(host, port, ask_raw) if port != IPP else _ipp(host, port)
        told(number + 1, len(knocks))
        return found

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [found for found in pool.map(knock, range(len(knocks))) if found is not None]


def named(found: Iterable[Found], devices: Iterable[tuple[str, str]]) -> list[Found]:
    """Return what was found with the ids of (id, address) that are configured already."""
    known = {_plain(address): id_ for id_, address in devices}
    return [replace(one, device=known.get(_plain(one.address), "")) for one in found]


def _plain(address: str) -> str:
    """Return where an address leads, whatever is spoken there."""
    place = re.sub(r"^[a-z]+:", "", address)
    return place if place.startswith("/") else place.partition("/")[0]


def _raw(host: str, port: int, ask: bool) -> Found | None:
    try:
        with socket.create_connection((host, port), CONNECT_S) as wire:
            about = _who(wire) if ask else ""
    except OSError:
        return None
    return _found(f"tcp:{_place(host)}:{port}", about)


def _who(wire: socket.socket) -> str:
    """Return maker and model as a receipt printer says them, empty when it is silent."""
    wire.settimeout(ANSWER_S)
    heard = b""
    try:
        wire.sendall(escpos.identity_query(66) + escpos.identity_query(67))
        while heard.count(b"\0") < 2 and len(heard) < 512:
            piece = wire.recv(256)
            if not piece:
                break
            heard += piece
    except OSError:
        pass  # silence is an answer too
    blocks = re.findall(rb"\x5f([^\0]*)\0", heard)
    return " ".join(block.decode("gbk", "replace").strip() for block in blocks).strip()


def _ipp(host: str, port: int) -> Found | None:
    place = f"{_place(host)}:{port}"
    wanted = (ipp.KEYWORD, "requested-attributes",
              ("printer-make-and-model", "document-format-supported"))  # fmt: skip
    body = ipp.request(ipp.Op.GET_PRINTER, 1, f"ipp://{place}/ipp/print", [wanted])
    try:
        with socket.create_connection((host, port), CONNECT_S):
            pass
    except OSError:
        return None
    door = http.client.HTTPConnection(host, port, timeout=ANSWER_S)
    try:
        door.request("POST", "/ipp/print", body, {"Content-Type": "application/ipp"})
        said = ipp.answer(door.getresponse().read(ANSWER_MAX_BYTES))
    except (OSError, http.client.HTTPException, ipp.NotIpp):
        return Found(f"ipp:{place}/ipp/print", "", "ipp", "a5")
    finally:
        door.close()
    about = ipp.text(said.first(ipp.PRINTER), "printer-make-and-model")
    return Found(f"ipp:{place}/ipp/print", about, "ipp", "a5")


def _place(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _found(address: str, about: str) -> Found:
    low = about.lower()
    profile = next((profile for word, profile in _MAKERS if word in low), "epson-80")
    return Found(address, about, "escpos", profile)
