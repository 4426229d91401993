"""The first receipt: python first_receipt.py HOST PORT APPID KEYFILE UNIT POINT KIND KEY."""

from __future__ import annotations

import sys
from pathlib import Path

from fep.client import Client, Event, Item, Payer


def main(host: str, port: str, appid: str, key_file: str, unit: str, point: str, kind: str,
         key: str) -> None:  # fmt: skip
    """Issue a receipt and print code, number and check code."""
    secret = Path(key_file).read_bytes().strip()
    event = Event(
        key=key, unit=unit, point=point, kind=kind, payer=Payer("张三"), total="12.30",
        items=(Item("0101", "诊察费", "12.30"),), channels={"02": "12.30"},
    )  # fmt: skip
    with Client.tcp(host, int(port), appid=appid, key=secret) as fep:
        receipt = fep.issue(event)  # the same key again: the same receipt
    sys.stdout.write(f"{receipt.code} {receipt.number} {receipt.check_code}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
