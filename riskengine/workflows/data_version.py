"""One version of the data store for a whole run, and what the manifest says of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from riskengine.data.local_store import EMBEDDED
from riskengine.data.selection import active_store, check_folder, use_store

P = ParamSpec("P")
T = TypeVar("T")


def on_one_version(run: Callable[P, T]) -> Callable[..., T]:
    """*run* with two more keywords: ``data`` (folder of the store) and ``data_version`` (an earlier version,
    its first six digits suffice).

    Without them the active store is read; in every case at the version it has when the run starts, whatever
    is imported meanwhile.  InputError for an unknown version.
    """

    @wraps(run)
    def pinned(*args, data: Path | str | None = None, data_version: str | None = None, **keywords) -> T:
        check_folder(data)
        current = active_store()
        folder = current.folder if data is None else data
        version = current.version if data is None and data_version is None else data_version
        with use_store(folder, version):
            return run(*args, **keywords)

    return pinned


def data_hashes() -> dict[str, str]:
    """{'data_version': …} of the active store for the input hashes; empty while nothing is imported."""
    version = active_store().version
    return {} if version == EMBEDDED else {"data_version": version}


def describe_data() -> dict:
    """For the manifest: ``data_version`` ('embedded' without imports) and ``data_series``, id → SHA-256 of
    dates and values of every imported series."""
    store = active_store()
    return {"data_version": store.version,
            "data_series": {name: store.series[name].sha256 for name in sorted(store.series)}}
