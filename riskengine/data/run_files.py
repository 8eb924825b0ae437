"""What run folders are filled with: strict JSON, Parquet tables, and the hashes that identify inputs.

JSON has no NaN: non-finite numbers become null.  Hashes are SHA-256, written as hex.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from riskengine.result import SCHEMA_VERSION


def plain(value: object) -> object:
    """*value* in JSON's own types: arrays, tuples → lists, dataclasses → objects, NaN, infinities → null.

    TypeError for anything JSON has no word for.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (np.bool_, np.integer)):
        return value.item()
    if isinstance(value, np.ndarray):
        return plain(value.astype(str).tolist() if value.dtype.kind == "M" else value.tolist())
    if isinstance(value, (date, np.datetime64)):
        return value.isoformat() if isinstance(value, date) else str(value)
    if isinstance(value, Path):
        return value.as_posix()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def write_json(path: Path, value: object, indent: int | None = 1) -> None:
    """*value* as strict JSON (``plain``), keys in the order given, UTF-8, trailing newline.

    indent : None writes one line, for files that only programs read.
    """
    text = json.dumps(plain(value), ensure_ascii=False, indent=indent, allow_nan=False)
    Path(path).write_text(text + "\n", encoding="utf-8")


def write_table(path: Path, rows: pl.DataFrame | list[dict] | Mapping[str, object]) -> None:
    """A table (frame, list of rows, or columns) as Parquet with the schema version in its metadata."""
    table = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, infer_schema_length=None)
    table.write_parquet(path, compression="zstd", metadata={"schema_version": SCHEMA_VERSION})


def hash_text(text: str) -> str:
    """SHA-256 of the UTF-8 bytes, hex."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def hash_json(value: object) -> str:
    """SHA-256 of a value's canonical JSON (sorted keys): the same for equal values."""
    return hash_text(json.dumps(plain(value), sort_keys=True, ensure_ascii=False, allow_nan=False))


def hash_files(files: Iterable[Path]) -> str:
    """SHA-256 over name and content of each file, in the order given; folders of the files do not enter."""
    digest = hashlib.sha256()
    for file in files:
        content = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        digest.update(f"{Path(file).name}\0{content}\n".encode())
    return digest.hexdigest()


def hash_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over name, dtype, shape and bytes of each array, by name; memory layout does not matter."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
