"""One SM2 key in a UKEY: found, opened, proved, used, lost and found again.

Rules: the PIN is tried once and never again after it was refused, until a person says so;
before a try a durable mark is set and after a good one taken away, so that neither a crash
nor a restart tries a refused PIN a second time. A signature is verified before it is given.
Signing has no effect of its own, so it may be repeated; the bound is `TRIES`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from fep.crypto import certs, skf
from fep.crypto.errors import BadCertificate, BadDer, CryptoError

TRIES: Final = 3
BUSY_PAUSE_S: Final = 0.2
_PROBE: Final = b"fep signer probe"


class KeyRemoved(CryptoError):
    """The device is not plugged in, or was for a moment not."""


class PinRefused(CryptoError):
    """The PIN is wrong, or a mark says that it was; `left` tries remain, -1 is unknown."""

    def __init__(self, left: int) -> None:
        self.left = left
        super().__init__(f"the PIN was refused, {left} tries left")


class PinLocked(CryptoError):
    """The PIN is locked; only the issuer of the device unlocks it."""


class LoginUnknown(CryptoError):
    """The login failed in a way that may have cost a try."""


class SignFailed(CryptoError):
    """The device gave no good signature `TRIES` times."""


class Mark(Protocol):
    """The durable memory of a login that has not been good."""

    def read(self) -> str:
        """Return "", "trying" or "refused"."""

    def write(self, word: str) -> None:
        """Remember a word durably; "" takes the mark away."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the key is; an empty name stands for the only one there is."""

    library: str
    device: str = ""
    application: str = ""
    container: str = ""
    pin: str = field(default="", repr=False)


