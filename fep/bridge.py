"""fep-bridge: lends a cashier's printers, serial ports and POS library to the front-end.

One file on purpose: it is copied to a Windows or Linux PC and needs nothing but Python 3.8. It
keeps one outgoing TCP connection, proves itself by a key and signs every frame; nobody can
connect to it but programs of the same PC that print. Rules: a job or a call of the POS library
is journalled durably before it begins and carried out at most once, whatever is repeated; a lent
line has one user and dies with the connection; every buffer, wait and retry has a bound. It never
logs what is printed, paid or asked. Wire: facts of the manual page `bridge`.
"""

from __future__ import annotations

import base64
import binascii
import configparser
import contextlib
import ctypes
import hashlib
import hmac
import json
import os
import platform
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, NamedTuple  # noqa: UP035  Python 3.8 runs it

VERSION = "1"
PLAIN_MAX, FRAME_MAX = 4096, 2 * 1024 * 1024
MAC_SIZE, HEAD_MAX = 32, 64 * 1024
DEAD_S, CONNECT_S, BACK_OFF_S = 35.0, 10.0, (1.0, 2.0, 5.0, 10.0, 30.0)
READ_S, WRITE_S, READ_BYTES, BUFFER_MAX = 0.2, 0.5, 4096, 1024 * 1024
JOBS_MAX, JOB_MAX, LOOK_S, GLANCE_S = 8, 1024 * 1024, 5.0, 0.5
ANSWER_MAX, LOAD_S, CALL_S = 65536, 20.0, 600.0
JOURNAL_MAX, JOURNAL_KEPT = 20_000, 10_000
EXTEND_PORT, EXTEND_S, EXTENDS_MAX, BODY_MAX = 13526, 60.0, 8, 1024 * 1024
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
WINDOWS = sys.platform == "win32"
LET_GO_S = 0.5


class Ended(Exception):
    """The connection ended, or what came over it breaks the rules; the text says why."""


class NotStarted(Exception):
    """A job or call failed before anything of it reached the device: proved, not guessed."""


def say(event: str, **facts: Any) -> None:
    """Log one line to standard error."""
    told = " ".join(f"{name}={value}" for name, value in facts.items())
    sys.stderr.write("{} {} {}\n".format(time.strftime("%Y-%m-%d %H:%M:%S"), event, told))
    sys.stderr.flush()


# The wire -------------------------------------------------------------------------------------


def proof(key: bytes, role: str, id_: str, theirs: str, ours: str) -> bytes:
    """Return the MAC of one side of the greeting, or, for role `session`, the session's key."""
    text = f"fep-bridge|1|{role}|{id_}|{theirs}|{ours}"
    return hmac.new(key, text.encode("ascii", "replace"), hashlib.sha256).digest()


