"""The simulated HIS looks at every QR code: one that is damaged anywhere is no answer."""

from __future__ import annotations

from base64 import b64encode

from fep.render.qr_small import small_png
from fep.sim.his_medical import _incomplete


def _answer(picture: bytes) -> dict[str, str]:
    names = ("billBatchCode", "billNo", "random", "pictureUrl", "busNo")
    code = b64encode(picture).decode()
    return {**dict.fromkeys(names, "x"), "createTime": "20261121093011123", "billQRCode": code}


def test_a_picture_is_taken_whole_or_not_at_all():
    good = small_png(("https://p.example.org/r/0123456789abcdef",))
    damaged = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in range(len(good))]
    cut = [good[:at] for at in range(len(good))]

    assert "" == _incomplete(_answer(good))
    assert {"billQRCode"} == {_incomplete(_answer(one)) for one in [*damaged, *cut, good + b"x"]}
