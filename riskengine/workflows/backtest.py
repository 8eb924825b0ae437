"""Backtests from the command line and for the report: daily coverage of the noise models and their rivals."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from riskengine.base.errors import InputError, Problem
from riskengine.coverage_result import CoverageReport
from riskengine.data.artefacts import cache_folder
from riskengine.data.catalog import default_as_of
from riskengine.data.run_files import hash_files, hash_text, write_json, write_table
from riskengine.data.selection import active_store
from riskengine.result import BacktestResult

COVERAGE_FILES = ("coverage.json", "coverage_daily.parquet")


def run_coverage(as_of: str | None = None, from_year: int | None = None, models: tuple[str, ...] | None = None,
                 books: tuple[str, ...] | None = None, levels: tuple[float, ...] = (0.99, 0.975),
                 resume: bool = True, out: Path | None = None, workers: int | None = None,
                 progress: Callable[[str, int, int], None] | None = None) -> CoverageReport:
    """One-day VaR and ES of fixed books, every model, every day the active store and the embedded data allow.

    as_of : last day, None = the last common one.  from_year : first year forecast.  models, books : names, or
    asset classes for books; None = all.  resume : False computes again what is kept on disk.  out : folder for
    coverage.json and coverage_daily.parquet (written whole or not at all).  progress : (stage, done, total).
    InputError for unknown names, levels outside [.9, .999], too little history, an unwritable folder.
    """
    from backtests.coverage.court import daily_columns, hold_court

    if out is not None:
        _check_writable(out)
    report, daily = hold_court(as_of or default_as_of(), from_year, models, books, levels, workers, resume,
                               progress)
    if out is not None:
        first, second = (out / name for name in COVERAGE_FILES)
        _write_whole(first, lambda path: write_json(path, asdict(report)))
        _write_whole(second, lambda path: write_table(path, daily_columns(daily)))
    return report


COVERAGE_YEARS = (10, 5, 3, 1)
"""Years of daily forecasts, the first that fits."""


def _longest_coverage(as_of: str) -> tuple[BacktestResult, ...]:
    from backtests.coverage.nightly import run_nightly

    for years in COVERAGE_YEARS:
        try:
            return run_nightly(as_of, years=years)
        except InputError:
            continue
    return ()


def cached_coverage(as_of: str) -> tuple[BacktestResult, ...]:
    """The nightly report's coverage table, kept on disk: it depends on the as-of date, the embedded and imported
    data and the code of the court only.

    The window is the longest of COVERAGE_YEARS that history before *as_of* allows; empty when there is none.
    """
    root = Path(__file__).resolve().parents[2]
    code = sorted([*(root / "backtests").glob("**/*.py"), *(root / "factors").glob("*.py")])
    data = sorted((root / "riskengine" / "data" / "bundled").glob("*.parquet"))
    key = hash_text(as_of + active_store().version + hash_files([*code, *data]))[:16]
    file = cache_folder() / f"coverage-{as_of}-{key}.json"
    try:
        return tuple(BacktestResult(**row) for row in json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        rows = _longest_coverage(as_of)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f".{file.name}.partial")
        partial.write_text(json.dumps([asdict(row) for row in rows]), encoding="utf-8")
        partial.replace(file)
    except OSError:
        return rows
    return rows


def _check_writable(folder: Path) -> None:
    """Before an hour's work rather than after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError
    except OSError as error:
        raise InputError(Problem("the output folder cannot be written", field="out", got=str(folder),
                                 accepted="a folder that can be created and written")) from error


def _write_whole(path: Path, write: Callable[[Path], None]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    write(partial)
    partial.replace(path)
