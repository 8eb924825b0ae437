"""What was expensive to make and is the same as long as nothing it was made of has changed.

    kept(kind, key, make)      the object of that key from the user's cache folder, else make() and keep it

A file is the SHA-256 of its contents and a pickle; it is read only from a folder that is the user's own and that
nobody else may write, only when whole, and only with the classes of this program and of numpy in it.  Arrays
come back to the bit, read-only where they were.  Whoever calls puts everything the object depends on into the
key (``made_of`` gives the part that is the same for all: program, libraries, embedded data).  An unwritable
place costs the next run its time, nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import mmap
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from riskengine.data.artefacts import cache_folder

DIGEST = 32
"""Bytes of the SHA-256 at the beginning of a file."""
_PACKAGE = Path(__file__).resolve().parents[1]
_BUILTINS = {"complex", "set", "frozenset", "slice", "range", "bytearray", "object"}
_NUMPY = {"ndarray", "dtype", "_reconstruct", "scalar", "_frombuffer"}
T = TypeVar("T")


def kept(kind: str, key: str, make: Callable[[], T], most: int = 8) -> T:
    """The object of *key*, or a new one that is then kept.

    kind : name of its folder.  most : objects of that kind; the one used longest ago goes first.
    """
    folder = cache_folder() / kind
    path = folder / hashlib.sha256(key.encode()).hexdigest()[:32]
    found = _read(path)
    if found is not None:
        return found
    made = make()
    _write(path, made, most)
    return made


@lru_cache(maxsize=1)
def made_of() -> str:
    """SHA-256 of what every kept object depends on: the program's source, the embedded data, the interpreter
    and the names and versions of all installed packages."""
    digest = hashlib.sha256(sys.version.encode())
    for root in (_PACKAGE, _PACKAGE.parent / "factors"):
        files = [*root.rglob("*.py"), *(root / "data" / "bundled").glob("*")]
        for file in sorted(f for f in files if f.is_file()):
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    for place in sys.path:
        with contextlib.suppress(OSError):
            digest.update("\0".join(sorted(n for n in os.listdir(place) if n.endswith((".dist-info", ".egg-info")))
                                    ).encode())
    return digest.hexdigest()


# ---------------------------------------------------------------- on disk
def _read(path: Path) -> Any:
    """The object in a file, None when there is none that is whole and ours."""
    try:
        if not _is_ours(path.parent):
            return None
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            with memoryview(content) as view:
                whole = hashlib.sha256(view[DIGEST:]).digest() == content[:DIGEST]
            if not whole:
                return None
            file.seek(DIGEST)
            found = _Reader(file).load()
    except (OSError, pickle.UnpicklingError, AttributeError, ImportError, EOFError, IndexError, TypeError,
            ValueError):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return found


def _write(path: Path, value: object, most: int) -> None:
    buffer = io.BytesIO()
    _Writer(buffer, protocol=5).dump(value)
    payload = buffer.getbuffer()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(path.parent):
            return
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(hashlib.sha256(payload).digest())
                out.write(payload)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _clear(path.parent, most)
    except OSError:
        return  # not kept: made again the next time


def _clear(folder: Path, most: int) -> None:
    """Leave the *most* objects used last; what a killed process left half written goes after an hour."""
    files = sorted((f.stat().st_mtime, f) for f in folder.iterdir())
    whole = [f for _, f in files if not f.name.startswith(".")]
    left = [f for when, f in files if f.name.startswith(".") and when < time.time() - 3600.0]
    for file in (*whole[:-most], *left):
        file.unlink(missing_ok=True)


def _is_ours(folder: Path) -> bool:
    """Pickles are read only where nobody else may write."""
    if not hasattr(os, "getuid"):
        return True
    status = folder.lstat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def _read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


class _Writer(pickle.Pickler):
    """Remembers which arrays are read-only."""

    def reducer_override(self, value: object) -> Any:
        if type(value) is np.ndarray and not value.flags.writeable:
            return _read_only, (value.copy(order="K"),)
        return NotImplemented


class _Reader(pickle.Unpickler):
    """Builds objects of this program and of numpy, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        top = module.partition(".")[0]
        if (top == "riskengine" or (top == "numpy" and name in _NUMPY) or (top == "builtins" and name in _BUILTINS)
                or (module, name) in (("collections", "OrderedDict"), ("datetime", "date"), ("_codecs", "encode"))):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not kept here")
