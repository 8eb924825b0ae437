"""Which folder of the data store did the user name, and is it there?

Standard library only: the command line asks before anything heavy is loaded.
"""

from __future__ import annotations

import os
from pathlib import Path

from riskengine.base.errors import InputError, Problem


def check_folder(chosen: Path | str | None) -> None:
    """InputError when a store's folder is named (--data) that does not exist: a mistyped name must not turn
    into an answer from the embedded data."""
    if chosen is not None and not Path(chosen).is_dir():
        raise InputError(Problem("no such folder", field="--data", got=str(chosen),
                                 accepted="a folder that riskengine data import has filled"))


def folder_for_others(chosen: Path | str | None) -> str | None:
    """The checked folder, absolute: --data, else $RISKENGINE_DATA, else None (the user's default).

    For a process that has the working folder and environment of whoever started it.
    """
    check_folder(chosen)
    named = chosen or os.environ.get("RISKENGINE_DATA") or None
    return None if named is None else str(Path(named).absolute())