def packed(key: bytes, side: bytes, seq: int, head: dict[str, Any], body: bytes) -> bytes:
    """Return a frame: length, sequence, length of head, head, body, MAC."""
    told = json.dumps(head, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    content = struct.pack(">QI", seq, len(told)) + told + body
    mac = hmac.new(key, side + content, hashlib.sha256).digest()
    return struct.pack(">I", len(content) + MAC_SIZE) + content + mac


def unpacked(key: bytes, side: bytes, seq: int, frame: bytes) -> tuple[dict[str, Any], bytes]:
    """Return head and body of a frame without its length. Raises Ended."""
    if len(frame) < 12 + MAC_SIZE:
        raise Ended("short frame")
    content, mac = frame[:-MAC_SIZE], frame[-MAC_SIZE:]
    if not hmac.compare_digest(hmac.new(key, side + content, hashlib.sha256).digest(), mac):
        raise Ended("wrong mac")
    told_seq, size = struct.unpack(">QI", content[:12])
    if told_seq != seq:
        raise Ended(f"frame {told_seq} instead of {seq}")
    if size > min(HEAD_MAX, len(content) - 12):
        raise Ended("head too long")
    try:
        head = json.loads(content[12 : 12 + size])
    except (ValueError, RecursionError) as error:
        raise Ended("head is not JSON") from error
    if not isinstance(head, dict):
        raise Ended("head is not an object")
    return head, content[12 + size :]


class Wire:
    """One connection to the front-end, greeted and signed."""

    def __init__(self, sock: socket.socket, id_: str, key: bytes) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self._sent = self._heard = 0
        self._key = self._greet(id_, key)

    def _greet(self, id_: str, key: bytes) -> bytes:
        """Prove who we are, have the other prove it, return the session's key. Raises Ended."""
        theirs = str(self._plain(PLAIN_MAX).get("challenge", ""))
        if not re.fullmatch(r"[0-9a-f]{32,128}", theirs):
            raise Ended("no challenge")
        ours = os.urandom(32).hex()
        mac = proof(key, "bridge", id_, theirs, ours).hex()
        hello = {"id": id_, "challenge": ours, "mac": mac, "version": VERSION}
        raw = json.dumps(hello).encode("ascii")
        self._sock.sendall(struct.pack(">I", len(raw)) + raw)
        said = self._plain(PLAIN_MAX)
        right = proof(key, "daemon", id_, theirs, ours).hex()
        if not said.get("ok") or not hmac.compare_digest(str(said.get("mac", "")), right):
            raise Ended("refused: {}".format(str(said.get("why", "not our front-end"))[:80]))
        return proof(key, "session", id_, theirs, ours)

    def _plain(self, most: int) -> dict[str, Any]:
        try:
            told = json.loads(self._exactly(self._length(most)))
        except (ValueError, RecursionError) as error:
            raise Ended("not a greeting") from error
        if not isinstance(told, dict):
            raise Ended("not a greeting")
        return told

    def _length(self, most: int) -> int:
        size = int(struct.unpack(">I", self._exactly(4))[0])
        if size > most:
            raise Ended(f"frame of {size} bytes")
        return size

    def _exactly(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            try:
                more = self._sock.recv(min(65536, size - len(found)))
            except OSError as error:
                raise Ended(str(error) or "silent") from error
            if not more:
                raise Ended("closed")
            found += more
        return bytes(found)

    def receive(self) -> tuple[dict[str, Any], bytes]:
        """Return the next frame; waits DEAD_S at most. Raises Ended."""
        frame = self._exactly(self._length(FRAME_MAX))
        self._heard += 1
        return unpacked(self._key, b"D", self._heard, frame)

    def send(self, head: dict[str, Any], body: bytes = b"") -> bool:
        """Send a frame from any thread; False when the connection is over."""
        with self._lock:
            self._sent += 1
            try:
                self._sock.sendall(packed(self._key, b"B", self._sent, head, body))
            except OSError:
                # Part of a frame may have left: nothing can follow it.
                self.close()
                return False
        return True

    def close(self) -> None:
        """End the connection; the reading thread learns of it."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


# The journal ----------------------------------------------------------------------------------


class Entry:
    """One job or call. `state`: begun, done or failed; begun without a runner is unsure."""

    def __init__(self, id_: str, port: str, number: int, digest: str) -> None:
        self.id = id_
        self.port = port
        self.number = number
        self.digest = digest
        self.state = "begun"
        self.answer = b""
        self.why = ""
        self.at = 0


class Journal:
    """What was begun and how it ended, durable before and after. One process at a time.

    A torn last line is the mark of a crash and is dropped; damage anywhere else sets the file
    aside and begins a new journal with a new name, which the front-end notices.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._lock = threading.Lock()
        self._guard = locked(directory / "lock")
        if self._guard is None:
            raise Ended(f"another fep-bridge uses {directory}")
        self._path = directory / "journal.txt"
        self.name = ""
        self.count = 0
        self._floors: dict[str, int] = {}
        self._entries: dict[str, Entry] = {}
        self._load()
        if len(self._entries) > JOURNAL_MAX:
            self._thin()
        self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115  it stays open
        self._size = os.fstat(self._file.fileno()).st_size
        self._broken = False
        if not self.name:
            self.name = os.urandom(8).hex()
            self._write({"j": self.name})

    def _load(self) -> None:
        raw = self._path.read_bytes() if self._path.exists() else b""
        good = 0
        lines = raw.split(b"\n")
        for place, line in enumerate(lines[:-1]):
            record = _record(line)
            if record is None:
                if place == len(lines) - 2:
                    break
                aside = self._path.with_name(f"damaged-{int(time.time())}.txt")
                os.replace(self._path, aside)
                say("journal.damaged", line=place + 1, kept_as=aside)
                self.name, self.count, good, raw = "", 0, 0, b""
                self._entries, self._floors = {}, {}
                return
            self._take(record)
            good += len(line) + 1
        if good < len(raw):
            with open(self._path, "r+b") as file:
                file.truncate(good)
                os.fsync(file.fileno())

    def _take(self, record: dict[str, Any]) -> None:
        if "j" in record:
            self.name = record["j"]
            self.count = record.get("c", 0)
            self._floors = record.get("f", {})
            return
        entry = take(self._entries, record)
        if entry is not None:
            if entry.number:
                self._floors.setdefault(entry.port, entry.number)
            self.count += 1

    def _thin(self) -> None:
        """Forget the oldest that ended; what they prove no more is told by the floors."""
        rows = list(self._entries.values())
        old = rows[:-JOURNAL_KEPT]
        kept = [row for row in old if row.state == "begun"] + rows[-JOURNAL_KEPT:]
        for row in (row for row in old if row.number):
            self._floors[row.port] = max(self._floors.get(row.port, 0), row.number + 1)
        head = {"j": self.name, "c": self.count - len(kept), "f": self._floors}
        new = self._path.with_name("journal.new")
        with open(new, "wb") as file:
            file.write(_line(head))
            for row in kept:
                file.write(_line(_begun(row)))
                if row.state != "begun":
                    file.write(_line(_done(row)))
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self._path)
        _sync_directory(self.directory)
        self._entries = {row.id: row for row in kept}

    def _write(self, record: dict[str, Any]) -> None:
        """Append a line durably, or leave the file as it was. Raises OSError."""
        if self._broken:
            raise OSError("the journal could not be written: restart when the disk is well")
        raw, size, handle = _line(record), self._size, self._file.fileno()
        try:
            while raw:
                raw = raw[os.write(handle, raw) :]
            os.fsync(handle)
            self._size = os.fstat(handle).st_size
        except OSError:
            # Half a line must not stand before the next one; what fsync failed on is not known.
            self._broken = True
            with contextlib.suppress(OSError):
                os.ftruncate(handle, size)
                os.fsync(handle)
                self._broken = False
            raise

    def begin(self, id_: str, port: str, number: int, digest: str) -> Entry:
        """Note durably that this begins now; it must not exist yet. Raises OSError."""
        with self._lock:
            assert id_ not in self._entries, id_
            entry = Entry(id_, port, number, digest)
            entry.at = int(time.time())
            self._write(_begun(entry))
            self._entries[id_] = entry
            if number:
                self._floors.setdefault(port, number)
            self.count += 1
            return entry

    def end(self, entry: Entry, state: str, answer: bytes, why: str) -> None:
        """Note durably how it ended. Raises OSError."""
        with self._lock:
            entry.answer, entry.why = answer, why
            told = _done(entry)
            told["s"] = state
            self._write(told)
            entry.state = state

    def find(self, id_: str) -> Entry | None:
        """Return what is known of `id_`."""
        return self._entries.get(id_)

    def floor(self, port: str) -> int:
        """Return from which number on this journal knows everything of a port; 0: nothing."""
        return self._floors.get(port, 0)

    def before(self, id_: str, port: str) -> bytes:
        """Return the answer to the payment before `id_`; empty when a later one was begun."""
        rows = [row for row in self.entries() if row.port == port and row.number]
        if len(rows) < 2 or rows[-1].id != id_:
            return b""
        return rows[-2].answer

    def entries(self) -> list[Entry]:
        """Return all entries, oldest first."""
        return list(self._entries.values())


def written(directory: Path) -> list[Entry]:
    """Return the entries of a journal that another process may be writing; changes nothing."""
    try:
        lines = (directory / "journal.txt").read_bytes().split(b"\n")[:-1]
    except OSError:
        return []
    found: dict[str, Entry] = {}
    for record in filter(None, map(_record, lines)):
        take(found, record)
    return list(found.values())


def take(entries: dict[str, Entry], record: dict[str, Any]) -> Entry | None:
    """Take a record in; returns the entry when it is a new one."""
    if "b" in record:
        entry = Entry(record["b"], record["p"], record["n"], record["d"])
        entry.at = record.get("t", 0)
        entries[entry.id] = entry
        return entry
    if record.get("e") in entries:
        entry = entries[record["e"]]
        entry.state, entry.why = record["s"], record["w"]
        entry.answer = base64.b64decode(record["a"])
    return None


def _begun(row: Entry) -> dict[str, Any]:
    return {"b": row.id, "p": row.port, "n": row.number, "d": row.digest, "t": row.at}


def _done(row: Entry) -> dict[str, Any]:
    told = base64.b64encode(row.answer).decode("ascii")
    return {"e": row.id, "s": row.state, "a": told, "w": row.why}


def _line(record: dict[str, Any]) -> bytes:
    raw = json.dumps(record, separators=(",", ":")).encode("ascii")
    return b"%08x %s\n" % (binascii.crc32(raw), raw)


def _record(line: bytes) -> dict[str, Any] | None:
    crc, _, raw = line.partition(b" ")
    if crc != b"%08x" % binascii.crc32(raw):
        return None
    found = json.loads(raw)
    return found if isinstance(found, dict) else None


def _sync_directory(directory: Path) -> None:
    if not WINDOWS:
        handle = os.open(directory, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def locked(path: Path) -> Any | None:
    """Return the file with a lock that ends with this process, None when another has it."""
    file = open(path, "a+b")  # noqa: SIM115  the lock lives as long as the file
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0x7FFF0000)  # beyond what is written, which others may read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


# Ports: lines with two ways -------------------------------------------------------------------


class Line:
    """An open device. Reads and writes wait a moment at most; a loss is an OSError."""

    def read(self) -> bytes:
        """Return what has come within READ_S, empty for nothing."""
        raise OSError("nothing to read")

    def write(self, data: bytes) -> int:
        """Write what the device takes within WRITE_S; return how many bytes that was."""
        raise OSError("nothing to write to")

    def wake(self) -> None:
        """End a read that waits, from another thread."""

    def drop(self) -> None:
        """Forget what has not left yet."""

    def close(self) -> None:
        """Give the device back."""


class Bell:
    """Wakes a thread that waits for bytes."""

    def __init__(self) -> None:
        self._out, self._in = socket.socketpair()

    def ring(self) -> None:
        """Wake it."""
        with contextlib.suppress(OSError):
            self._in.send(b"!")

    def came(self, what: Any) -> bool:
        """Wait READ_S for bytes of `what`; False when none came, or the bell rang."""
        import select

        ready, _, _ = select.select([what, self._out], [], [], READ_S)
        return what in ready and self._out not in ready

    def close(self) -> None:
        """Take it down."""
        self._in.close()
        self._out.close()


class FileLine(Line):
    """A character device of Linux: /dev/usb/lp*, or a serial port set up by `serial_line`."""

    def __init__(self, path: str, serial: bool = False) -> None:
        flags = os.O_RDWR | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
        self._fd = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
        self._serial = serial
        self._bell = Bell()

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._fd

    def read(self) -> bytes:
        """Return what has come."""
        if not self._bell.came(self._fd):
            return b""
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return b""
        if not data:
            if self._serial or _hung_up(self._fd):
                raise OSError("unplugged")
            time.sleep(READ_S / 2)  # a printer that says nothing answers at once
        return data

    def write(self, data: bytes) -> int:
        """Write what the port takes."""
        import select

        _, ready, _ = select.select([], [self._fd], [], WRITE_S)
        if not ready:
            return 0
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0

    def drop(self) -> None:
        """Have the kernel forget what it still holds."""
        if self._serial and sys.platform != "win32":
            import termios

            with contextlib.suppress(OSError, termios.error):
                termios.tcflush(self._fd, termios.TCOFLUSH)

    def close(self) -> None:
        """Close."""
        self._bell.close()
        os.close(self._fd)

    def wake(self) -> None:
        """End a read."""
        self._bell.ring()


def _hung_up(handle: int) -> bool:
    import select

    look = select.poll()
    look.register(handle, select.POLLIN)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in look.poll(0))


