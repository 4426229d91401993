"""The terminal: takes requests, leads the payer through card, PIN and host, answers.

Rules: what its book holds outlives the power, a payment under way does not; an answer of the
host that it never wrote down is reversed at the next sign-in or payment; a command that comes
twice is carried out twice, for that is what a careless driver has to be shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fep.sim.pos import wire
from fep.sim.pos.book import Book, Entry
from fep.sim.pos.host import Host
from fep.sim.pos.knobs import Knobs
from fep.sim.pos.wire import FS, Ear, Request

PAYS = {"01": "pay", "S2": "pay", "10": "pay"}
VOIDS = {"02": "void", "S3": "void", "12": "void"}
REFUNDS = {"03": "refund", "S4": "refund"}
OPS = {**PAYS, **VOIDS, **REFUNDS}
PAN = "6222021234567890123"
TRACK2 = f"{PAN}=30102010000000000000"
QR = "https://pay.example/q/"
DIE_AFTER_S = 0.05
_HEAD = 5  # command and merchant


def nobody(*_: object) -> None:
    """Stand in for a connection that is not there."""


class Terminal:
    """One terminal. `clock` is anything with Twisted's callLater; `number` its 终端号."""

    def __init__(self, clock: Any, host: Host, book: Book, knobs: Knobs,
                 number: str = "12345678") -> None:  # fmt: skip
        self._clock = clock
        self.host = host
        self.book = book
        self.knobs = knobs
        self.number = number
        self.powered = True
        self.signed_in = False
        self.on_power: Callable[[bool], None] = nobody
        self._ear = Ear()
        self._send: Callable[[bytes], None] = nobody
        self._leg: Any = None
        self._late: list[Any] = []
        self._last = b""
        self._asker: Request | None = None  # whose payer stands before the terminal
        self.heard: list[str] = []
        self.noticed = 0
        self.after_nak: Callable[[], None] = nobody

    # from the connection
    def attach(self, send: Callable[[bytes], None]) -> None:
        """Answer through `send` from now on."""
        self._send = send
        self._ear.deafen()

    def detach(self) -> None:
        """Lose the cashier's side; a payment under way goes on."""
        self._send = nobody

    def receive(self, data: bytes) -> None:
        """Take bytes from the cashier's side."""
        if not self.powered or self.knobs.mute:
            return
        for request in self._ear.hear(data):
            if self.powered:
                self._take(request)

    # from the operator
    def power_off(self) -> None:
        """Lose what is under way; the book stays."""
        self.powered, self.signed_in = False, False
        for call in (self._leg, *self._late):
            if call is not None and call.active():
                call.cancel()
        self._leg, self._asker, self._late, self._last = None, None, [], b""
        self._ear.deafen()
        self.on_power(False)

    def power_on(self) -> None:
        """Come up, not signed in."""
        self.powered = True
        self.on_power(True)

    def power_cycle(self) -> None:
        """Go off, and on again after `boot_s`."""
        self.power_off()
        self._clock.callLater(self.knobs.boot_s, self.power_on)

    def night(self) -> None:
        """Close the batch, as it does by itself at night, and want a new sign-in."""
        self._reverse()
        self.book.close_batch()
        self.signed_in = False

    @property
    def busy(self) -> bool:
        """Say whether a payment is under way."""
        return self._leg is not None or self.knobs.busy

    # requests
    def _take(self, request: Request) -> None:
        if request.path == 8:
            self.noticed += 1
            return
        if not request.sound or request.path != 3:
            self._word(request, False, "LR", "帧错误")
            return
        if request.content[:1] in (b"\x06", b"\x15"):
            if request.content[:1] == b"\x15" and self._last:
                self._out(self._last)
            return
        fields = request.fields
        code = fields[0]
        self.heard.append(code)
        if code == "SQ":
            self._data(request, ["SQ", self.number, str(int(self.busy)), str(int(self.signed_in)),
                                 str(int(self._full())), f"{self.book.batch:06d}"])  # fmt: skip
        elif code == "PI":
            self._word(request, True, "00", "")
        elif code == "07":
            self._let_go(request)
        elif self.busy:
            self._word(request, False, "Z3", "设备忙")
        elif code in OPS:
            self._trade(request, code, fields)
        else:
            self._office(request, code, fields[_HEAD:])

    def _office(self, request: Request, code: str, own: list[str]) -> None:
        """Answer what moves no money."""
        if code == "51":
            self._word(request, True, "00", "")
            self._reverse()
            self.signed_in = True
            self._data(request, ["51", "00"])
        elif code == "52":
            self._word(request, True, "00", "")
            self.night()
            if not self.knobs.strikes("lost_replies"):
                self._totals(request, "52")
        elif code == "62" and self.book.last_totals:
            self._totals(request, "62")
        elif code in ("69", "11"):
            self._find(request, code, own[0])
        elif code == "61" and self.book.of_serial(own[0]) is not None:
            self._data(request, ["61", "签购单（重打印）"])
        else:
            self._word(request, False, "25", "无记录")

    def _totals(self, request: Request, code: str) -> None:
        batch, *rest = self.book.last_totals
        self._data(request, [code, f"{batch:06d}", *(str(number) for number in rest)])

    def _find(self, request: Request, code: str, serial: str) -> None:
        entry = self.book.of_serial(serial)
        if entry is None:
            self._word(request, False, "25", "无此交易")
            return
        self._data(request, self._record(code, entry, wrong=self.knobs.strikes("wrong_records")))

    # a payment
    def _trade(self, request: Request, code: str, fields: list[str]) -> None:
        knobs, own = self.knobs, fields[_HEAD:]
        if knobs.strikes("naks"):
            self._word(request, False, "LR", "帧错误")
            self.after_nak()
            return
        if len(own) < 4 or not own[0].isdigit():
            self._word(request, False, "PR", "参数错误")
            return
        if not self.signed_in:
            self._word(request, False, "Z8", "未签到")
            return
        if self._full():
            self._word(request, False, "ZB", "批次满")
            return
        if self._dies("before_ack"):
            return
        if not knobs.strikes("lost_acks"):
            self._word(request, True, "00", "")
        if knobs.crash == "after_ack":
            # The acknowledgement is on the cable by then.
            self._leg = self._clock.callLater(DIE_AFTER_S, self._dies, "after_ack")
            return
        self._asker = request
        self._notice(request, f"{QR}{own[-2]}" if code == "10" else "请插卡或挥卡")
        self._leg = self._clock.callLater(
            knobs.card_s + knobs.pin_s, self._at_host, request, code, own
        )

    def _let_go(self, request: Request) -> None:
        """Let the payer go, unless the host has been asked."""
        asker = self._asker
        if asker is None:
            self._word(request, False, "Z9", "没有可取消的交易")
            return
        self._word(request, True, "00", "")
        self._leg.cancel()
        self._cancelled(asker)

    def _cancelled(self, request: Request) -> None:
        self._leg = self._asker = None
        own = request.fields[_HEAD:]
        self._keep(_serial(own), OPS[request.fields[0]], int(own[0]), "", "2")
        self._word(request, False, "ZC", "持卡人取消")

    def _at_host(self, request: Request, code: str, own: list[str]) -> None:
        knobs, op = self.knobs, OPS[code]
        if knobs.answer == "cancel":
            self._cancelled(request)
            return
        self._asker = None
        serial, fen = _serial(own), int(own[0])
        first = self._first(op, own)
        if knobs.answer == "decline" or (op != "pay" and (first is None or first.fen < fen)):
            self._leg = None
            self._keep(serial, op, fen, "", "1")
            self._word(request, False, "51", "余额不足")
            return
        self._reverse()
        of = first.serial if first is not None else ""
        self.book.pending = [op, serial, fen, of]
        self.book.keep()
        ref = self.host.book(op, serial, fen, of)
        if self._dies("after_host"):
            return
        self._leg = self._clock.callLater(knobs.host_s, self._answered, request, code, ref)

    def _answered(self, request: Request, code: str, ref: str) -> None:
        self._leg = None
        op, serial, fen, of = self.book.pending
        if self.knobs.answer == "host_timeout":
            self._word(request, False, "98", "主机超时")
            return
        self.book.pending = []
        entry = self._keep(serial, op, fen, ref, "0", of)
        if self._dies("after_approval"):
            return
        if self.knobs.strikes("sour_replies"):
            self._word(request, False, "Z9", "打印机故障")
            return
        self._reply(request, self._record(code, entry, wrong=self.knobs.strikes("wrong_amounts")))

    def _first(self, op: str, own: list[str]) -> Entry | None:
        """Return the record that a void or refund names."""
        if op == "pay":
            return None
        entry = self.book.of_trace(own[1]) if op == "void" else self.book.of_ref(own[2])
        taken = any(e.of == entry.serial and e.op == "void" and e.state == "0"
                    for e in self.book.entries) if entry is not None else True  # fmt: skip
        return None if taken else entry

    def _keep(self, serial: str, op: str, fen: int, ref: str, state: str, of: str = "") -> Entry:
        self.book.trace += 1
        entry = Entry(serial, op, fen, f"{self.book.trace:06d}", ref, self.book.batch,
                      "20261121120000", state, of)  # fmt: skip
        self.book.entries.append(entry)
        self.book.keep()
        return entry

    def _reverse(self) -> None:
        """Take back what the host booked and we never wrote down (冲正)."""
        if self.book.pending:
            op, serial, fen, of = self.book.pending
            self.host.book(f"reverse_{op}", serial, fen, of)
            self.book.pending = []
            self.book.keep()

    def _full(self) -> bool:
        return len(self.book.in_batch()) >= self.knobs.batch_max

    def _dies(self, where: str) -> bool:
        if self.knobs.crash != where:
            return False
        self.knobs.crash = ""
        self.power_cycle()
        return True

    # answers
    def _record(self, code: str, entry: Entry, *, wrong: bool) -> list[str]:
        fields = [""] * 50
        fen = entry.fen + 1 if wrong else entry.fen
        for number, text in (
            (1, code), (2, "105290053110001"), (3, self.number), (9, PAN), (10, "01"),
            (13, f"{entry.batch:06d}"), (14, entry.trace), (15, entry.at), (16, "A1B2C3"),
            (17, entry.ref), (18, f"{fen:012d}"), (35, TRACK2), (38, entry.serial),
            (39, "1121"), (50, entry.state),
        ):  # fmt: skip
            fields[number - 1] = text
        return fields

    def _reply(self, request: Request, fields: list[str]) -> None:
        """Answer a payment, with the faults that are set."""
        knobs = self.knobs
        whole = wire.frame(4, request.type, request.number, _content(fields))
        self._last = whole
        if knobs.crash == "mid_reply":
            knobs.crash = ""
            self._out(whole[: len(whole) // 2])
            self.power_cycle()
            return
        if knobs.strikes("lost_replies"):
            return
        if knobs.strikes("bad_replies"):
            whole = whole[:-1] + bytes((whole[-1] ^ 0xFF,))
        if knobs.strikes("wrong_ids"):
            number = b"%06d" % (int(request.number) % 999_999 + 1)
            whole = wire.frame(4, request.type, number, _content(fields))
        copies = 2 if knobs.strikes("doubled_replies") else 1
        if knobs.late_s:
            self._late = [self._clock.callLater(knobs.late_s, self._out, whole * copies)]
        else:
            self._out(whole * copies)

    def _notice(self, request: Request, text: str) -> None:
        self._out(wire.frame(7, request.type, request.number, _content(["97", text])))

    def _data(self, request: Request, fields: list[str]) -> None:
        self._out(wire.frame(4, request.type, request.number, _content(fields)))

    def _word(self, request: Request, good: bool, code: str, text: str) -> None:
        content = _content([chr(6 if good else 21), code, text])
        self._out(wire.frame(4, request.type, request.number, content))

    def _out(self, data: bytes) -> None:
        if self.powered and not self.knobs.mute:
            self._send(data)


def _serial(own: list[str]) -> str:
    return own[-2] if own[-1] == "" else own[-1]


def _content(fields: list[str]) -> bytes:
    return b"".join((field + FS).encode("gbk") for field in fields)
