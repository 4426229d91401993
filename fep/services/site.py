"""Making a site: its directory, configuration, keys and certificates; the platform's too.

Owns what `fepctl init` writes. Rules: nothing that exists is overwritten; everything is made
beside and moved into place when it is whole; directories are 0700, files 0600. A private key
is written once and never shown.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fep.crypto import certs, keyfile, sm2
from fep.crypto.certs import Certificate
from fep.crypto.errors import BadCertificate
from fep.domain.faults_site import site_refuse
from fep.env import write_durably
from fep.ports import Clock, Entropy
from fep.settings import Problem, load, survey, template_dir
from fep.settings_toml import SettingsError, Trail, lines_of

ROOMS = ("units", "kinds", "provinces", "devices", "forms")
KEYS = "keys"
LINK = ("link", "link/out", "link/in", "link/tmp", "link/quarantine")
OURS = ("fep.toml", *ROOMS, KEYS, "data", "link")
STAGE = ".fep-init"
CALLER_KEY_BYTES = 32
VALID_DAYS = 3650
CLOCK_SLACK = timedelta(hours=1)
CERTIFICATE_MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator said; empty leaves what the template has."""

    unit_name: str = ""
    unit_code: str = ""
    area: str = ""
    party_code: str = ""
    node_id: str = ""
    port: int = 0
    data: Path | None = None
    passphrase: str = ""
    passphrase_file: Path | None = None

    @property
    def names_unit(self) -> bool:
        """Say whether the unit is a real one."""
        return bool(self.unit_name or self.unit_code or self.area or self.party_code)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate as it is compared over the phone."""

    name: str
    path: Path
    subject: str
    serial_hex: str
    fingerprint: str
    not_after: datetime

    def told(self) -> dict[str, str]:
        """Return it as plain values."""
        return {
            "name": self.name, "path": str(self.path), "subject": self.subject,
            "serial": self.serial_hex, "sm3": self.fingerprint,
            "not_after": self.not_after.isoformat(),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Site:
    """A site as it was made or changed."""

    path: Path
    identities: tuple[Identity, ...]
    unit: str = ""
    unit_name: str = ""
    kept: Path | None = None
    data: Path | None = None
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    @property
    def homes(self) -> tuple[Path, ...]:
        """Return the directories that must belong to the service user."""
        return (self.path,) if self.data is None else (self.path, self.data)


def found_site(path: Path, wanted: Wanted, platform: Path | None, clock: Clock,
               entropy: Entropy) -> Site:  # fmt: skip
    """Make a site in `path`, which may exist but holds nothing of a site.

    Raises Refused SITE_EXISTS, SITE_CERT, SITE_FILE, SITE_TEMPLATES.
    """
    path = path.absolute()
    templates = template_dir()
    if not (templates / "fep.toml").is_file():
        raise site_refuse("SITE_TEMPLATES", path=templates)
    _refuse_existing(path, OURS)
    if wanted.data is not None:
        data = wanted.data.absolute()
        wanted = replace(wanted, data=data)
        _refuse_existing(data, ("fep.db", "fep.lock", "link"))
    theirs = _read_certificate(platform) if platform is not None else None
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        stage = path / STAGE
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(mode=0o700)
        try:
            unit_file = _copy(templates, stage, wanted)
            _make_keys(stage, wanted, unit_file, clock, entropy)
            if theirs is not None:
                _write(stage / KEYS / "platform.crt", _pem(theirs.der))
            _make_places(stage if wanted.data is None else wanted.data, wanted.data is None)
            for name in sorted(entry.name for entry in stage.iterdir()):
                (stage / name).rename(path / name)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    except OSError as error:
        raise site_refuse("SITE_FILE", path=error.filename or path, why=error.strerror) from error
    return _look(path, wanted.data)


def _refuse_existing(path: Path, names: Iterable[str]) -> None:
    for name in names:
        if (path / name).exists() or (path / name).is_symlink():
            raise site_refuse("SITE_EXISTS", path=path, found=name)


def _make_places(home: Path, inside: bool) -> None:
    """Make the directories that the daemon writes to, in the site or outside of it."""
    if not inside:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        home.with_name(f"{home.name}-witness").mkdir(exist_ok=True, mode=0o700)
    for name in ("data", *LINK) if inside else LINK:
        (home / name).mkdir(mode=0o700)


def trust(path: Path, platform: Path, clock: Clock) -> Site:
    """Import the platform's certificate into an existing site; one that differs is kept aside.

    Raises Refused SITE_NONE, SITE_CONFIG, SITE_CERT, SITE_CERT_OWN, SITE_FILE.
    """
    path = path.absolute()
    if not (path / "fep.toml").is_file():
        raise site_refuse("SITE_NONE", path=path)
    theirs = _read_certificate(platform)
    try:
        settings = load(path)
    except SettingsError as error:
        first = error.problems[0]
        raise site_refuse("SITE_CONFIG", count=len(error.problems), first=first) from error
    own = [settings.node.cert, *(Path(place.cert) for unit in settings.units.values()
                                     for place in unit.key_places())]  # fmt: skip
    if any(_same_key(cert, theirs) for cert in own):
        raise site_refuse("SITE_CERT_OWN", path=platform)
    target = path / settings.link.platform_cert
    kept = None
    try:
        if target.exists() and target.read_bytes() != _pem(theirs.der):
            kept = target.with_name(f"{target.stem}-{clock.wall():%Y%m%d%H%M%S}{target.suffix}")
            target.rename(kept)
        _write(target, _pem(theirs.der))
    except OSError as error:
        raise site_refuse("SITE_FILE", path=target, why=error.strerror) from error
    seen = survey(path)
    return Site(path, (_identity("platform", target),), kept=kept, warnings=seen.warnings)


def filled(text: str, values: Mapping[Trail, object]) -> str:
    """Return a template with values written over those of its keys; comments stay.

    Raises KeyError for a key that the template does not have.
    """
    where = lines_of(text)
    lines = text.split("\n")
    for trail, value in values.items():
        place = where[trail] - 1
        head = re.match(r"\s*[A-Za-z0-9_]+\s*=\s*", lines[place])
        if head is None:
            raise KeyError(trail)
        # A JSON string is a TOML string; the values have been checked for control characters.
        lines[place] = head.group() + json.dumps(value, ensure_ascii=False)
    return "\n".join(lines)


def _copy(templates: Path, stage: Path, wanted: Wanted) -> str:
    """Copy the templates with the values filled in; return the unit's code."""
    (stage / KEYS).mkdir(mode=0o700)
    for room in ROOMS:
        (stage / room).mkdir(mode=0o700)
        for file in sorted((templates / room).glob("*.toml")):
            if room != "units":
                _write(stage / room / file.name, file.read_bytes())
    secret = f"file:{wanted.passphrase_file.absolute()}" if wanted.passphrase_file else ""
    values: dict[Trail, object] = {}
    if wanted.node_id:
        values["node", "id"] = wanted.node_id
    if wanted.port:
        values["api", "listen"] = [f"tcp:{wanted.port}:interface=127.0.0.1"]
    if wanted.data is not None:
        values["node", "data"] = str(wanted.data)
        values["node", "witness"] = str(wanted.data.with_name(f"{wanted.data.name}-witness"))
        values["api", "control"] = str(wanted.data / "control.sock")
        values["link", "directory"] = str(wanted.data / "link")
    if secret:
        values["node", "passphrase"] = secret
    # The umask of the operator is none of the site's business: modes are set by hand.
    _write(stage / "fep.toml", filled(_text(templates / "fep.toml"), values).encode())
    return _copy_unit(templates, stage, wanted, secret)