class SocketLine(Line):
    """A network printer that only this PC can reach."""

    def __init__(self, host: str, port: int) -> None:
        self._sock = socket.create_connection((host, port), CONNECT_S)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._sock.setblocking(False)
        self._bell = Bell()

    def read(self) -> bytes:
        """Return what has come."""
        if not self._bell.came(self._sock):
            return b""
        data = self._sock.recv(READ_BYTES)
        if not data:
            raise OSError("closed")
        return data

    def write(self, data: bytes) -> int:
        """Write what the socket takes."""
        import select

        _, ready, _ = select.select([], [self._sock], [], WRITE_S)
        return self._sock.send(data) if ready else 0

    def drop(self) -> None:
        """Close without sending what waits."""
        linger = struct.pack("HH" if WINDOWS else "ii", 1, 0)
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def close(self) -> None:
        """Close."""
        self._bell.close()
        self._sock.close()

    def wake(self) -> None:
        """End a read."""
        self._bell.ring()


def _ours_alone(fd: int) -> None:
    """Lock a port; who lets go of it just now is waited for. Raises BlockingIOError."""
    import fcntl

    until = time.monotonic() + LET_GO_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def serial_line(path: str, baud: int, parity: str, flow: str) -> Line:
    """Return an open serial port, ours alone. Raises OSError, BlockingIOError when taken."""
    if sys.platform == "win32":
        return ComLine(path, baud, parity, flow)
    import termios

    line = FileLine(path, serial=True)
    try:
        _ours_alone(line.fileno())
        speed = getattr(termios, f"B{baud}")
        control = termios.CREAD | termios.CLOCAL | termios.CS8
        if parity in ("even", "odd"):
            control |= termios.PARENB | (termios.PARODD if parity == "odd" else 0)
        if flow == "rtscts":
            control |= termios.CRTSCTS
        into = termios.IXON | termios.IXOFF if flow == "xonxoff" else 0
        special: list[Any] = [b"\0"] * 32
        special[termios.VMIN], special[termios.VTIME] = 0, 0
        special[termios.VSTART], special[termios.VSTOP] = b"\x11", b"\x13"
        setting = [into, 0, control, 0, speed, speed, special]
        termios.tcsetattr(line.fileno(), termios.TCSANOW, setting)
        # What came for the last user is nobody's now.
        termios.tcflush(line.fileno(), termios.TCIFLUSH)
    except termios.error as error:
        line.close()
        raise OSError(f"not a serial port: {error}") from error
    except BaseException:
        line.close()
        raise
    return line


