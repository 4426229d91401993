"""SKF (GM/T 0016) by ctypes: the calls of a vendor's library that a signer needs.

Tried on the stub of the test-suite only, no hardware yet. Rules: what differs between vendors
is a `Profile`, data; a ULONG by reference is always given 8 zeroed bytes and slack behind
every buffer, so that a wrong width in a profile is told and never writes into our memory; the
PIN is in no message. Retries, logins and what a code means for issuing belong to the caller.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fep.crypto.der import raw_to_der
from fep.crypto.errors import BackendMissing, BadDer, CryptoError

OK: Final = 0
BUFFER_TOO_SMALL: Final = 0x0A000020
REMOVED: Final = 0x0A000023
PIN_WRONG: Final = 0x0A000024
PIN_LOCKED: Final = 0x0A000025
ALREADY_LOGGED_IN: Final = 0x0A000028
NOT_LOGGED_IN: Final = 0x0A00002D
INVALID_HANDLE: Final = 0x0A000005
CERTIFICATE_NOT_FOUND: Final = 0x0A00001C

# GM/T 0016, appendix A. From 0x32 on the numbers differ between vendors.
NAMES: Final = {
    0x01: "FAIL", 0x02: "UNKNOWNERR", 0x03: "NOTSUPPORTYET", 0x04: "FILEERR",
    0x05: "INVALIDHANDLE", 0x06: "INVALIDPARAM", 0x07: "READFILE", 0x08: "WRITEFILE",
    0x09: "NAMELEN", 0x0A: "KEYUSAGE", 0x0B: "MODULUSLEN", 0x0C: "NOTINITIALIZE", 0x0D: "OBJ",
    0x0E: "MEMORY", 0x0F: "TIMEOUT", 0x10: "INDATALEN", 0x11: "INDATA", 0x12: "GENRAND",
    0x13: "HASHOBJ", 0x14: "HASH", 0x15: "GENRSAKEY", 0x16: "RSAMODULUSLEN",
    0x17: "CSPIMPRTPUBKEY", 0x18: "RSAENC", 0x19: "RSADEC", 0x1A: "HASHNOTEQUAL",
    0x1B: "KEYNOTFOUND", 0x1C: "CERTNOTFOUND", 0x1D: "NOTEXPORT", 0x1E: "DECRYPTPAD",
    0x1F: "MACLEN", 0x20: "BUFFER_TOO_SMALL", 0x21: "KEYINFOTYPE", 0x22: "NOT_EVENT",
    0x23: "DEVICE_REMOVED", 0x24: "PIN_INCORRECT", 0x25: "PIN_LOCKED", 0x26: "PIN_INVALID",
    0x27: "PIN_LEN_RANGE", 0x28: "ALREADY_LOGGED_IN", 0x29: "PIN_NOT_INIT", 0x2A: "PIN_TYPE",
    0x2B: "APPLICATION_NAME_INVALID", 0x2C: "APPLICATION_EXISTS", 0x2D: "NOT_LOGGED_IN",
    0x2E: "APPLICATION_NOT_EXISTS", 0x2F: "FILE_ALREADY_EXIST", 0x30: "NO_ROOM",
    0x31: "FILE_NOT_EXIST",
}  # fmt: skip
_FAMILY: Final = 0x0A000000
_USER: Final = 1
_HALF: Final = 64  # bytes of r, s, X and Y in a BLOB
_WORD: Final = 32  # bytes of them that SM2 uses
_SLACK: Final = 64
_LIST_MAX_BYTES: Final = 64 * 1024
ABSENT: Final = 0


class SkfFault(CryptoError):
    """A call said something else than SAR_OK; `code` is what."""

    def __init__(self, call: str, code: int) -> None:
        self.call = call
        self.code = code
        name = NAMES.get(code - _FAMILY, "")
        super().__init__(f"{call}: 0x{code:08X} {name}".rstrip())


class WrongProfile(CryptoError):
    """What the library writes does not fit the profile."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What is only numbers about one vendor's library (conf/skf/*.toml)."""

    ulong_bytes: int = 4
    packed: bool = False
    align: str = "right"
    encoding: str = "utf-8"
    lock_ms: int = 0
    busy: tuple[int, ...] = (0x0A00000F,)
    lost: tuple[int, ...] = ()
    sm2_algorithms: tuple[int, ...] = (0x00020100, 0x00020200)
    ecc_container: int = 2

    @classmethod
    def of(cls, numbers: Mapping[str, Any]) -> Profile:
        """Return the profile that was written as JSON members."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in numbers.items()
        }
        return cls(**values)


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What a device tells about itself; `sm2` is whether it says that it has SM2."""

    maker: str
    label: str
    serial: str
    sm2: bool