class UKey:
    """The key. `open` first; after `KeyRemoved` only `open` again."""

    def __init__(self, place: Place, profile: skf.Profile, certificate: certs.Certificate,
                 mark: Mark, pause: Callable[[float], None]) -> None:  # fmt: skip
        """Load the library. Raises `BackendMissing`."""
        self._place = place
        self._profile = profile
        self._certificate = certificate
        self._mark = mark
        self._pause = pause
        self._library = skf.Library(place.library, profile)
        self._device = self._application = self._container = 0
        self._name = ""
        self.backend = "skf"

    def open(self) -> None:
        """Find the key, prove that it is ours, log in, sign once.

        Raises `KeyRemoved`, `PinRefused`, `PinLocked`, `LoginUnknown`, `SkfFault`,
        `WrongProfile`, `BadCertificate`, `SignFailed`.
        """
        self.close()
        try:
            self._find()
            self._prove()
            self._login()
            self.probe()
        except skf.SkfFault as fault:
            self.close()
            if self._is_lost(fault.code):
                raise KeyRemoved(str(fault)) from fault
            raise
        except CryptoError:
            self.close()
            raise

    def sign_digest(self, digest: bytes) -> bytes:
        """Return the DER signature of e. Raises `KeyRemoved`, `SignFailed`."""
        why = ""
        for attempt in range(TRIES):
            try:
                der = self._library.sign(self._container, digest)
            except skf.SkfFault as fault:
                if self._is_lost(fault.code):
                    raise KeyRemoved(str(fault)) from fault
                why = str(fault)
                if fault.code in self._profile.busy and attempt + 1 < TRIES:
                    self._pause(BUSY_PAUSE_S)
            except BadDer as strange:
                why = f"ECCSignData: {strange}"
            else:
                if self._certificate.public_key.verify_digest(digest, der):
                    return der
                why = "the signature does not verify under the certificate"
        raise SignFailed(why)

    def probe(self) -> None:
        """Sign and verify once. Raises as `sign_digest`."""
        self.sign_digest(self._certificate.public_key.digest(_PROBE))

    def present(self) -> bool:
        """Ask, cheaply, whether the device is still there.

        A library that cannot tell says yes: the next signature finds out, and a key that is
        there is not logged in at again and again.
        """
        try:
            return self._library.state(self._name) != skf.ABSENT
        except skf.SkfFault as fault:
            return not self._is_lost(fault.code)

    def close(self) -> None:
        """Let go of everything; what the device says to that does not matter."""
        library = self._library
        with contextlib.suppress(CryptoError):
            if self._container:
                library.close("Container", self._container)
        with contextlib.suppress(CryptoError):
            if self._application:
                library.close("Application", self._application)
        with contextlib.suppress(CryptoError):
            if self._device:
                library.disconnect(self._device)
        self._device = self._application = self._container = 0

    def _is_lost(self, code: int) -> bool:
        lost = (skf.REMOVED, skf.INVALID_HANDLE, skf.NOT_LOGGED_IN)
        return code in lost or code in self._profile.lost

    def _find(self) -> None:
        library = self._library
        names = library.devices()
        if not names:
            raise KeyRemoved("no device is plugged in")
        self._name = self._chosen(names)
        self._device = self._device or library.connect(self._name)
        info = library.info(self._device)
        library.lock(self._device)
        application = self._place.application or _only(
            "application", library.applications(self._device)
        )
        self._application = library.open_application(self._device, application)
        container = self._place.container or _only(
            "container", library.containers(self._application)
        )
        self._container = library.open_container(self._application, container)
        told = "" if info.sm2 else " (does not announce SM2)"
        self.backend = f"skf {info.maker} {info.label} {info.serial}{told}"

    def _chosen(self, names: list[str]) -> str:
        """Return the device that is meant, by name or serial, and leave it connected."""
        wanted = self._place.device
        if not wanted:
            return _only("device", names)
        if wanted in names:
            return wanted
        for name in names:
            self._device = self._library.connect(name)
            if self._library.info(self._device).serial == wanted:
                return name
            self._library.disconnect(self._device)
            self._device = 0
        raise KeyRemoved(f"no device {wanted}; there are {', '.join(names)}")

    def _prove(self) -> None:
        """The key in the container must be that of the certificate we have registered."""
        library, container = self._library, self._container
        kind = library.container_kind(container)
        if kind != self._profile.ecc_container:
            raise BadCertificate(f"the container holds no SM2 key (type {kind})")
        held = library.certificate(container)
        ours = self._certificate.public_key.point
        if held is not None and certs.parse(held).public_key.point != ours:
            raise BadCertificate("the certificate in the device is another one")
        if library.public_point(container) != ours:
            raise BadCertificate("the key in the device does not belong to the certificate")

    def _login(self) -> None:
        library, application = self._library, self._application
        mark = self._mark.read()
        if mark:
            most, left = self._tries()
            if not left:
                raise PinLocked("the PIN is locked")
            # A login was cut off: when it has cost nothing, it was not refused.
            if mark != "trying" or left != most:
                raise PinRefused(left)
        self._mark.write("trying")
        code, left = library.verify_pin(application, self._place.pin)
        if code in (skf.OK, skf.ALREADY_LOGGED_IN):
            self._mark.write("")
            return
        if code == skf.PIN_WRONG:
            self._mark.write("refused")
            left = left or self._tries()[1]  # not every library fills it in
            raise PinRefused(left) if left else PinLocked("the PIN is locked")
        if code == skf.PIN_LOCKED:
            self._mark.write("refused")
            raise PinLocked("the PIN is locked")
        fault = skf.SkfFault("VerifyPIN", code)
        if self._is_lost(code):  # the mark stays: the next open looks what it has cost
            raise fault
        self._mark.write("refused")
        raise LoginUnknown(str(fault))

    def _tries(self) -> tuple[int, int]:
        """Ask how many tries the PIN has. Raises `LoginUnknown` when that cannot be told."""
        try:
            return self._library.tries(self._application)
        except skf.SkfFault as fault:
            if self._is_lost(fault.code):
                raise
            raise LoginUnknown(f"a login was refused or cut off, and {fault}") from fault


def _only(what: str, names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    told = ", ".join(names) if names else "none"
    raise BadCertificate(f"which {what}? There are: {told}")