if sys.platform == "win32":
    from ctypes import wintypes

    class ComLine(Line):
        """A serial port of Windows, opened for us alone, with short waits."""

        def __init__(self, name: str, baud: int, parity: str, flow: str) -> None:
            self._api = ctypes.WinDLL("kernel32", use_last_error=True)
            self._api.CreateFileW.restype = wintypes.HANDLE
            handle = self._api.CreateFileW("\\\\.\\" + name, 0xC0000000, 0, None, 3, 0, None)
            if handle == wintypes.HANDLE(-1).value:
                raise ctypes.WinError(ctypes.get_last_error())
            self._handle = wintypes.HANDLE(handle)
            control = ctypes.create_string_buffer(64)  # a DCB, which is 28 bytes long
            control[0] = b"\x1c"
            words = (
                f"baud={baud} parity={parity[0]} data=8 stop=1 to=off"
                f" xon={'on' if flow == 'xonxoff' else 'off'}"
                f" odsr={'on' if flow == 'dsrdtr' else 'off'}"
                f" octs={'on' if flow == 'rtscts' else 'off'}"
                f" dtr={'hs' if flow == 'dsrdtr' else 'on'}"
                f" rts={'hs' if flow == 'rtscts' else 'on'}"
            )
            waits = (wintypes.DWORD * 5)(
                0xFFFFFFFF, 0xFFFFFFFF, int(READ_S * 500), 0, int(WRITE_S * 1000)
            )
            good = (
                self._api.GetCommState(self._handle, control)
                and self._api.BuildCommDCBW(words, control)
                and self._api.SetCommState(self._handle, control)
                and self._api.SetCommTimeouts(self._handle, waits)
            )
            if not good:
                error = ctypes.WinError(ctypes.get_last_error())
                self.close()
                raise error
            self._api.PurgeComm(self._handle, 0x0008 | 0x0002)

        def read(self) -> bytes:
            """Return what has come."""
            buffer, got = ctypes.create_string_buffer(READ_BYTES), wintypes.DWORD()
            if not self._api.ReadFile(self._handle, buffer, READ_BYTES, ctypes.byref(got), None):
                raise ctypes.WinError(ctypes.get_last_error())
            return buffer.raw[: got.value]

        def write(self, data: bytes) -> int:
            """Write what the port takes."""
            sent = wintypes.DWORD()
            part = data[:READ_BYTES]
            if not self._api.WriteFile(self._handle, part, len(part), ctypes.byref(sent), None):
                raise ctypes.WinError(ctypes.get_last_error())
            return int(sent.value)

        def drop(self) -> None:
            """Purge what the driver holds."""
            self._api.PurgeComm(self._handle, 0x0001 | 0x0004)

        def close(self) -> None:
            """Close."""
            self._api.CloseHandle(self._handle)


# Ports: print queues of the operating system --------------------------------------------------

# Bits of PRINTER_INFO_6 and of the status lines of a parallel or USB port.
SPOOL_BITS = (
    (0x1, "paused"), (0x2, "error"), (0x8, "jam"), (0x10, "paper_end"), (0x80, "offline"),
    (0x800, "output_full"), (0x40000, "toner"), (0x400000, "cover_open"),
)  # fmt: skip


def spool(queue: str, name: str, body: bytes) -> None:
    """Hand a job over raw. Raises NotStarted when the queue took nothing, else OSError."""
    if sys.platform == "win32":
        _spool_windows(queue, name, body)
        return
    program = shutil.which("lp")
    if program is None:
        raise NotStarted("no lp command on this PC")
    command = [program, "-d", queue, "-o", "raw", "-t", name, "-"]
    done = subprocess.run(command, input=body, capture_output=True, timeout=60, check=False)
    if done.returncode:
        # lp hands a job over whole or not at all.
        raise NotStarted(done.stderr.decode("utf-8", "replace").strip()[:200])


def spool_state(queue: str) -> list[str]:
    """Return what stops a print queue, empty for nothing."""
    if sys.platform == "win32":
        return _spool_state_windows(queue)
    program = shutil.which("lpstat")
    if program is None:
        return ["absent"]
    command = [program, "-p", queue]
    try:
        done = subprocess.run(command, capture_output=True, timeout=5, check=False)
    except subprocess.TimeoutExpired:
        return ["error"]
    if done.returncode:
        return ["absent"]
    return ["paused"] if b"disabled" in done.stdout else []


if sys.platform == "win32":

    class _Document(ctypes.Structure):
        _fields_ = [
            ("name", wintypes.LPWSTR), ("file", wintypes.LPWSTR), ("type", wintypes.LPWSTR),
        ]  # fmt: skip

    def _opened(queue: str) -> tuple[Any, Any]:
        api, handle = ctypes.WinDLL("winspool.drv", use_last_error=True), wintypes.HANDLE()
        if not api.OpenPrinterW(queue, ctypes.byref(handle), None):
            raise NotStarted(str(ctypes.WinError(ctypes.get_last_error())))
        return api, handle

    def _spool_windows(queue: str, name: str, body: bytes) -> None:
        api, handle = _opened(queue)
        try:
            document = _Document(name, None, "RAW")
            if not api.StartDocPrinterW(handle, 1, ctypes.byref(document)):
                raise NotStarted(str(ctypes.WinError(ctypes.get_last_error())))
            sent, good = wintypes.DWORD(), bool(api.StartPagePrinter(handle))
            while good and body:
                good = bool(api.WritePrinter(handle, body, len(body), ctypes.byref(sent)))
                good = good and sent.value > 0
                body = body[sent.value :]
            good = good and bool(api.EndPagePrinter(handle))
            if not good:
                api.AbortPrinter(handle)
            if not api.EndDocPrinter(handle) or not good:
                raise ctypes.WinError(ctypes.get_last_error())
        finally:
            api.ClosePrinter(handle)

    def _spool_state_windows(queue: str) -> list[str]:
        try:
            api, handle = _opened(queue)
        except NotStarted:
            return ["absent"]
        try:
            state, needed = wintypes.DWORD(), wintypes.DWORD()
            good = api.GetPrinterW(handle, 6, ctypes.byref(state), 4, ctypes.byref(needed))
            if not good:
                return ["error"]
            return [word for bit, word in SPOOL_BITS if state.value & bit]
        finally:
            api.ClosePrinter(handle)


# What is lent ---------------------------------------------------------------------------------


