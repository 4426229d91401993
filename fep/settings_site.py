"""Files beside fep.toml that say what a receipt must look like -> domain values.

Owns the shape of units/*.toml, kinds/*.toml and provinces/*.toml. Rules: the id of a kind or a
province is the name of its file; differences between provinces are data here, never code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fep.domain.kind import (
    EVENT_SOURCES,
    PAYER_SOURCES,
    KeyPlace,
    Kind,
    Mapped,
    Point,
    Province,
    Seal,
    Unit,
)
from fep.settings_signer import SignerFile
from fep.settings_types import Name

Text = Annotated[str, Meta(min_length=1, max_length=100)]
Short = Annotated[str, Meta(max_length=100)]

_OF_PAYER = rf"payer\.({'|'.join(PAYER_SOURCES)})"
_OF_EVENT = rf"{'|'.join(EVENT_SOURCES)}|{_OF_PAYER}|ext\.[a-z][a-z0-9_]{{0,39}}"
REQUIRED = rf"^({_OF_EVENT})$"
SOURCE = rf"^(|{_OF_EVENT}|related\.(code|number))$"
EXT = r"^[a-z][a-z0-9_]{0,39}$"
TEMPLATE = r"^[a-z][a-z0-9_-]{0,39}$"
CODE_PLACES = r"^([0-9]|\{area2\}|\{yy\})+$"


class ReceivingFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[receiving]: 收款单位, account and bank."""

    name: Short = ""
    account: Annotated[str, Meta(max_length=50)] = ""
    bank: Short = ""


class SealFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[seal]: the unit's seal as registered with the platform."""

    id: Annotated[str, Meta(max_length=64)] = ""
    name: Short = ""
    hash: Annotated[str, Meta(max_length=128)] = ""


class PointFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[[points]]: a window, the device group it prints to, and when; `form`: whether a sheet
    that a HIS exchanges a receipt for is printed here."""

    code: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
    group: str = ""
    print: Literal["never", "on_request", "auto"] = "never"
    form: Literal["on_request", "auto"] = "on_request"


class UnitFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """units/*.toml: one 开票单位."""

    code: Name
    name: Text
    party_code: Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{1,30}$")]
    area: Annotated[str, Meta(pattern=r"^[0-9]{6}$")]
    province: Name
    kinds: Annotated[tuple[str, ...], Meta(min_length=1)]
    points: Annotated[tuple[PointFile, ...], Meta(min_length=1)]
    receiving: ReceivingFile = ReceivingFile()
    seal: SealFile = SealFile()
    signer: SignerFile = SignerFile()
    default_checker: Annotated[str, Meta(max_length=50)] = ""
    dest: str = "province"
    test: bool = False

    def unit(self, key: Path | str, cert: Path | str, passphrase: str,
             signers: tuple[KeyPlace, ...] = ()) -> Unit:  # fmt: skip
        """Return the domain value; key, certificate and passphrase have been resolved."""
        return Unit(
            code=self.code, name=self.name, party_code=self.party_code, area=self.area,
            province=self.province, rec_name=self.receiving.name or self.name,
            rec_account=self.receiving.account, rec_bank=self.receiving.bank,
            seal=Seal(self.seal.id, self.seal.name, self.seal.hash), kinds=self.kinds,
            points=tuple(Point(p.code, p.group, p.print, p.form) for p in self.points),
            signer_key=str(key), signer_cert=str(cert), signer_passphrase=passphrase,
            default_checker=self.default_checker, dest="" if self.test else self.dest,
            test=self.test, signers=signers,
        )  # fmt: skip


class MappedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One element of MainExt."""

    element: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9]{0,59}$")]
    source: Annotated[str, Meta(pattern=SOURCE)]
    label: Annotated[str, Meta(max_length=20)] = ""
    money: bool = False


class KindFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """kinds/*.toml: one 票据种类."""

    name: Text
    receipt_class: Annotated[str, Meta(pattern=r"^[0-9]{2}$")]
    code_template: Annotated[str, Meta(pattern=CODE_PLACES)]
    specimen_template: Annotated[str, Meta(pattern=r"^([0-9A-Za-z]|\{code\})+$")] = "{code}01"
    main_ext: tuple[MappedFile, ...] = ()
    required: tuple[Annotated[str, Meta(pattern=REQUIRED)], ...] = ()
    required_ext: tuple[Annotated[str, Meta(pattern=EXT)], ...] = ()
    optional_ext: tuple[Annotated[str, Meta(pattern=EXT)], ...] = ()
    item_limit: Annotated[int, Meta(ge=1, le=200)] = 12
    overflow: Literal["details", "refuse"] = "details"
    item_order: tuple[str, ...] = ()
    negative_lines: bool = True
    numbering: Literal["block", "platform"] = "block"
    offline: bool = True
    slip_template: Annotated[str, Meta(pattern=TEMPLATE)] = "medical"
    page_template: Annotated[str, Meta(pattern=TEMPLATE)] = "medical"
    face_order: tuple[str, ...] = ()

    def kind(self, id_: str) -> Kind:
        """Return the domain value."""
        return Kind(
            id=id_, name=self.name, receipt_class=self.receipt_class,
            code_template=self.code_template, specimen_template=self.specimen_template,
            main_ext=tuple(Mapped(m.element, m.source, m.label, m.money) for m in self.main_ext),
            required_ext=self.required_ext, item_limit=self.item_limit,
            item_order=self.item_order, negative_lines=self.negative_lines,
            numbering=self.numbering, offline=self.offline, slip_template=self.slip_template,
            required=self.required, optional_ext=self.optional_ext, overflow=self.overflow,
            page_template=self.page_template, face_order=self.face_order,
        )  # fmt: skip


class ProvinceFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """provinces/*.toml: how one province wants the document."""

    name: Annotated[str, Meta(max_length=20)]
    tag: Annotated[str, Meta(pattern=r"^CZ-EI-[0-9]{2}$")]
    version: Annotated[str, Meta(min_length=1, max_length=10)] = "1.1.0"
    check_code: Literal["random", "digest", "platform"] = "random"
    signature_algorithm: Short = "1.2.156.10197.1.501"
    signature_codec: Literal["der", "raw", "cms"] = "der"
    signature_reference: Short = ""
    verify_url: Annotated[str, Meta(max_length=200)] = ""
    qr_template: Annotated[str, Meta(max_length=400)] = ""
    verify_hint: Annotated[str, Meta(max_length=60)] = ""
    red_sign: Literal["negative", "positive"] = "negative"
    red_code: Annotated[str, Meta(pattern=rf"^same$|{CODE_PLACES}")] = "same"
    page_size: Literal["a5", "a4"] = "a5"
    reverse_imported: bool = False

    def province(self, id_: str) -> Province:
        """Return the domain value; an empty URL or template leaves the domain's default."""
        given = {"verify_url": self.verify_url, "qr_template": self.qr_template}
        return Province(
            id=id_, name=self.name, tag=self.tag, version=self.version,
            check_code=self.check_code, signature_algorithm=self.signature_algorithm,
            signature_codec=self.signature_codec, signature_reference=self.signature_reference,
            verify_hint=self.verify_hint, red_sign=self.red_sign, red_code=self.red_code,
            page_size=self.page_size, reverse_imported=self.reverse_imported,
            **{name: text for name, text in given.items() if text},
        )  # fmt: skip