def _copy_unit(templates: Path, stage: Path, wanted: Wanted, secret: str) -> str:
    template = sorted((templates / "units").glob("*.toml"))[0]
    given = {
        "code": wanted.unit_code, "name": wanted.unit_name, "party_code": wanted.party_code,
        "area": wanted.area,
    }  # fmt: skip
    values: dict[Trail, object] = {(name,): text for name, text in given.items() if text}
    if wanted.area:
        values["province",] = _province(templates, wanted.area)
    if wanted.unit_name:
        values["seal", "name"] = f"{wanted.unit_name}财务专用章"
    if wanted.names_unit:
        values["default_checker",] = ""
        values["receiving", "account"] = ""
        values["receiving", "bank"] = ""
    if secret:
        values["signer", "passphrase"] = secret
    name = f"{wanted.unit_code}.toml" if wanted.unit_code else template.name
    _write(stage / "units" / name, filled(_text(template), values).encode())
    return name


def _province(templates: Path, area: str) -> str:
    """Return the province file of an area by its tag, `generic` where there is none."""
    tag = f'"CZ-EI-{area[:2]}"'
    for file in sorted((templates / "provinces").glob("*.toml")):
        if re.search(rf"^tag\s*=\s*{tag}", _text(file), re.MULTILINE):
            return file.stem
    return "generic"


