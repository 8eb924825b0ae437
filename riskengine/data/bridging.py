"""Where does a currency stand that was last quoted some weeks ago, given what the others have done since?

Of the currencies quoted at the as-of date, the daily log moves of the missing one are regressed (least
squares without a constant, the last WINDOW days on which all were quoted) and the fitted move over the gap is
added:

    ln S(t) = ln S(last) + b' (ln S_others(t) − ln S_others(last)) ± σ_e √(business days of the gap)

It is an estimate for a portfolio that must be valued, not a quotation: it enters the snapshot as an assumed
input ``spot.<CCY>`` with its standard error, positions priced off it are marked, and data quality says so in
red. Done only with imported data (without them every currency ends on the same day) and for gaps up to
LONGEST_GAP_DAYS.
"""

from __future__ import annotations

import numpy as np

from riskengine.market import MarketInput, Panel

WINDOW = 750
"""Days behind the regression: three years."""
LONGEST_GAP_DAYS = 62
"""Beyond two months nothing is bridged: the currency is absent from the snapshot."""
MIN_OTHERS = 5
"""Currencies that must be quoted at the as-of date and on the last day of the missing one."""
SAME_DAY = 4
"""Days the others' last quotation may lie before the wanted day (a closed market)."""


def bridge_currency(panel: Panel, currency: str, day: np.datetime64, fresh_days: int) -> MarketInput | None:
    """USD per unit of *currency* at *day*, estimated; None when it is quoted, too old, or too few others are.

    panel : fx_daily as known at *day*.  fresh_days : age up to which a quotation counts as current.
    """
    logs = np.log(panel.values)
    own = logs[:, panel.axis.index(currency)]
    seen = np.flatnonzero(np.isfinite(own))
    if not len(seen):
        return None
    last = panel.dates[seen[-1]]
    age = int((day - last).astype(int))
    if not fresh_days < age <= LONGEST_GAP_DAYS:
        return None
    ends = [(_last_by(panel.dates, logs[:, j], last, SAME_DAY),
             _last_by(panel.dates, logs[:, j], day, fresh_days)) for j in range(logs.shape[1])]
    others = [j for j, (start, end) in enumerate(ends) if None not in (start, end)
              and panel.axis.labels[j] != currency]
    if len(others) < MIN_OTHERS:
        return None
    together = np.isfinite(own) & np.isfinite(logs[:, others]).all(axis=1) & (panel.dates <= last)
    rows = np.flatnonzero(together)[-WINDOW - 1:]
    if len(rows) < WINDOW // 3:
        return None
    moves = np.diff(logs[rows][:, others], axis=0)
    own_moves = np.diff(own[rows])
    slopes, *_ = np.linalg.lstsq(moves, own_moves, rcond=None)
    residual = own_moves - moves @ slopes
    sigma = float(np.sqrt(residual @ residual / max(len(residual) - len(others), 1)))
    gap = np.array([ends[j][1] - ends[j][0] for j in others])
    move = float(gap @ slopes)
    steps = max(int(np.busday_count(last, day)), 1)
    value = float(np.exp(own[seen[-1]] + move))
    r2 = 1.0 - float(residual @ residual / (own_moves @ own_moves)) if own_moves.any() else 0.0
    return MarketInput(
        f"spot.{currency}", value, value * sigma * steps**0.5, f"USD per {currency}", str(day),
        f"not quoted since {last}: that rate moved by {100 * np.expm1(move):+.2f}%, its regression on "
        f"{len(others)} currencies quoted since (R² {r2:.2f}, standard error {100 * sigma * steps**0.5:.1f}%)",
        assumed=True)


def _last_by(dates: np.ndarray, logs: np.ndarray, day: np.datetime64, age: int) -> float | None:
    """Last value on or before *day*, None when older than *age* days."""
    rows = np.flatnonzero(np.isfinite(logs) & (dates <= day) & (dates >= day - np.timedelta64(age, "D")))
    return float(logs[rows[-1]]) if len(rows) else None