class Lent:
    """One lent thing out of the settings. `kind`: serial, usblp, tcp, spool or bankall."""

    def __init__(self, name: str, table: dict[str, str]) -> None:
        self.name = name
        self.kind = table.pop("kind", "")
        needs = {"serial": "path", "usblp": "path", "tcp": "host", "spool": "queue",
                 "bankall": "library"}  # fmt: skip
        if self.kind not in needs or not table.get(needs[self.kind]):
            raise ValueError(
                "[port {}] kind and {}".format(name, needs.get(self.kind, "its address"))
            )
        self.path = table.pop("path", "")
        self.baud = int(table.pop("baud", "9600"))
        self.parity = table.pop("parity", "none")
        self.flow = table.pop("flow", "none")
        self.host = table.pop("host", "")
        self.port = int(table.pop("port", "9100"))
        self.queue = table.pop("queue", "")
        self.library = table.pop("library", "")
        self.function = table.pop("function", "bankall")
        self.convention = table.pop("convention", "stdcall")
        self.user = threading.Lock()
        self.seen: list[str] = []
        if table:
            raise ValueError("[port {}] takes no {}".format(name, ", ".join(sorted(table))))

    @property
    def two_way(self) -> bool:
        """Say whether it is a line of bytes."""
        return self.kind in ("serial", "usblp", "tcp")

    def open(self) -> Line:
        """Return the open line. Raises OSError."""
        if self.kind == "serial":
            return serial_line(self.path, self.baud, self.parity, self.flow)
        if self.kind == "usblp":
            return FileLine(self.path)
        return SocketLine(self.host, self.port)

    def state(self) -> list[str]:
        """Return what is wrong with it, as it was seen last."""
        return ["in_use"] if self.user.locked() else self.seen

    def look(self) -> list[str]:
        """Look what is wrong with it, as far as one can see without using it; may take a while."""
        if self.kind == "spool":
            return spool_state(self.queue)
        if self.kind == "usblp":
            if not self.user.acquire(blocking=False):
                return self.seen
            try:
                return _parallel_state(self.path)
            finally:
                self.user.release()
        place = self.path if self.kind == "serial" and not WINDOWS else self.library
        return [] if not place or Path(place).exists() else ["absent"]

    def told(self) -> dict[str, Any]:
        """Return it as the front-end is told of it."""
        return {"name": self.name, "kind": self.kind, "state": self.state()}


def _parallel_state(path: str) -> list[str]:
    """Read the status lines of a USB printer: paper out, not selected, error."""
    if sys.platform == "win32":
        return []
    import fcntl

    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        return ["in_use"] if isinstance(error, BlockingIOError) or error.errno == 16 else ["absent"]
    try:
        got = fcntl.ioctl(handle, 0x060B, b"\0" * 4)  # LPGETSTATUS
    except OSError:
        return []
    finally:
        os.close(handle)
    lines = got[0]
    words = ((0x20, "paper_end"),) if lines & 0x20 else ()
    found = [word for _, word in words]
    if not lines & 0x10:
        found.append("offline")
    return found if lines & 0x08 or found else ["error"]


class Channel:
    """A line lent to the front-end: one thread writes, one reads, both end within a second."""

    def __init__(self, number: int, lent: Lent, line: Line, tell: Callable[..., bool],
                 gone: Callable[[Channel], None]) -> None:  # fmt: skip
        self.number = number
        self._lent = lent
        self._line = line
        self._tell = tell
        self._gone = gone
        self._more = threading.Condition()
        self._queue: deque[bytes] = deque()
        self._waiting = 0
        self._written = 0
        self._closing = self._dropped = False
        self._lost = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._writer = threading.Thread(target=self._write, daemon=True)

    def start(self) -> None:
        """Begin to carry bytes."""
        self._reader.start()
        self._writer.start()

    def feed(self, data: bytes) -> bool:
        """Take bytes for the device; False when that is more than may wait."""
        with self._more:
            if self._waiting + len(data) > BUFFER_MAX:
                return False
            self._queue.append(data)
            self._waiting += len(data)
            self._more.notify()
        return True

    def close(self, drop: bool) -> None:
        """End, after what waits has left, or without it."""
        with self._more:
            self._closing = True
            self._dropped = self._dropped or drop
            self._more.notify()

    def wait(self, seconds: float) -> None:
        """Wait for the end."""
        self._writer.join(seconds)

    def _read(self) -> None:
        while not self._closing and not self._lost:
            try:
                data = self._line.read()
            except (OSError, ValueError) as error:
                self._lost = str(error) or "lost"
                with self._more:
                    self._more.notify()
                return
            if data and not self._closing:
                self._tell({"op": "data", "ch": self.number}, data)

    def _next(self) -> bytes | None:
        with self._more:
            while not self._queue and not self._closing and not self._lost:
                self._more.wait()
            if self._lost or self._dropped or not self._queue:
                return None
            return self._queue.popleft()

    def _write(self) -> None:
        data = self._next()
        while data is not None:
            data = self._put(data)
            if data is None:
                data = self._next()
                continue
            break
        if self._dropped:
            self._line.drop()
        self._closing_down()

    def _put(self, data: bytes) -> bytes | None:
        """Write a chunk; returns None when all of it left."""
        while data:
            if self._lost or self._dropped:
                return data
            try:
                sent = self._line.write(data)
            except (OSError, ValueError) as error:
                self._lost = str(error) or "lost"
                return data
            data = data[sent:]
            self._written += sent
            with self._more:
                self._waiting -= sent
            if sent:
                self._tell({"op": "wrote", "ch": self.number, "n": self._written})
        return None

    def _closing_down(self) -> None:
        told = self._closing
        self._closing = True
        self._line.wake()
        self._reader.join(2.0)
        self._line.close()
        self._lent.user.release()
        self._gone(self)
        if not told:
            self._tell({"op": "lost", "ch": self.number, "why": self._lost[:200]})


# The POS library ------------------------------------------------------------------------------


class Clerk:
    """Calls the vendor's library in a process of its own, which outlives a crash of ours.

    The child says when it has the library, takes one request, keeps a lock while it calls, and
    leaves its answer in a file before it tells it: a bridge that was killed finds it there.
    """

    def __init__(self, lent: Lent, answers: Path) -> None:
        self._lent = lent
        self._answers = answers
        answers.mkdir(parents=True, exist_ok=True)

    def place(self, id_: str) -> Path:
        """Return where the answer of a call stands."""
        return self._answers / (id_ + ".answer")

    def hire(self, id_: str) -> subprocess.Popen[bytes]:
        """Start a child that has the library loaded. Raises NotStarted."""
        lent = self._lent
        command = [sys.executable, os.path.abspath(__file__), "--call", lent.library,
                   lent.function, lent.convention, str(self.place(id_))]  # fmt: skip
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=not WINDOWS, creationflags=0x08000000 if WINDOWS else 0,
        )  # fmt: skip
        assert child.stdout is not None
        alarm = threading.Timer(LOAD_S, child.kill)
        alarm.start()
        word = child.stdout.readline(200).decode("utf-8", "replace").strip()
        alarm.cancel()
        if word != "ready":
            child.kill()
            child.wait()
            self.done(id_)
            raise NotStarted(word or "the library cannot be loaded")
        return child

    def call(self, child: subprocess.Popen[bytes], id_: str, request: bytes) -> bytes:
        """Have it call; waits CALL_S. Raises OSError when nobody knows what happened."""
        try:
            child.communicate(struct.pack(">I", len(request)) + request, CALL_S)
        except subprocess.TimeoutExpired:
            # It is left alone: to kill it may break a payment that still goes on.
            raise OSError("no answer in time") from None
        answer = answered(self.place(id_))
        if answer is None:
            raise OSError("the library ended without an answer")
        return answer

    def running(self, id_: str) -> bool:
        """Say whether a child still calls for `id_`."""
        if not self.place(id_).exists():
            return False
        lock = locked(self.place(id_))
        if lock is None:
            return True
        lock.close()
        return False

    def done(self, id_: str) -> None:
        """Forget the file of an answer that the journal has."""
        with contextlib.suppress(OSError):
            self.place(id_).unlink()


