"""A night as JSON and back, without loss: ``result.json`` lets an old run be rendered again.

JSON has no tuples, arrays, NaN or types, so these are tagged: ``{"$tuple": […]}``, ``{"$array": {dtype,
shape, data}}``, ``{"$float": "nan"}``, ``{"$date": "2024-09-24"}``, ``{"$type": "Tail", …fields}``.  Floats
are written by ``repr``, so every bit returns: ``load_night(json.loads(json.dumps(dump_night(night))))``
equals ``night``.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime

import numpy as np

from riskengine import result
from riskengine.base.errors import InputError, Problem

ARCHIVE_FORMAT = "riskengine-night"
TYPES = {
    name: kind
    for name, kind in vars(result).items()
    if isinstance(kind, type) and is_dataclass(kind)
}
"""The only types an archive may name: the frozen types of riskengine.result."""


def dump_night(night: result.NightResult) -> dict:
    """The whole night as plain JSON values.

    Raises InputError naming the place when a value has no JSON form (an object of another type).
    """
    return {
        "format": ARCHIVE_FORMAT,
        "schema_version": result.SCHEMA_VERSION,
        "night": _encode(night, "night"),
    }


def load_night(archive: dict) -> result.NightResult:
    """The night written by :func:`dump_night`; InputError when the archive is of another kind or version."""
    if not isinstance(archive, dict) or archive.get("format") != ARCHIVE_FORMAT:
        raise InputError(Problem("not an archive of a night", field="format", accepted=ARCHIVE_FORMAT))
    version = str(archive.get("schema_version"))
    if version.split(".")[0] != result.SCHEMA_VERSION.split(".")[0]:
        raise InputError(
            Problem("archive written by another version", field="schema_version", got=version,
                    accepted=f"{result.SCHEMA_VERSION.split('.')[0]}.x")
        )
    night = _decode(archive.get("night"), "night")
    if not isinstance(night, result.NightResult):
        raise InputError(Problem("archive holds no night", field="night", got=type(night).__name__))
    return night


def _encode(value: object, place: str) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        if TYPES.get(type(value).__name__) is not type(value):
            raise InputError(Problem("type cannot be archived", field=place, got=type(value).__name__))
        body = {f.name: _encode(getattr(value, f.name), f"{place}.{f.name}") for f in fields(value)}
        return {"$type": type(value).__name__, **body}
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return _encode_float(float(value))
    if isinstance(value, (datetime, date)):
        kind = "$datetime" if isinstance(value, datetime) else "$date"
        return {kind: value.isoformat()}
    if isinstance(value, np.datetime64):
        return {"$datetime64": [str(value), np.datetime_data(value.dtype)[0]]}
    if isinstance(value, np.ndarray):
        return _encode_array(value, place)
    if isinstance(value, tuple):
        return {"$tuple": [_encode(v, f"{place}[{i}]") for i, v in enumerate(value)]}
    if isinstance(value, list):
        return [_encode(v, f"{place}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, dict):
        return _encode_dict(value, place)
    raise InputError(Problem("value cannot be archived", field=place, got=type(value).__name__))


def _encode_float(value: float) -> object:
    return value if math.isfinite(value) else {"$float": repr(value)}


def _encode_array(value: np.ndarray, place: str) -> dict:
    if value.dtype.kind not in "fiub":
        raise InputError(Problem("array of this dtype cannot be archived", field=place, got=str(value.dtype)))
    flat = value.ravel().tolist()
    if value.dtype.kind == "f":
        flat = [_encode_float(v) for v in flat]
    return {"$array": {"dtype": value.dtype.str, "shape": list(value.shape), "data": flat}}


def _encode_dict(value: dict, place: str) -> dict:
    plain = all(isinstance(k, str) and not k.startswith("$") for k in value)
    if plain:
        return {k: _encode(v, f"{place}.{k}") for k, v in value.items()}
    pairs = [[_encode(k, f"{place} key"), _encode(v, f"{place}[{k!r}]")] for k, v in value.items()]
    return {"$dict": pairs}


def _decode(value: object, place: str) -> object:
    if isinstance(value, list):
        return [_decode(v, f"{place}[{i}]") for i, v in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if "$type" in value:
        return _decode_type(value, place)
    if len(value) == 1:
        tag, body = next(iter(value.items()))
        match tag:
            case "$tuple":
                return tuple(_decode(v, f"{place}[{i}]") for i, v in enumerate(body))
            case "$float":
                return float(body)
            case "$date":
                return date.fromisoformat(body)
            case "$datetime":
                return datetime.fromisoformat(body)
            case "$datetime64":
                return np.datetime64(body[0], body[1])
            case "$array":
                data = [_decode(v, place) for v in body["data"]]
                return np.array(data, dtype=np.dtype(body["dtype"])).reshape(body["shape"])
            case "$dict":
                return {_decode(k, place): _decode(v, place) for k, v in body}
    unknown = [k for k in value if k.startswith("$")]
    if unknown:
        raise InputError(Problem("unknown tag in archive", field=place, got=unknown[0]))
    return {k: _decode(v, f"{place}.{k}") for k, v in value.items()}


def _decode_type(value: dict, place: str) -> object:
    name = value["$type"]
    kind = TYPES.get(name)
    if kind is None:
        raise InputError(Problem("unknown type in archive", field=place, got=str(name),
                                 accepted=", ".join(TYPES)))
    known = {f.name: f for f in fields(kind)}
    given = {k: _decode(v, f"{place}.{k}") for k, v in value.items() if k != "$type"}
    problems = [
        Problem(f"unknown field of {name}", field=f"{place}.{k}") for k in given if k not in known
    ] + [
        Problem(f"missing field of {name}", field=f"{place}.{k}")
        for k, f in known.items()
        if k not in given and f.default is MISSING and f.default_factory is MISSING
    ]
    if problems:
        raise InputError(problems)
    return kind(**given)
