"""The whole court in one call: books, forecasts, verdicts, as a CoverageReport and as daily columns."""

from __future__ import annotations

import time

import numpy as np

from backtests.coverage.books import Holdings, standard_books
from backtests.coverage.judgement import DEFAULT, conclude, find_winners, judge_all
from backtests.coverage.models import DESCRIPTIONS
from backtests.coverage.rolling import Daily, Progress, check_levels, check_models, forecast_daily
from riskengine.data.selection import active_store
from riskengine.coverage_result import CoverageReport


def hold_court(as_of: str, first_year: int | None = None, models: tuple[str, ...] | None = None,
               books: tuple[str, ...] | None = None, levels: tuple[float, ...] = (0.99, 0.975),
               workers: int | None = None, resume: bool = True, progress: Progress | None = None,
               holdings: Holdings | None = None) -> tuple[CoverageReport, list[Daily]]:
    """Forecast and judge every book by every model on the data known at *as_of*.

    first_year : of forecasts, None = as early as the data allow.  models, books : names (or asset classes), None =
    all.  workers, resume, progress : see ``forecast_daily``; with more than one worker a script must guard its
    entry with ``if __name__ == "__main__"``.  holdings : None = the standard books.
    InputError for an unknown name, a level outside [.9, .999], or no year with enough history.
    """
    started = time.perf_counter()
    models, levels = check_models(models), check_levels(levels)
    holdings = (standard_books(as_of) if holdings is None else holdings).choose(books)
    daily = forecast_daily(holdings, first_year, models, levels, workers, resume, progress)
    cells = judge_all(daily, workers, progress)
    winners = find_winners(cells)
    covered = {c.book for c in cells}
    report = CoverageReport(
        as_of=as_of, data_version=active_store().version, levels=levels,
        default_model=DEFAULT if DEFAULT in models else models[0],
        models={m: DESCRIPTIONS[m] for m in models},
        books={b.name: b.description for b in holdings.books if b.name in covered}, cells=tuple(cells),
        winners=tuple(winners), conclusion=tuple(conclude(winners)), seconds=time.perf_counter() - started)
    return report, daily


def daily_columns(daily: list[Daily]) -> dict[str, np.ndarray]:
    """Columns book, model, level, date, pnl, var, es (losses positive), pit, exceeded: one row per day, model,
    book and level."""
    parts: dict[str, list] = {k: [] for k in ("book", "model", "level", "date", "pnl", "var", "es", "pit",
                                              "exceeded")}
    for d in daily:
        for i, level in enumerate(d.levels):
            n = len(d.dates)
            row = (np.full(n, d.book.name), np.full(n, d.model), np.full(n, level), d.dates, d.pnl,
                   -d.var[:, i], -d.es[:, i], d.pit, d.pnl < d.var[:, i])
            for column, values in zip(parts.values(), row, strict=True):
                column.append(values)
    return {k: np.concatenate(v) for k, v in parts.items()}
