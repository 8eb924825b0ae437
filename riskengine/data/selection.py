"""Which data store does this run read?

``active_store()`` answers for every panel: the store of the innermost ``use_store`` block, else the one
chosen for the whole process (``select_store``), else $RISKENGINE_DATA, else the user's data folder.

    with use_store("my_data"):                   # this thread and its tasks, until the block ends
        run = nightly(...)
    select_store("my_data", version="3f9c2a")    # every thread of the process (a server, a command)
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from pathlib import Path

from riskengine.data.chosen_folder import check_folder
from riskengine.data.local_store import SeriesStore, open_store

_INNERMOST: ContextVar[SeriesStore | None] = ContextVar("riskengine_data_store", default=None)
_process: SeriesStore | None = None


def active_store() -> SeriesStore:
    """The store that panels are extended by; of version 'embedded' when nothing was ever imported."""
    chosen = _INNERMOST.get() or _process
    return chosen if chosen is not None else open_store()


class use_store:  # noqa: N801 - reads as the verb it is in a with statement
    """Read from the store at *folder* (and *version*) from now on; as a ``with`` block, until it ends.

    The version is fixed at this moment: an import by somebody else does not change what the block sees.
    InputError as ``open_store``.
    """

    def __init__(self, folder: Path | str | None = None, version: str | None = None):
        self.store = open_store(folder, version)
        self._token: Token | None = _INNERMOST.set(self.store)

    def __enter__(self) -> SeriesStore:
        return self.store

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _INNERMOST.reset(self._token)
            self._token = None


def select_store(folder: Path | str | None = None, version: str | None = None) -> SeriesStore:
    """Choose the store of the whole process, all threads; without arguments back to the default folder."""
    global _process
    _process = open_store(folder, version) if folder or version else None
    return active_store()


__all__ = ["active_store", "check_folder", "select_store", "use_store"]
