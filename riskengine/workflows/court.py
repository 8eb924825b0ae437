"""The court's page: coverage and episodes, run or reused, with own trades and liquidity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from riskengine.base.errors import InputError, Problem
from riskengine.coverage_result import CoverageReport
from riskengine.data.configs import config_root
from riskengine.data.market_inputs import load_market_inputs
from riskengine.data.parameters import load_parameters
from riskengine.workflows.backtest import run_coverage
from riskengine.workflows.episodes import run_episodes


def run_court(
    as_of: str | None, out: Path, progress: Callable[[str, int, int], None] | None = None,
    workers: int | None = None,
) -> tuple[CoverageReport, dict, int]:
    """Hold the court on the active store and write its page to *out* (HTML, whole or not at all).

    as_of : last day of the coverage, None = the last common one.  What earlier runs left on disk is reused.

    Returns the coverage, the episodes and the size of the page in bytes.  InputError, before any work is done,
    when *out* is a folder or cannot be written.
    """
    check_page(out)
    report = run_coverage(as_of, progress=progress, workers=workers)
    result = run_episodes(workers=workers, progress=progress)
    return report, result, write_court(report, result, out)


def write_court(report: CoverageReport, result: dict, out: Path) -> int:
    """The page of two results to *out*; its size in bytes."""
    from backtests.liquidity_cases import published_costs, stressed_books
    from riskengine.reports.backtests import render_court

    stressed: list[dict] | str
    try:
        inputs = load_market_inputs(config_root() / "market_inputs.csv", report.as_of)
        stressed = [asdict(b) for b in stressed_books(report.as_of, load_parameters(), inputs)]
    except InputError as error:
        stressed = str(error)
    page = render_court(report, result, [asdict(c) for c in published_costs()], stressed).encode("utf-8")
    partial = out.with_name(f".{out.name}.partial")
    partial.write_bytes(page)
    partial.replace(out)
    return len(page)


def check_page(out: Path) -> None:
    """InputError unless *out* can be written; its folder is made."""
    if out.is_dir():
        raise InputError(Problem("a file is needed, not a folder", field="--out", got=str(out),
                                 accepted=str(out / "backtests.html")))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = out.with_name(f".{out.name}.partial")
        partial.touch()
        partial.unlink()
    except OSError as error:
        raise InputError(Problem("the page cannot be written", field="--out", got=str(out),
                                 accepted="a file in a folder that can be written")) from error