def answered(path: Path) -> bytes | None:
    """Return the whole answer in a file, None for none."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    record = _record(raw.rstrip(b"\n"))
    return base64.b64decode(record["answer"]) if record else None


def call_library(library: str, function: str, convention: str, path: str) -> int:
    """Run as the child: load, say so, take a request, call, leave the answer."""
    try:
        place = os.path.dirname(os.path.abspath(library))
        os.chdir(place)  # the vendors look for their files where they are called
        loader = ctypes.CDLL
        if sys.platform == "win32" and convention == "stdcall":
            loader = ctypes.WinDLL
        call = getattr(loader(os.path.abspath(library)), function)
    except (OSError, AttributeError) as error:
        sys.stdout.write("{}\n".format(str(error).replace("\n", " ")[:180]))
        sys.stdout.flush()
        return 1
    file = locked(Path(path))
    if file is None:
        return 1
    out = sys.stdout.buffer
    out.write(b"ready\n")
    out.flush()
    head = sys.stdin.buffer.read(4)
    size = struct.unpack(">I", head)[0] if len(head) == 4 else 0
    request = sys.stdin.buffer.read(size)
    if not request or len(request) != size:  # our parent died while it asked
        return 1
    answer = ctypes.create_string_buffer(ANSWER_MAX)
    asked = ctypes.create_string_buffer(request)
    code = call(asked, answer)
    told = {"answer": base64.b64encode(answer.raw.rstrip(b"\0")).decode("ascii"), "code": code}
    file.write(_line(told))
    file.flush()
    os.fsync(file.fileno())
    return 0


# The bridge -----------------------------------------------------------------------------------


class Bridge:
    """Holds the connection, the journal and what is lent."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.journal = Journal(settings.journal)
        self._clerks = {
            lent.name: Clerk(lent, settings.journal / ("calls-" + lent.name))
            for lent in settings.ports.values()
            if lent.kind == "bankall"
        }
        self._wire: Wire | None = None
        self._channels: dict[int, Channel] = {}
        self._running: dict[str, float] = {}
        self._orphans: dict[str, str] = {}
        self._lock = threading.Lock()
        self._asked: dict[int, list[Any]] = {}
        self._asks = 0

    # the connection
    def run(self) -> None:
        """Connect for ever."""
        self._collect()
        self._look()
        threading.Thread(target=self._watch, daemon=True).start()
        turn = 0
        while True:
            begun = time.monotonic()
            try:
                self._serve()
            except (Ended, OSError, ValueError, TypeError) as error:
                # What makes no sense ends the connection, never the bridge.
                say("link.ended", why=str(error)[:200])
            if time.monotonic() - begun > BACK_OFF_S[-1]:
                turn = 0
            # Bridges of one room do not return as one.
            share = 0.8 + 0.4 * os.urandom(1)[0] / 255
            time.sleep(BACK_OFF_S[min(turn, len(BACK_OFF_S) - 1)] * self._settings.pace * share)
            turn += 1

    def _serve(self) -> None:
        settings = self._settings
        sock = socket.create_connection((settings.host, settings.port), CONNECT_S)
        try:
            sock.settimeout(DEAD_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if settings.tls is not None:
                sock = settings.tls.wrap_socket(sock, server_hostname=settings.server_name)
            wire = Wire(sock, settings.id, settings.key)
            self._wire = wire
            say("link.open", server=f"{settings.host}:{settings.port}")
            wire.send(self._hello())
            while True:
                self._heard(*wire.receive())
        finally:
            self._wire = None
            sock.close()
            self._end_channels()

    def _watch(self) -> None:
        """Look at what is lent, and tell when something changed."""
        turn, before = 0, self._hello()["ports"]
        while True:
            time.sleep(GLANCE_S)
            turn += 1
            if turn * GLANCE_S >= LOOK_S:
                turn = 0
                self._look()
            after = self._hello()["ports"]
            if before != after:
                self.tell({**self._hello(), "op": "pong"})
            before = after

    def _look(self) -> None:
        for lent in self._settings.ports.values():
            try:
                lent.seen = lent.look()
            except (OSError, subprocess.SubprocessError, ValueError):
                lent.seen = ["error"]

    def _hello(self) -> dict[str, Any]:
        return {
            "op": "hello", "version": VERSION, "host": platform.node()[:60],
            "system": platform.system(), "journal": self.journal.name,
            "entries": self.journal.count,
            "ports": [self._port(lent) for lent in self._settings.ports.values()],
        }  # fmt: skip

    def _port(self, lent: Lent) -> dict[str, Any]:
        told = lent.told()
        if self._elsewhere(lent.name):
            told["state"] = ["in_use"]
        return told

    def tell(self, head: dict[str, Any], body: bytes = b"") -> bool:
        """Send a frame over the connection of the moment, if there is one."""
        wire = self._wire
        return wire is not None and wire.send(head, body)

    def _heard(self, head: dict[str, Any], body: bytes) -> None:
        op, id_ = str(head.get("op")), str(head.get("id", ""))
        if op == "ping":
            self.tell({**self._hello(), "op": "pong"})
        elif op == "open":
            arguments = (int(head.get("ch", 0)), str(head.get("port", "")))
            threading.Thread(target=self._open, args=arguments, daemon=True).start()
        elif op in ("data", "close", "abort"):
            self._passed(op, int(head.get("ch", 0)), body)
        elif op in ("job", "call"):
            self._begin(op, id_, str(head.get("port", "")), int(head.get("n", 0)), body)
        elif op == "ask":
            self._answer(id_, str(head.get("port", "")))
        elif op == "extended":
            self._extended(int(head.get("rid", 0)), int(head.get("status", 200)), body)
        else:
            raise Ended(f"unknown op {op[:20]!r}")

    # lines
    def _open(self, number: int, name: str) -> None:
        wire, lent = self._wire, self._settings.ports.get(name)
        refused = {"op": "refused", "ch": number}
        if lent is None or not lent.two_way:
            self.tell({**refused, "why": "absent", "text": "no such port"})
            return
        if not lent.user.acquire(timeout=2.0):
            self.tell({**refused, "why": "busy", "text": "in use"})
            return
        try:
            line = lent.open()
        except (OSError, ValueError, AttributeError) as error:
            lent.user.release()
            # Windows says of a port in use that access is denied.
            taken = (BlockingIOError, ConnectionRefusedError, *((PermissionError,) * WINDOWS))
            busy = isinstance(error, taken) or getattr(error, "errno", 0) == 16
            why = "busy" if busy else "absent"
            self.tell({**refused, "why": why, "text": str(error)[:200]})
            return
        channel = Channel(number, lent, line, self.tell, self._closed)
        self._channels[number] = channel
        self.tell({"op": "opened", "ch": number})
        channel.start()
        if self._wire is not wire:  # the connection that asked for it is over
            channel.close(drop=True)

    def _closed(self, channel: Channel) -> None:
        if self._channels.get(channel.number) is channel:
            del self._channels[channel.number]

    def _passed(self, op: str, number: int, body: bytes) -> None:
        channel = self._channels.get(number)
        if channel is None:
            return
        if op == "data":
            if not channel.feed(body):
                raise Ended(f"more than {BUFFER_MAX} bytes wait")
        else:
            channel.close(drop=op == "abort")

    def _end_channels(self) -> None:
        for channel in list(self._channels.values()):
            channel.close(drop=True)
        for channel in list(self._channels.values()):
            channel.wait(5.0)

    # jobs and calls
    def _begin(self, op: str, id_: str, name: str, number: int, body: bytes) -> None:
        lent = self._settings.ports.get(name)
        kind = "spool" if op == "job" else "bankall"
        digest = hashlib.sha256(op.encode() + b"|" + name.encode() + b"|" + body).hexdigest()
        entry = self.journal.find(id_)
        if entry is not None and entry.digest != digest:
            self._told(id_, name, "conflict", b"", "the id was used for something else")
        elif entry is not None or id_ in self._running:
            self._answer(id_, name)
        elif not ID.fullmatch(id_) or lent is None or lent.kind != kind or not body:
            self._told(id_, name, "failed", b"", "no such port, or nothing to do")
        elif len(self._running) >= JOBS_MAX or len(body) > JOB_MAX:
            self._told(id_, name, "busy", b"", "too much at once")
        elif self._elsewhere(name) or not lent.user.acquire(blocking=False):
            self._told(id_, name, "busy", b"", "in use")
        else:
            self._running[id_] = time.monotonic()
            work = self._job if op == "job" else self._call
            self._aside(self._carry, work, lent, id_, number, digest, body)

    def _aside(self, work: Callable[..., None], *arguments: Any) -> None:
        """Let something go on while the connection is served."""
        threading.Thread(target=work, args=arguments, daemon=True).start()

    def _carry(self, work: Callable[..., None], lent: Lent, id_: str, *rest: Any) -> None:
        """Carry out, then tell: whoever hears the answer finds the port free."""
        refused = ""
        try:
            work(lent, id_, *rest)
        except NotStarted as error:
            refused = str(error) or "not started"
            entry = self.journal.find(id_)
            if entry is not None:
                self.journal.end(entry, "failed", b"", refused[:200])
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            say("work.unsure", port=lent.name, id=id_, why=str(error)[:200])
            if lent.kind == "bankall":
                self._orphans[id_] = lent.name
        finally:
            self._running.pop(id_, None)
            lent.user.release()
        if refused:
            self._told(id_, lent.name, "failed", b"", refused)
        else:
            self._answer(id_, lent.name)

    def _job(self, lent: Lent, id_: str, number: int, digest: str, body: bytes) -> None:
        entry = self.journal.begin(id_, lent.name, number, digest)
        self.tell({"op": "begun", "id": id_, "port": lent.name})
        spool(lent.queue, "fep " + id_, body)
        self.journal.end(entry, "done", b"", "")

    def _call(self, lent: Lent, id_: str, number: int, digest: str, body: bytes) -> None:
        clerk = self._clerks[lent.name]
        child = clerk.hire(id_)
        try:
            entry = self.journal.begin(id_, lent.name, number, digest)
        except OSError:
            child.kill()
            raise
        self.tell({"op": "begun", "id": id_, "port": lent.name})
        answer = clerk.call(child, id_, body)
        self.journal.end(entry, "done", answer, "")
        clerk.done(id_)

    def _elsewhere(self, name: str) -> bool:
        """Say whether a child of an earlier run still calls the library."""
        clerk = self._clerks.get(name)
        if clerk is None:
            return False
        with self._lock:
            for id_ in [id_ for id_ in self._orphans if self._orphans[id_] == name]:
                if not clerk.running(id_):
                    del self._orphans[id_]
            return name in self._orphans.values()

    def _collect(self) -> None:
        """Take the answers that children of an earlier run left."""
        for entry in self.journal.entries():
            clerk = self._clerks.get(entry.port)
            if entry.state == "begun" and clerk is not None:
                self._orphans[entry.id] = entry.port
                self._collected(entry, clerk)

    def _collected(self, entry: Entry, clerk: Clerk) -> None:
        answer = answered(clerk.place(entry.id))
        if answer is not None and entry.id not in self._running:
            with self._lock:
                if entry.state == "begun":
                    self.journal.end(entry, "done", answer, "")
                    clerk.done(entry.id)

    def _answer(self, id_: str, name: str) -> None:
        """Tell what is known of a job or call."""
        entry = self.journal.find(id_)
        if id_ in self._running:
            self._told(id_, name, "running", b"", "")
        elif entry is None:
            self._told(id_, name, "absent", b"", "")
        elif entry.state == "begun":
            clerk = self._clerks.get(entry.port)
            if clerk is not None:
                self._collected(entry, clerk)
                if entry.state == "begun" and clerk.running(id_):
                    self._told(id_, name, "running", b"", "")
                    return
            state = "unsure" if entry.state == "begun" else entry.state
            self._told(id_, name, state, entry.answer, entry.why)
        else:
            self._told(id_, name, entry.state, entry.answer, entry.why)

    def _told(self, id_: str, name: str, state: str, answer: bytes, why: str) -> None:
        before = self.journal.before(id_, name) if state in ("done", "unsure") else b""
        self.tell(
            {"op": "answer", "id": id_, "port": name, "state": state, "why": why[:200],
             "floor": self.journal.floor(name), "journal": self.journal.name,
             "entries": self.journal.count, "before": len(before)},
            answer + before,
        )  # fmt: skip

    # programs of this PC
    def extend(self, query: str, body: bytes) -> tuple[int, bytes]:
        """Pass a call of the local print component on; (502, …) when nobody answers."""
        event = threading.Event()
        with self._lock:
            if len(self._asked) >= EXTENDS_MAX:
                return 503, b"T2005"
            self._asks += 1
            rid = self._asks
            slot: list[Any] = [event, 502, b"T2005"]
            self._asked[rid] = slot
        try:
            sent = query.encode("ascii", "replace") + (b"&" + body if body else b"")
            if self.tell({"op": "extend", "rid": rid}, sent):
                event.wait(EXTEND_S)
            return slot[1], slot[2]
        finally:
            with self._lock:
                del self._asked[rid]

    def _extended(self, rid: int, status: int, body: bytes) -> None:
        slot = self._asked.get(rid)
        if slot is not None:
            slot[1], slot[2] = status, body
            slot[0].set()


class _Counter(BaseHTTPRequestHandler):
    """The local print component: /extend, and whether we are there."""

    timeout = 30
    server_version = "fep-bridge"
    sys_version = ""
    bridge: Bridge

    def do_GET(self) -> None:
        """Answer a call whose payload is in the address."""
        self._answer(b"")

    def do_POST(self) -> None:
        """Answer a call that may bear a body."""
        try:
            size = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            size = -1
        if not 0 <= size <= BODY_MAX:
            self._send(413, b"T2004")
            return
        self._answer(self.rfile.read(size))

    def _answer(self, body: bytes) -> None:
        where = urllib.parse.urlsplit(self.path)
        if where.path.rstrip("/") != "/extend":
            self._send(404, b"not found")
            return
        self._send(*self.bridge.extend(where.query, body))

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain;charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: an address bears what patients paid."""


class _Counters(ThreadingHTTPServer):
    """At most EXTENDS_MAX calls at once; the others wait in the listen queue."""

    daemon_threads = True

    def __init__(self, port: int, bridge: Bridge) -> None:
        super().__init__(("127.0.0.1", port), type("_C", (_Counter,), {"bridge": bridge}))
        self._room = threading.BoundedSemaphore(EXTENDS_MAX)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread when there is room."""
        self._room.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, then make room."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A program that went away is no event."""


# Settings and start ---------------------------------------------------------------------------


class Settings(NamedTuple):
    """What bridge.ini says."""

    id: str
    host: str
    port: int
    key: bytes
    journal: Path
    tls: ssl.SSLContext | None
    server_name: str
    extend_port: int
    pace: float
    ports: dict[str, Lent]


def read_settings(path: Path) -> Settings:
    """Return the settings. Raises ValueError, OSError, configparser.Error."""
    file = configparser.ConfigParser(interpolation=None)
    with open(path, encoding="utf-8-sig") as text:
        file.read_file(text)
    root = path.resolve().parent
    table = dict(file["bridge"]) if file.has_section("bridge") else {}
    id_, server = table.pop("id", ""), table.pop("server", "")
    host, _, port = server.rpartition(":")
    if not ID.fullmatch(id_) or not host or not port.isdigit():
        raise ValueError("[bridge] needs id and server = host:port")
    key_file = root / table.pop("key_file", "bridge.key")
    key = bytes.fromhex(key_file.read_text("ascii").strip())
    if len(key) < 16:
        raise ValueError(f"{key_file}: at least 32 hexadecimal digits")
    journal = root / table.pop("journal", "journal")
    tls, ca = table.pop("tls", "no") == "yes", table.pop("ca_file", "")
    context = ssl.create_default_context(cafile=str(root / ca) if ca else None) if tls else None
    name = table.pop("server_name", "") or host.strip("[]")
    extend_port = int(table.pop("extend_port", str(EXTEND_PORT)))
    pace = float(table.pop("pace", "1"))
    if table:
        raise ValueError("[bridge] takes no {}".format(", ".join(sorted(table))))
    ports = {}
    for section in file.sections():
        word, _, called = section.partition(" ")
        if word == "port" and ID.fullmatch(called):
            ports[called] = Lent(called, dict(file[section]))
        elif section != "bridge":
            raise ValueError(f"unknown section [{section}]")
    return Settings(id_, host.strip("[]"), int(port), key, journal, context, name, extend_port,
                    pace, ports)  # fmt: skip


HELP = """fep-bridge [bridge.ini]            lend what bridge.ini names
fep-bridge --check [bridge.ini]    look at it and its ports, without the front-end
fep-bridge --journal [bridge.ini]  what was done, without amounts or cards"""


def check(settings: Settings) -> int:
    """Print what is lent and how it is."""
    bad = 0
    for lent in settings.ports.values():
        shut = _tried(lent)
        state = lent.look() + shut
        bad += bool(shut) or "absent" in state
        print(f"{lent.name:<16} {lent.kind:<8} {' '.join(state) or 'ok'}")
    return 1 if bad else 0


def _tried(lent: Lent) -> list[str]:
    """Open and close a port of which nothing else can be seen; a running bridge may hold it."""
    if lent.kind != "tcp" and not (lent.kind == "serial" and WINDOWS):
        return []
    try:
        lent.open().close()
    except OSError as error:
        return [f"does not open: {error}"]
    return []


def show(settings: Settings) -> int:
    """Print the journal, also while the bridge runs."""
    for entry in written(settings.journal):
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.at))
        print(f"{at} {entry.port:<12} {entry.id:<24} {entry.state:<7} {entry.why}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["--call"] and len(words) == 5:
        return call_library(*words[1:])
    if words[:1] in (["-h"], ["--help"]):
        print(HELP)
        return 0
    verb = words.pop(0) if words and words[0] in ("--check", "--journal") else ""
    beside = Path(os.path.abspath(__file__)).parent / "bridge.ini"
    try:
        settings = read_settings(Path(words[0]) if words else beside)
        if verb:
            return check(settings) if verb == "--check" else show(settings)
        bridge = Bridge(settings)
    except (ValueError, OSError, configparser.Error, Ended) as error:
        sys.stderr.write(f"fep-bridge: {error}\n")
        return 2
    if settings.extend_port:
        try:
            counters = _Counters(settings.extend_port, bridge)
            threading.Thread(target=counters.serve_forever, daemon=True).start()
        except OSError as error:  # most often the vendor's own component still runs
            say("extend.off", port=settings.extend_port, why=error)
    try:
        bridge.run()
    except KeyboardInterrupt:
        say("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
