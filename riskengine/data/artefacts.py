"""Where does an estimated factor model rest between two runs, and is it still whole?

Two files: ``<path>.npz`` (every array, to the bit) and ``<path>.json`` (the scalars, the diagnostics, and
the SHA-256 of the .npz).  Each is written beside its place and moved there, arrays first, so that a reader
never sees half a file; a pair that does not match, a truncated or foreign file is an
:class:`ArtefactError`, and the caller estimates again.  The cache folder is $RISKENGINE_CACHE, else the
user's cache folder of the platform.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tempfile
import warnings
import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np

from riskengine.base.axes import Axis
from riskengine.base.errors import RiskEngineError
from riskengine.factor_model import FactorModel

FORMAT = 1
OPTIONAL_ARRAYS = ("loadings_draw_factor",)
SCALARS = ("step_days", "as_of", "dof", "sample")
ARRAYS = tuple(f.name for f in fields(FactorModel) if f.name not in (*SCALARS, "axis", "diagnostics"))


class ArtefactError(RiskEngineError):
    """The artefact is missing, truncated, of another format or does not match its description."""


def cache_folder() -> Path:
    """The user's cache folder of this program (not created here)."""
    chosen = os.environ.get("RISKENGINE_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "riskengine"


def save_model(model: FactorModel, path: Path | str, must_succeed: bool = True) -> str:
    """Write *model* to ``<path>.npz`` and ``<path>.json``; returns the SHA-256 of the arrays.

    must_succeed : False turns an unwritable place or a full disk (OSError) into a warning, for caches.
    """
    path = Path(path)
    arrays = {name: getattr(model, name) for name in ARRAYS if getattr(model, name) is not None}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    payload = buffer.getvalue()
    digest = hashlib.sha256(payload).hexdigest()
    text = json.dumps(
        {"format": FORMAT, "sha256": digest,
         "axis": {"name": model.axis.name, "labels": list(model.axis.labels)}}
        | {name: getattr(model, name) for name in SCALARS} | {"diagnostics": list(model.diagnostics)},
        indent=1, allow_nan=False, ensure_ascii=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(_with_suffix(path, ".npz"), payload)
        _replace(_with_suffix(path, ".json"), text.encode())
    except OSError as error:
        if must_succeed:
            raise
        warnings.warn(f"the factor model could not be cached: {error}", stacklevel=2)
    return digest


def load_model(path: Path | str) -> FactorModel:
    """The model saved at *path* (without suffix), equal to the bit; ArtefactError when it is not whole."""
    path = Path(path)
    try:
        described = json.loads(_with_suffix(path, ".json").read_bytes())
        payload = _with_suffix(path, ".npz").read_bytes()
        if described["format"] != FORMAT:
            raise ArtefactError(f"{path.name}: format {described['format']}, this version reads {FORMAT}")
        if hashlib.sha256(payload).hexdigest() != described["sha256"]:
            raise ArtefactError(f"{path.name}: arrays do not match their description")
        with np.load(io.BytesIO(payload), allow_pickle=False) as stored:
            arrays = {name: np.ascontiguousarray(stored[name]) for name in stored.files}
        missing = [n for n in ARRAYS if n not in arrays and n not in OPTIONAL_ARRAYS]
        if missing:
            raise ArtefactError(f"{path.name}: arrays are missing: {', '.join(missing)}")
        axis = Axis(described["axis"]["name"], tuple(described["axis"]["labels"]))
        scalars = {name: described[name] for name in SCALARS}
        diagnostics = tuple(described["diagnostics"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ArtefactError(f"{path.name}: {error}") from error
    for array in arrays.values():
        array.flags.writeable = False
    absent = {name: None for name in OPTIONAL_ARRAYS}
    return FactorModel(axis=axis, diagnostics=diagnostics, **(absent | arrays), **scalars)


def model_hash(model: FactorModel) -> str:
    """SHA-256 of every number of *model*: what a run's manifest records."""
    digest = hashlib.sha256(repr([model.axis.labels, *(getattr(model, n) for n in SCALARS)]).encode())
    for name in ARRAYS:
        array = getattr(model, name)
        if array is not None:
            digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _with_suffix(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _replace(path: Path, payload: bytes) -> None:
    """Write beside *path* and move into place."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(payload)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