def _make_keys(stage: Path, wanted: Wanted, unit_file: str, clock: Clock,
               entropy: Entropy) -> None:  # fmt: skip
    import tomllib

    unit = tomllib.loads(_text(stage / "units" / unit_file))
    node = tomllib.loads(_text(stage / "fep.toml"))["node"]
    keys = stage / KEYS
    secret = wanted.passphrase or None
    for stem, name in (("unit", str(unit["name"])[:64]), ("node", str(node["id"]))):
        key = keyfile.generate(entropy)
        now = clock.wall().astimezone(UTC).replace(microsecond=0)
        der = certs.self_signed(
            key, name, _serial(entropy), now - CLOCK_SLACK, now + timedelta(days=VALID_DAYS)
        )
        _write(keys / f"{stem}.key", keyfile.save_private(key, secret))
        _write(keys / f"{stem}.crt", _pem(der))
        _prove(keys / f"{stem}.key", keys / f"{stem}.crt", secret)
    caller = f"{entropy.token(CALLER_KEY_BYTES).hex()}\n".encode("ascii")
    _write(keys / "caller-his.key", caller)


def _serial(entropy: Entropy) -> int:
    """Return a positive serial of 16 bytes whose length never varies."""
    return int.from_bytes(entropy.token(15), "big") | 1 << 120


def _prove(key_file: Path, cert_file: Path, secret: str | None) -> None:
    """Read both back and sign once: what was written is what will be opened at night."""
    key: sm2.PrivateKey = keyfile.load_private(key_file.read_bytes(), secret)
    certificate = certs.parse(cert_file.read_bytes())
    digest = certificate.public_key.digest(b"fep site")
    assert certificate.public_key.verify_digest(digest, key.sign_digest(digest)), key_file
    assert certs.verify_link(certificate, certificate), cert_file


def _read_certificate(path: Path) -> Certificate:
    try:
        with path.open("rb") as file:
            return certs.parse(file.read(CERTIFICATE_MAX_BYTES + 1))
    except OSError as error:
        raise site_refuse("SITE_FILE", path=path, why=error.strerror) from error
    except BadCertificate as error:
        raise site_refuse("SITE_CERT", path=path, why=error) from error


def _same_key(path: Path, other: Certificate) -> bool:
    return _read_certificate(path).public_key.point == other.public_key.point


def _identity(name: str, path: Path) -> Identity:
    certificate = _read_certificate(path)
    return Identity(name, path, certificate.subject, certificate.serial_hex,
                    certificate.fingerprint.hex(), certificate.not_after)  # fmt: skip


def _look(path: Path, data: Path | None) -> Site:
    """Read the site back as the daemon will."""
    seen = survey(path)
    names = [
        name for name in ("unit", "node", "platform") if (path / KEYS / f"{name}.crt").exists()
    ]
    identities = tuple(_identity(name, path / KEYS / f"{name}.crt") for name in names)
    units = list(seen.settings.units.values()) if seen.settings is not None else []
    unit = units[0] if units else None
    return Site(
        path, identities, unit=unit.code if unit else "", unit_name=unit.name if unit else "",
        data=data, errors=seen.errors, warnings=seen.warnings,
    )  # fmt: skip


def _pem(der: bytes) -> bytes:
    from asn1crypto import pem

    return bytes(pem.armor("CERTIFICATE", der))


def _text(path: Path) -> str:
    return path.read_text("utf-8")


def _write(path: Path, content: bytes) -> None:
    write_durably(path, content, mode=0o600)
    path.chmod(0o600)
