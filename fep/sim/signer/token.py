"""The token itself: one application, one container with one SM2 key, a PIN that counts.

Rules: a wrong PIN costs one try, a right one gives all back, none left is locked for good;
pulled out, every handle dies and the login with it. Numbers of calls are those of the stub.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from fep.sim import sm
from fep.sim.signer.knobs import Knobs

OK = 0
FAIL, INVALID_HANDLE, INVALID_PARAMETER = 0x0A000001, 0x0A000005, 0x0A000006
KEY_NOT_FOUND, CERTIFICATE_NOT_FOUND = 0x0A00001B, 0x0A00001C
REMOVED, PIN_WRONG, PIN_LOCKED = 0x0A000023, 0x0A000024, 0x0A000025
NOT_LOGGED_IN, NO_APPLICATION = 0x0A00002D, 0x0A00002E
DIGEST_BYTES = 32
SM2_CAPABILITIES = 0x00020200
ECC_CONTAINER = 2

CALLS = {
    1: "EnumDev", 2: "ConnectDev", 3: "DisConnectDev", 4: "GetDevState", 5: "GetDevInfo",
    6: "LockDev", 7: "UnlockDev", 8: "EnumApplication", 9: "OpenApplication",
    10: "CloseApplication", 11: "VerifyPIN", 12: "GetPINInfo", 13: "EnumContainer",
    14: "OpenContainer", 15: "CloseContainer", 16: "GetContainerType", 17: "ExportCertificate",
    18: "ExportPublicKey", 19: "ECCSignData",
}  # fmt: skip
_CLOSING = ("DisConnectDev", "CloseApplication", "CloseContainer", "LockDev", "UnlockDev")
Answer = tuple[int, bytes]


def number(value: int) -> bytes:
    """Return a ULONG as the stub reads it."""
    return struct.pack(">I", value)


@dataclass(slots=True, eq=False)
class Token:
    """The state of one UKEY. `calls` names every call in order, for tests to look at."""

    key: sm.PrivateKey
    certificate: bytes  # DER
    pin: str
    name: str = "FEP-SIM"
    serial: str = "SIM0001"
    application: str = "FEP"
    container: str = "unit"
    tries_max: int = 6
    knobs: Knobs = field(default_factory=Knobs)
    present: bool = True
    calls: list[str] = field(default_factory=list)
    signatures: int = 0
    tries_left: int = field(init=False)
    _logged_in: bool = False
    _handles: dict[int, str] = field(default_factory=dict)
    _next: int = 1

    def __post_init__(self) -> None:
        self.tries_left = self.tries_max

    def pull(self) -> None:
        """Take it out: handles and login die."""
        self.present = self._logged_in = False
        self._handles.clear()

    def put_in(self) -> None:
        """Put it back."""
        self.present = True

    def unlock(self) -> None:
        """Give all tries back, as the issuer of the key does."""
        self.tries_left = self.tries_max

    # from server
    def answer(self, call: int, handle: int, data: bytes) -> Answer:
        """Carry out one call; return its SAR code and what it tells."""
        name = CALLS.get(call, "")
        self.calls.append(name)
        if name == self.knobs.fails_at and self.knobs.strikes("fails"):
            return int(self.knobs.fails_with, 16), b""
        if name == "EnumDev":
            return OK, (self.name.encode() + b"\0" if self.present else b"") + b"\0"
        if name == "GetDevState":
            return OK, number(int(self.present))
        if not self.present:
            return REMOVED, b""
        if name == "ConnectDev":
            known = data.decode() == self.name
            return self._opened("device") if known else (INVALID_PARAMETER, b"")
        if handle not in self._handles:
            return INVALID_HANDLE, b""
        if name in _CLOSING:
            if name.startswith(("Dis", "Close")):
                del self._handles[handle]
            return OK, b""
        answer = {
            "device": self._of_device, "application": self._of_application,
            "container": self._of_container,
        }[self._handles[handle]](name, data)  # fmt: skip
        return answer if answer is not None else (INVALID_HANDLE, b"")

    def _opened(self, kind: str) -> Answer:
        handle, self._next = self._next, self._next + 1
        self._handles[handle] = kind
        return OK, number(handle)

    def _of_device(self, name: str, data: bytes) -> Answer | None:
        if name == "GetDevInfo":
            words = ("simulated", "fepsim", self.name, self.serial)
            texts = b"".join(word.encode() + b"\0" for word in words)
            return OK, number(SM2_CAPABILITIES) + texts
        if name == "EnumApplication":
            return OK, self.application.encode() + b"\0\0"
        if name == "OpenApplication":
            known = data.decode() == self.application
            return self._opened("application") if known else (NO_APPLICATION, b"")
        return None

    def _of_application(self, name: str, data: bytes) -> Answer | None:
        if name == "VerifyPIN":
            return self._login(data.decode())
        if name == "GetPINInfo":
            return OK, number(self.tries_max) + number(self.tries_left)
        if name == "EnumContainer":
            return OK, self.container.encode() + b"\0\0"
        if name == "OpenContainer":
            known = data.decode() == self.container
            return self._opened("container") if known else (KEY_NOT_FOUND, b"")
        return None

    def _login(self, pin: str) -> Answer:
        if not self.tries_left:
            return PIN_LOCKED, number(0)
        if pin == self.pin:
            self.tries_left, self._logged_in = self.tries_max, True
            return OK, number(self.tries_left)
        self.tries_left -= 1
        told = 0 if self.knobs.no_tries else self.tries_left
        return (PIN_WRONG if self.tries_left else PIN_LOCKED), number(told)

    def _of_container(self, name: str, data: bytes) -> Answer | None:
        if name == "GetContainerType":
            return OK, number(ECC_CONTAINER)
        if name == "ExportCertificate":
            there = data == b"s" and not self.knobs.no_certificate
            return (OK, self.certificate) if there else (CERTIFICATE_NOT_FOUND, b"")
        if name == "ExportPublicKey":
            return OK, sm.load_certificate(self.certificate).public_key.point()
        if name == "ECCSignData":
            return self._sign(data)
        return None

    def _sign(self, digest: bytes) -> Answer:
        if not self._logged_in:
            return NOT_LOGGED_IN, b""
        if len(digest) != DIGEST_BYTES:
            return INVALID_PARAMETER, b""
        if self.knobs.strikes("removed_signs"):
            self.pull()
            return REMOVED, b""
        if self.knobs.strikes("wrong_signatures"):
            digest = bytes(byte ^ 1 for byte in digest)
        self.signatures += 1
        return OK, sm.raw_of_der(self.key.sign_digest(digest))
