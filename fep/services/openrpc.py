"""The contract as documents, made from the method table: OpenRPC and OpenAPI.

Rules: what is served is what runs: names, rights and sentences come from the table, shapes
from the types beside the methods. The documents hold no data and are told to everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from fep import __version__
from fep.domain.faults import CATALOGUE
from fep.services.methods import Method
from fep.services.rpc import STATUS
from fep.services.schemas import shape_of

REF = "#/components/schemas/{name}"
TITLE = "fep"
_FAULT: dict[str, Any] = {
    "type": "object",
    "required": ["jsonrpc", "id", "error"],
    "properties": {
        "jsonrpc": {"const": "2.0"},
        "id": {"type": ["integer", "string", "null"]},
        "error": {
            "type": "object",
            "required": ["code", "message", "data"],
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "data": {
                    "type": "object",
                    "required": ["fault", "zh", "en", "retryable", "ref"],
                    "properties": {
                        "fault": {"type": "string", "description": "stable code: look at this"},
                        "zh": {"type": "string"},
                        "en": {"type": "string"},
                        "retryable": {"type": "boolean"},
                        "ref": {"type": "string", "description": "stands in the log, too"},
                    },
                },
            },
        },
    },
}


_TEXT = {"type": "string"}
_DIALECTS = ("/medical-web/api/medical/{method}", "/standard-web/api/standard/{method}")
_ENVELOPE: dict[str, Any] = {
    "type": "object",
    "description": "sign is MD5 over appid, data, noise, key and version, in upper-case hex",
    "required": ["appid", "data", "noise", "version", "sign"],
    "properties": {
        "appid": _TEXT,
        "data": {"type": "string", "description": "base64 of the JSON of the business fields"},
        "noise": _TEXT,
        "version": _TEXT,
        "sign": _TEXT,
        "region": _TEXT,
        "deptcode": _TEXT,
    },
}
_ENVELOPE_BACK: dict[str, Any] = {
    "type": "object",
    "description": "data is base64 of {result, message}, message base64 again",
    "required": ["data", "noise", "sign"],
    "properties": {"data": _TEXT, "noise": _TEXT, "sign": _TEXT},
    "additionalProperties": False,
}


def described(table: Mapping[str, Method]) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return (schemas of params and result by method, components) of all methods with a shape."""
    shapes = {name: shape_of(name, method) for name, method in sorted(table.items())}
    known = {name: shape for name, shape in shapes.items() if shape is not None}
    types = [one for shape in known.values() for one in (shape.params, shape.result)]
    schemas, components = msgspec.json.schema_components(types, ref_template=REF)
    pairs = iter(schemas)
    told = {name: {"params": next(pairs), "result": next(pairs)} for name in known}
    return told, components


def openrpc(table: Mapping[str, Method]) -> dict[str, Any]:
    """Return the OpenRPC document."""
    told, components = described(table)
    return {
        "openrpc": "1.3.2",
        "info": {"title": TITLE, "version": __version__},
        "methods": [
            {
                "name": name,
                "summary": table[name].about,
                "paramStructure": "by-name",
                "params": _descriptors(shape["params"], components),
                "result": {"name": "result", "schema": shape["result"]},
                "x-right": table[name].right,
            }
            for name, shape in told.items()
        ],
        "components": {"schemas": components},
    }


def _descriptors(params: dict[str, Any], components: Mapping[str, Any]) -> list[dict[str, Any]]:
    body = components[params["$ref"].rpartition("/")[2]]
    required = body.get("required", [])
    return [
        {"name": name, "required": name in required, "schema": schema}
        for name, schema in body.get("properties", {}).items()
    ]


def openapi(table: Mapping[str, Method]) -> dict[str, Any]:
    """Return the OpenAPI document of `POST /rpc`."""
    told, components = described(table)
    calls = {f"call.{name}": _call(name, table[name], shape) for name, shape in told.items()}
    answers = {f"answer.{name}": _answer(shape["result"]) for name, shape in told.items()}
    refs = [{"$ref": REF.format(name=name)} for name in calls]
    results = [{"$ref": REF.format(name=name)} for name in answers]
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": __version__},
        "paths": {
            **{path: {"post": _dialect(path)} for path in _DIALECTS},
            "/rpc": {
                "post": {
                    "operationId": "rpc",
                    "summary": "one JSON-RPC 2.0 call",
                    "security": [{"app": [], "time": [], "nonce": [], "mac": []},
                                 {"app": [], "token": []}],
                    "requestBody": {"required": True, "content": _json({"oneOf": refs})},
                    "responses": {
                        "200": _response("the method ran, or was refused",
                                         {"anyOf": [*results, {"$ref": REF.format(name="fault")}]}),
                        "204": {"description": "a call without id was taken"},
                        **{str(status): _response(f"no method ran: {codes}",
                                                  {"$ref": REF.format(name="fault")})
                           for status, codes in _statuses().items()},
                    },
                }
            }
        },
        "components": {
            "schemas": {**components, **calls, **answers, "fault": _FAULT,
                        "envelope": _ENVELOPE, "envelope.answer": _ENVELOPE_BACK},
            "securitySchemes": {
                name: {"type": "apiKey", "in": "header", "name": f"X-Fep-{name.title()}"}
                for name in ("app", "time", "nonce", "mac", "token")
            },
        },
        "x-faults": {code: {"zh": one.zh, "en": one.en, "retryable": one.retryable}
                     for code, one in sorted(CATALOGUE.faults.items())},
    }  # fmt: skip


def _dialect(path: str) -> dict[str, Any]:
    return {
        "operationId": path.split("/")[1],
        "summary": "one method of the dialect; every answer is 200, its result says how it went",
        "parameters": [{"name": "method", "in": "path", "required": True, "schema": _TEXT}],
        "requestBody": {
            "required": True,
            "content": _json({"$ref": REF.format(name="envelope")}),
        },
        "responses": {
            "200": _response("signed like the request",
                             {"$ref": REF.format(name="envelope.answer")}),
        },
    }  # fmt: skip


def _statuses() -> dict[int, str]:
    found: dict[int, str] = {413: "REQ_TOO_BIG"}
    for code, status in STATUS.items():
        found[status] = f"{found[status]}, {code}" if status in found else code
    return dict(sorted(found.items()))


def _call(name: str, method: Method, shape: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": method.about,
        "required": ["jsonrpc", "id", "method", "params"],
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "id": {"type": ["integer", "string"]},
            "method": {"const": name},
            "params": shape["params"],
        },
        "additionalProperties": False,
        "x-right": method.right,
        "x-answer": {"$ref": REF.format(name=f"answer.{name}")},
    }


def _answer(result: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["jsonrpc", "id", "result"],
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "id": {"type": ["integer", "string"]},
            "result": result,
        },
    }


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _response(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": _json(schema)}
