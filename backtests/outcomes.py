"""What happened: realised moves of the judged variables after an episode.

A variable is read from paths of factor moves x (K, P), predicted or realised alike:

    DOLLAR              Σ w_c x_FX_c          log, + = the dollar fell, weights of the episode's dollar
    FX_…, EQ_…          log move              UST_…   change of the zero rate, decimal
    UST_10Y_RESIDUAL    x_10Y − φ x_2Y        what the expected policy path leaves over (φ estimated before)
    BOOK_…              USD mn on 100 mn each: ten-year zero bond, S&P 500, currencies at their dollar weights

Realised levels are the last quotes on or before a date, at most a week old; horizons are 1 business day and
4, 13, 52 weeks after the base date (the engine's own grid of weeks).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from factors.early import equity_history, yield_history
from riskengine.base.axes import FACTORS, KEY_RATES
from riskengine.data.panels import known_history, panel_info

END_OF_DATA = "9999-12-31"
STALE = np.timedelta64(7, "D")
HORIZON_WEEKS = (4, 13, 52)
ONE_DAY = 0
"""Horizon code of one business day; others are weeks."""
NOTIONAL_MN = 100.0
BOOKS = ("BOOK_TREASURY", "BOOK_EQUITY", "BOOK_FX", "BOOK_TOTAL")


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels of every factor with a daily history: label → (days, log price or zero rate)."""

    series: dict[str, tuple[np.ndarray, np.ndarray]]

    def at(self, label: str, day: np.datetime64) -> float:
        """Last level on or before *day*; NaN when older than a week."""
        days, values = self.series[label]
        row = int(np.searchsorted(days, day, side="right")) - 1
        return float(values[row]) if row >= 0 and day - days[row] <= STALE else float("nan")

    def next_day(self, base: np.datetime64) -> np.datetime64 | None:
        """First day after *base* on which the ten-year yield was quoted."""
        days = self.series["UST_10Y"][0]
        row = int(np.searchsorted(days, base, side="right"))
        return days[row] if row < len(days) else None


def load_levels(as_of: str = END_OF_DATA) -> Levels:
    """Everything known at *as_of*; the default is the whole history, for realised moves only."""
    series: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    dates, fx = known_history("fx_daily", as_of)
    for j, c in enumerate(panel_info("fx_daily").labels):
        _put(series, f"FX_{c}", dates, fx[:, j], log=True)
    dates, zero = yield_history(as_of)
    for j, tenor in enumerate(KEY_RATES):
        _put(series, f"UST_{tenor}", dates, zero[:, j], log=False)
    for label, (days, closes) in equity_history(as_of).items():
        if label in FACTORS:
            _put(series, label, days, closes, log=True)
    return Levels(series)


def _put(series: dict, label: str, dates: np.ndarray, values: np.ndarray, log: bool) -> None:
    seen = np.isfinite(values)
    if seen.any():
        series[label] = (dates[seen], np.log(values[seen]) if log else values[seen])


def horizon_day(levels: Levels, base: np.datetime64, weeks: int) -> np.datetime64 | None:
    """The day at which a horizon is read; None when it lies beyond the data."""
    if weeks == ONE_DAY:
        return levels.next_day(base)
    return base + np.timedelta64(7 * weeks, "D")


def realised_moves(levels: Levels, labels: tuple[str, ...], base: np.datetime64, day: np.datetime64
                   ) -> np.ndarray:
    """(K,) realised factor moves between the closes of *base* and *day*; NaN for absent or stale factors."""
    moves = np.full(len(FACTORS), np.nan)
    for label in labels:
        if label in levels.series:
            moves[FACTORS.index(label)] = levels.at(label, day) - levels.at(label, base)
    return moves


def variables(x: np.ndarray, available: tuple[str, ...], weights: dict[str, float], path_beta: np.ndarray
              ) -> dict[str, np.ndarray]:
    """Judged variable → (P,) values from factor moves *x* (K, P).

    available : labels with a model.  weights : of the broad dollar.  path_beta : (10,) at KEY_RATES.
    A variable with a missing ingredient is left out.
    """
    out: dict[str, np.ndarray] = {}
    for label in available:
        if label.startswith(("FX_", "UST_", "EQ_")):
            out[label] = x[FACTORS.index(label)]
    member = [FACTORS.index(f"FX_{c}") for c in weights]
    share = np.array(list(weights.values()))
    out["DOLLAR"] = share @ x[member]
    if "UST_10Y" in out and "UST_2Y" in out:
        out["UST_10Y_RESIDUAL"] = out["UST_10Y"] - path_beta[list(KEY_RATES).index("10Y")] * out["UST_2Y"]
    books = {"BOOK_FX": NOTIONAL_MN * (share @ np.expm1(x[member]))}
    if "UST_10Y" in out:
        books["BOOK_TREASURY"] = NOTIONAL_MN * np.expm1(-10.0 * out["UST_10Y"])
    if "EQ_SP500" in out:
        books["BOOK_EQUITY"] = NOTIONAL_MN * np.expm1(out["EQ_SP500"])
    books["BOOK_TOTAL"] = sum(books.values())
    return out | books


