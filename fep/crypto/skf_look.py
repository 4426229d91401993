"""What is in the UKEYs that are plugged in: devices, applications, containers, certificates.

For whoever sets one up and knows no names. Rules: no PIN is used and nothing is changed; a
part that cannot be read says why and does not hide the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fep.crypto import certs, skf
from fep.crypto.errors import CryptoError


@dataclass(frozen=True, slots=True)
class SeenContainer:
    """One container; `certificate` is DER, of the signing key."""

    name: str
    sm2: bool = False
    subject: str = ""
    serial: str = ""
    certificate: bytes | None = field(default=None, repr=False)
    why: str = ""


@dataclass(frozen=True, slots=True)
class SeenApplication:
    """One application with the tries of its PIN, -1 if the device does not tell."""

    name: str
    tries_left: int = -1
    tries_max: int = -1
    containers: tuple[SeenContainer, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class SeenDevice:
    """One device."""

    name: str
    maker: str = ""
    label: str = ""
    serial: str = ""
    sm2: bool = False
    applications: tuple[SeenApplication, ...] = ()
    why: str = ""


def look(library: skf.Library) -> tuple[SeenDevice, ...]:
    """Return what is plugged in. Raises `SkfFault`, `BackendMissing`."""
    return tuple(_device(library, name) for name in library.devices())


def _device(library: skf.Library, name: str) -> SeenDevice:
    try:
        device = library.connect(name)
        try:
            info = library.info(device)
            applications = tuple(
                _application(library, device, each) for each in library.applications(device)
            )
        finally:
            library.disconnect(device)
    except CryptoError as error:
        return SeenDevice(name, why=str(error))
    return SeenDevice(name, info.maker, info.label, info.serial, info.sm2, applications)


def _application(library: skf.Library, device: int, name: str) -> SeenApplication:
    try:
        application = library.open_application(device, name)
        try:
            most, left = library.tries(application)
            containers = tuple(
                _container(library, application, each) for each in library.containers(application)
            )
        finally:
            library.close("Application", application)
    except CryptoError as error:
        return SeenApplication(name, why=str(error))
    return SeenApplication(name, left, most, containers)


def _container(library: skf.Library, application: int, name: str) -> SeenContainer:
    try:
        container = library.open_container(application, name)
        try:
            if library.container_kind(container) != library.profile.ecc_container:
                return SeenContainer(name)
            held = library.certificate(container)
        finally:
            library.close("Container", container)
        if held is None:
            return SeenContainer(name, sm2=True)
        certificate = certs.parse(held)
    except CryptoError as error:
        return SeenContainer(name, why=str(error))
    return SeenContainer(name, True, certificate.subject, certificate.serial_hex, held)
