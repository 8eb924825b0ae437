"""The whole court in one call: books, forecasts, verdicts, as a CoverageReport and as daily columns."""

from __future__ import annotations

import time

import numpy as np
import polars as pl

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

    first_year : of forecasts, None = as early as the data allow.  models, books : names (or asset classes),
    None = all.  workers, resume, progress : see ``forecast_daily``; with more than one worker a script must
    guard its entry with ``if __name__ == "__main__"``.  holdings : None = the standard books.
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


def daily_columns(daily: list[Daily]) -> pl.DataFrame:
    """Columns book, model (categorical), level, date, pnl, var, es (losses positive), pit, exceeded: one row
    per day, model, book and level."""
    frames = []
    for d in daily:
        for i, level in enumerate(d.levels):
            frame = pl.DataFrame({"level": np.full(len(d.dates), level), "date": d.dates, "pnl": d.pnl,
                                  "var": -d.var[:, i], "es": -d.es[:, i], "pit": d.pit,
                                  "exceeded": d.pnl < d.var[:, i]})
            frames.append(frame.select(pl.lit(d.book.name).alias("book"),
                                       pl.lit(d.model).alias("model"), "*"))
    return pl.concat(frames).with_columns(pl.col("book", "model").cast(pl.Categorical))
