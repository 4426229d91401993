"""Where things are: references to secrets, listening endpoints, the templates of a site.

Rules: a secret is named, never written in a configuration; what it holds is read only when it
is needed and appears in no message.
"""

from __future__ import annotations

import os
import re
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fep.settings_toml import Problem, SettingsError

CREDENTIAL = "credential:"
FILE = "file:"
SECRET_MAX_BYTES = 4096

# What Twisted's endpoint strings take, of the kinds that fep listens on.
_OPTIONS = {
    "tcp": {"port", "interface", "backlog"},
    "tcp6": {"port", "interface", "backlog"},
    "ssl": {"port", "interface", "backlog"},
    "unix": {"address", "mode", "backlog", "lockfile"},
}
_FIELDS = re.compile(r"((?:[^:\\]|\\.)*)(?::|\Z)")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A place to listen. `address` is the interface, or the path of a Unix socket."""

    kind: str
    address: str
    port: int = 0

    @property
    def loopback(self) -> bool:
        """Say whether only this machine can reach it."""
        return self.kind == "unix" or self.address.startswith("127.") or self.address == "::1"


def parse_endpoint(text: str) -> Endpoint:
    """Return what an endpoint string says. Raises ValueError with the reason."""
    fields = [found.group(1) for found in _FIELDS.finditer(text)]
    words = [re.sub(r"\\(.)", r"\1", field) for field in fields]
    kind = words[0]
    known = _OPTIONS.get(kind)
    if known is None:
        raise ValueError(f"{kind or '…'}: {' | '.join(_OPTIONS)}")
    options: dict[str, str] = {}
    for place, (field, word) in enumerate(zip(fields[1:], words[1:], strict=True)):
        name, sign, value = word.partition("=")
        if field and sign and name in known:
            options[name] = value
        elif field and not sign and place == 0:
            options["address" if kind == "unix" else "port"] = word
        elif field:
            raise ValueError(f"{word}: {' | '.join(sorted(known))}")
    if kind == "unix":
        if not options.get("address"):
            raise ValueError("unix:PATH")
        return Endpoint(kind, options["address"])
    port = options.get("port", "")
    if not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"port {port or '…'}: 0-65535")
    return Endpoint(kind, options.get("interface", ""), int(port))


def located(reference: str, root: Path, environ: Mapping[str, str]) -> Path:
    """Return the path of a key or secret; outside its service a credential has none here."""
    if reference.startswith(CREDENTIAL):
        directory = environ.get("CREDENTIALS_DIRECTORY", "")
        return (
            Path(directory) / reference.removeprefix(CREDENTIAL) if directory else Path(reference)
        )
    return root / reference.removeprefix(FILE)


def resolved(reference: str, root: Path) -> str:
    """Return a secret's reference with an absolute path in it; a credential stays as it is."""
    if not reference or reference.startswith(CREDENTIAL):
        return reference
    return f"{FILE}{root / reference.removeprefix(FILE)}"


def read_secret(reference: str, root: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Return the secret behind file:PATH or credential:NAME, without its line end.

    Raises SettingsError when it cannot be read.
    """
    path = located(reference, root, environ)
    try:
        with path.open("rb") as file:
            text = file.read(SECRET_MAX_BYTES + 1).decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "UTF-8"
        raise _unreadable(path, reference, f"无法读取：{why}", f"cannot be read: {why}") from error
    if not text or len(text) > SECRET_MAX_BYTES:
        raise _unreadable(path, reference, "为空或过长", "is empty or too long")
    return text


def _unreadable(path: Path, reference: str, zh: str, en: str) -> SettingsError:
    return SettingsError([Problem(str(path), 0, reference, zh, en)])


def template_dir() -> Path:
    """Return the directory of the shipped templates: the checkout's, else the installation's."""
    checkout = Path(__file__).resolve().parents[1]
    if (checkout / "setup.cfg").is_file() and (checkout / "conf" / "fep.toml").is_file():
        return checkout / "conf"
    return Path(sysconfig.get_path("data")) / "share" / "fep" / "conf"