class Library:
    """One vendor's library. Every method raises `SkfFault` with what the library said."""

    def __init__(self, path: str, profile: Profile) -> None:
        """Load it. Raises `BackendMissing`."""
        self.profile = profile
        self._functions: dict[str, Callable[..., int]] = {}
        try:
            self._library = ctypes.CDLL(path)
        except OSError as error:
            raise BackendMissing(f"the SKF library cannot be loaded: {error}") from error

    def _call(self, name: str, *arguments: Any) -> int:
        function = self._functions.get(name)
        if function is None:
            try:
                found = getattr(self._library, f"SKF_{name}")
            except AttributeError as error:
                raise BackendMissing(f"the SKF library has no SKF_{name}") from error
            found.restype = ctypes.c_uint32
            function = self._functions[name] = found
        return int(function(*arguments))

    def _do(self, name: str, *arguments: Any) -> None:
        code = self._call(name, *arguments)
        if code != OK:
            raise SkfFault(name, code)

    def _filled(self, name: str, *head: Any) -> bytes:
        """Ask for the size, then for the bytes; once more when they have grown meanwhile."""
        size = _Out()
        self._do(name, *head, None, size.reference)
        for _ in range(2):
            room = size.value
            if room > _LIST_MAX_BYTES:
                raise WrongProfile(f"{name} wants {room} bytes")
            buffer = ctypes.create_string_buffer(room + _SLACK)
            code = self._call(name, *head, buffer, size.reference)
            if code == OK and size.value <= room:
                return buffer.raw[: size.value]
            if code != BUFFER_TOO_SMALL:
                raise SkfFault(name, code)
        raise SkfFault(name, BUFFER_TOO_SMALL)

    def _names(self, name: str, *head: Any) -> list[str]:
        listed = self._filled(name, *head)
        encoding = self.profile.encoding
        return [each.decode(encoding, "replace") for each in listed.split(b"\0") if each]

    def _text(self, text: str) -> bytes:
        return text.encode(self.profile.encoding)

    def _opened(self, name: str, *arguments: Any) -> int:
        handle = ctypes.c_void_p()
        self._do(name, *arguments, ctypes.byref(handle))
        return handle.value or 0

    # devices
    def devices(self) -> list[str]:
        """Return the names of the devices that are plugged in."""
        return self._names("EnumDev", ctypes.c_uint64(1))

    def connect(self, name: str) -> int:
        """Return the handle of a device."""
        return self._opened("ConnectDev", self._text(name))

    def disconnect(self, device: int) -> None:
        """Let go of a device."""
        self._do("DisConnectDev", ctypes.c_void_p(device))

    def state(self, name: str) -> int:
        """Return 0 absent, 1 present, 2 unknown."""
        state = _Out()
        self._do("GetDevState", self._text(name), state.reference)
        return state.value

    def lock(self, device: int) -> None:
        """Have the device for ourselves, if the profile says so."""
        if self.profile.lock_ms:
            self._do("LockDev", ctypes.c_void_p(device), ctypes.c_uint64(self.profile.lock_ms))

    def info(self, device: int) -> DeviceInfo:
        """Return what a device tells about itself."""
        buffer = ctypes.create_string_buffer(1024)
        self._do("GetDevInfo", ctypes.c_void_p(device), buffer)
        raw, width = buffer.raw, self.profile.ulong_bytes
        maker, label, serial = (
            _string(raw[start : start + size], self.profile.encoding)
            for start, size in ((2, 64), (130, 32), (162, 32))
        )
        numbers = 198 if self.profile.packed else 198 + -198 % width
        capable = int.from_bytes(raw[numbers + width : numbers + 2 * width], "little")
        sm2 = any(capable & each == each for each in self.profile.sm2_algorithms)
        return DeviceInfo(maker, label, serial, sm2)

    # applications and their PIN
    def applications(self, device: int) -> list[str]:
        """Return the names of a device's applications."""
        return self._names("EnumApplication", ctypes.c_void_p(device))

    def open_application(self, device: int, name: str) -> int:
        """Return the handle of an application."""
        return self._opened("OpenApplication", ctypes.c_void_p(device), self._text(name))

    def verify_pin(self, application: int, pin: str) -> tuple[int, int]:
        """Try the user's PIN, once; return the SAR code and the tries that are left."""
        left = _Out()
        code = self._call("VerifyPIN", ctypes.c_void_p(application), ctypes.c_uint64(_USER),
                          self._text(pin), left.reference)  # fmt: skip
        return code, left.value

    def tries(self, application: int) -> tuple[int, int]:
        """Return how many tries the user's PIN has at most, and how many are left."""
        most, left, factory = _Out(), _Out(), _Out()
        self._do("GetPINInfo", ctypes.c_void_p(application), ctypes.c_uint64(_USER),
                 most.reference, left.reference, factory.reference)  # fmt: skip
        return most.value, left.value

    # containers
    def containers(self, application: int) -> list[str]:
        """Return the names of an application's containers."""
        return self._names("EnumContainer", ctypes.c_void_p(application))

    def open_container(self, application: int, name: str) -> int:
        """Return the handle of a container."""
        return self._opened("OpenContainer", ctypes.c_void_p(application), self._text(name))

    def container_kind(self, container: int) -> int:
        """Return what a container holds, in the library's numbers (2 is ECC)."""
        kind = _Out()
        self._do("GetContainerType", ctypes.c_void_p(container), kind.reference)
        return kind.value

    def certificate(self, container: int) -> bytes | None:
        """Return the certificate of the signing key, DER; None if the device keeps none."""
        try:
            return self._filled("ExportCertificate", ctypes.c_void_p(container), ctypes.c_uint64(1))
        except SkfFault as fault:
            if fault.code == CERTIFICATE_NOT_FOUND:
                return None
            raise

    def public_point(self, container: int) -> bytes:
        """Return x‖y of the signing key. Raises `WrongProfile` when the structure differs."""
        blob = self._filled("ExportPublicKey", ctypes.c_void_p(container), ctypes.c_uint64(1))
        width = self.profile.ulong_bytes
        if len(blob) != width + 2 * _HALF:
            raise WrongProfile(
                f"ECCPUBLICKEYBLOB has {len(blob)} bytes, by the profile {width + 2 * _HALF}: "
                f"ulong_bytes is {len(blob) - 2 * _HALF}?"
            )
        return self._number(blob[width:]) + self._number(blob[width + _HALF :])

    def sign(self, container: int, digest: bytes) -> bytes:
        """Return the DER signature of 32 bytes. Raises `SkfFault`, `BadDer` for nonsense."""
        out = ctypes.create_string_buffer(2 * _HALF + _SLACK)
        self._do("ECCSignData", ctypes.c_void_p(container), digest,
                 ctypes.c_uint64(len(digest)), out)  # fmt: skip
        blob = out.raw
        return raw_to_der(self._number(blob) + self._number(blob[_HALF:]))

    def _number(self, half: bytes) -> bytes:
        """Return the 32 bytes that count of 64; the others must be empty."""
        right = self.profile.align == "right"
        used = half[_WORD:_HALF] if right else half[:_WORD]
        if any(half[:_WORD] if right else half[_WORD:_HALF]):
            raise BadDer("a number of SM2 has more than 32 bytes: is align of the profile right?")
        return used

    def close(self, name: str, handle: int) -> None:
        """Let go of an `Application` or a `Container`."""
        self._do(f"Close{name}", ctypes.c_void_p(handle))


class _Out:
    """A ULONG that the library writes: eight zeroed bytes take either width, low end first."""

    def __init__(self) -> None:
        self._bytes = (ctypes.c_uint32 * 4)()
        self.reference = ctypes.byref(self._bytes)

    @property
    def value(self) -> int:
        return int(self._bytes[0])


def _string(raw: bytes, encoding: str) -> str:
    return raw.split(b"\0", 1)[0].decode(encoding, "replace").strip()
