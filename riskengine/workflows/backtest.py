"""Backtests from the command line: coverage of the default model on the embedded currencies."""

from __future__ import annotations

from riskengine.data.catalog import DEFAULT_AS_OF
from riskengine.result import BacktestResult


def run_coverage(as_of: str | None = None) -> tuple[BacktestResult, ...]:
    """Kupiec, Christoffersen and Basel lights of one-day 99% VaR by currency, re-estimated without looking ahead."""
    from backtests.coverage import quick_coverage

    return quick_coverage(as_of or DEFAULT_AS_OF)
