"""Numbers asked for and given back, from the node over the gate into the province's books."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fep.sim import province_desk
from fep.store import stock
from tests.harness.town import set_keys
from tests.simulation.city import CODE, City

GRANTED, USED = 60, 35


def test_the_province_hears_of_a_need_and_of_numbers_that_come_back(tmp_path: Path):
    city = City(tmp_path / "city", 11)
    set_keys(city.place / "fep.toml", "numbers", {"request": "true"})
    city.his.print_every = 0
    city.his.open(2)
    city.start()
    city.grant(GRANTED)
    assert city.hub.run(300, until=lambda: city.numbers_left() >= GRANTED), city.notes.tail()
    city.his.want(USED)
    assert city.hub.run(600, until=lambda: city.his.done), city.notes.tail()

    def told(name: str) -> list[Any]:
        return list(province_desk.report(city.book)[name])

    assert city.hub.run(1_200, until=lambda: bool(told("requests"))), city.notes.tail()
    dests = {unit.code: unit.dest for unit in city.node.settings.units.values()}
    city.node.store.do("return", stock.return_txn, CODE, "0000000001", "换代码", "admin", dests)
    assert city.hub.run(600, until=lambda: bool(told("returned"))), city.notes.tail()
    city.settle(600)
    ledger = province_desk.report(city.book)
    city.close()

    (asked,) = ledger["requests"]
    assert (CODE, 100) == (asked["code"], asked["count"])
    (back,) = ledger["returned"]
    assert (f"{USED + 1:010d}", f"{GRANTED:010d}") == (back["first"], back["last"])
    assert ([], USED) == (ledger["rejected"], len(ledger["receipts"]))
