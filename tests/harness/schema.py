"""The part of JSON Schema that the served documents use: judge a value, make one.

`faults_of` says what is wrong with a value; `Maker` makes values that fit, values at the edge
and values that do not, all from one seeded generator.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,),
    "integer": (int,), "number": (int, float), "null": (type(None),),
}  # fmt: skip
_ODD = (
    None, True, 0, -1, 2**63, 2**70, 1.5, 1e308, "", " ", "x" * 5000, "\u0000", "\u202e张三",
    "１２",
    "-0", "1e9", "NaN", "' OR 1=1 --", "../../etc/passwd", "%s%n", [], [[]], {}, {"": None},
    [None] * 50, "\ud83d\ude00", "12.345", "9" * 40,
)  # fmt: skip


class Schemas:
    """Components of one document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.components: dict[str, Any] = document["components"]["schemas"]

    def open(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the schema behind a reference."""
        while "$ref" in schema:
            schema = self.components[schema["$ref"].rpartition("/")[2]]
        return schema

    def faults_of(self, schema: Mapping[str, Any], value: Any, at: str = "$") -> Iterator[str]:
        """Yield what is wrong with a value."""
        schema = self.open(schema)
        for word in ("anyOf", "oneOf"):
            if word in schema and all(list(self.faults_of(s, value, at)) for s in schema[word]):
                yield f"{at}: fits none of {word}: {str(value)[:80]}"
        if "const" in schema and value != schema["const"]:
            yield f"{at}: is not {schema['const']}"
        if "enum" in schema and value not in schema["enum"]:
            yield f"{at}: {value!r} is none of {schema['enum']}"
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if kinds and not any(_is(value, kind) for kind in kinds):
            yield f"{at}: {value!r:.80} is no {kinds}"
        elif isinstance(value, str):
            yield from _text(schema, value, at)
        elif isinstance(value, list):
            for index, one in enumerate(value):
                yield from self.faults_of(schema.get("items", {}), one, f"{at}[{index}]")
        elif isinstance(value, dict):
            yield from self._members(schema, value, at)

    def _members(self, schema: Mapping[str, Any], value: Any, at: str) -> Iterator[str]:
        known = schema.get("properties", {})
        for name in schema.get("required", []):
            if name not in value:
                yield f"{at}: {name} is missing"
        for name, one in value.items():
            if name in known:
                yield from self.faults_of(known[name], one, f"{at}.{name}")
            elif schema.get("additionalProperties") is False:
                yield f"{at}: {name} is not documented"


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _text(schema: Mapping[str, Any], value: str, at: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{at}: {len(value)} characters"
    if "pattern" in schema and re.search(schema["pattern"], value) is None:
        yield f"{at}: {value!r:.40} is not {schema['pattern']}"


class Maker:
    """Makes values of a schema; `hints` are values by member name that mean something."""

    def __init__(self, schemas: Schemas, seed: int, hints: Mapping[str, list[Any]]) -> None:
        self.dice = random.Random(seed)
        self._schemas = schemas
        self.hints = dict(hints)

    def good(self, schema: Mapping[str, Any], name: str = "", *, all_of: bool = False) -> Any:
        """Return a value that fits; `all_of` with every optional member."""
        schema, dice = self._schemas.open(schema), self.dice
        if name in self.hints and dice.random() < 0.9:
            return dice.choice(self.hints[name])
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return self.good(dice.choice(schema[word]), name)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return dice.choice(schema["enum"])
        kind = schema.get("type", "object")
        if kind == "object":
            members = schema.get("properties", {})
            wanted = [n for n in members if n in schema.get("required", [])
                      or all_of or dice.random() < 0.3]  # fmt: skip
            return {n: self.good(members[n], n) for n in wanted}
        if kind == "array":
            return [self.good(schema.get("items", {}), name)
                    for _ in range(dice.randint(schema.get("minItems", 0), 3))]  # fmt: skip
        if kind == "string":
            return self._string(schema)
        return {"integer": dice.choice([0, 1, 7, 50, -1]), "number": 1.5,
                "boolean": dice.random() < 0.5}.get(kind)  # fmt: skip

    def _string(self, schema: Mapping[str, Any]) -> str:
        if "pattern" in schema:
            return self.dice.choice(["12.30", "1", "0.05", "-3.10"])
        most = min(schema.get("maxLength", 30), 300)
        size = self.dice.choice([schema.get("minLength", 0), 1, most])
        return "".join(self.dice.choice("aZ09-张三 .<&%'\"") for _ in range(max(size, 1)))

    def bent(self, value: Any) -> Any:
        """Return a value with one thing wrong somewhere in it."""
        dice = self.dice
        if isinstance(value, dict) and value and dice.random() < 0.8:
            name = dice.choice(sorted(value))
            deed = dice.randrange(4)
            rest = {n: v for n, v in value.items() if n != name}
            if deed == 0:
                return rest
            if deed == 1:
                return {**rest, name + dice.choice([" ", "x", "\u0000"]): value[name]}
            return {**rest, name: self.bent(value[name])}
        if isinstance(value, list) and value and dice.random() < 0.5:
            return [*value[1:], self.bent(value[0])]
        return dice.choice(_ODD)
