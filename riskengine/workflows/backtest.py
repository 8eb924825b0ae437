"""Backtests from the command line and for the report: coverage of the default model on the embedded series."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from riskengine.base.errors import InputError
from riskengine.data.artefacts import cache_folder
from riskengine.data.catalog import default_as_of
from riskengine.data.store import hash_files, hash_text
from riskengine.result import BacktestResult


def run_coverage(as_of: str | None = None) -> tuple[BacktestResult, ...]:
    """Kupiec, Christoffersen and Basel lights of one-day 99% VaR by series, re-estimated without looking ahead."""
    from backtests.coverage import run_coverage as coverage

    return coverage(as_of or default_as_of())


COVERAGE_YEARS = (10, 5, 3, 1)
"""Years of daily forecasts, the first that fits."""


def _longest_coverage(as_of: str) -> tuple[BacktestResult, ...]:
    from backtests.coverage import run_coverage as coverage

    for years in COVERAGE_YEARS:
        try:
            return coverage(as_of, years=years)
        except InputError:
            continue
    return ()


def cached_coverage(as_of: str) -> tuple[BacktestResult, ...]:
    """The same, kept on disk: it depends on the as-of date, the embedded data and the code of the court only.

    The window is the longest of COVERAGE_YEARS that history before *as_of* allows; empty when there is none.
    """
    root = Path(__file__).resolve().parents[2]
    code = sorted([*(root / "backtests").glob("*.py"), *(root / "factors").glob("*.py")])
    data = sorted((root / "riskengine" / "data" / "bundled").glob("*.parquet"))
    file = cache_folder() / f"coverage-{as_of}-{hash_text(as_of + hash_files([*code, *data]))[:16]}.json"
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
