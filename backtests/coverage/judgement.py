"""Was each model refuted, and which is best? Tests, scores and comparisons of daily forecasts.

Per book, model and level: counts and Basel lights, independence (Markov, duration, dynamic quantile),
expected shortfall (Z1, Z2 simulated under each day's forecast), probability transforms, the FZ0 score and its
Diebold–Mariano difference to the default model on the same days; by calendar year and by regime:

    decades             '1970s' … of the calendar
    crisis, calm        inside or outside CRISES, dated with hindsight: outcomes are sorted, nothing estimated
    turbulent           days whose RiskMetrics volatility of the book, known the evening before, is in the top
                        fifth of what had been seen until then: could have been known
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import numpy as np

from backtests.coverage.models import MODELS
from backtests.coverage.rolling import FEW_PARTS, Daily
from backtests.es_tests import acerbi_szekely, diebold_mariano, fz0
from backtests.scoring import christoffersen, conditional_coverage, kupiec, traffic_light, transitions
from backtests.var_tests import (berkowitz, duration_test, dynamic_quantile, pit_counts, pit_kolmogorov,
                                 pit_uniform, rolling_counts, zone_shares)
from factors.definitions import CRISIS_WINDOWS, DEFAULT_EWMA_DECAY
from factors.volatility import garch_filter
from riskengine.coverage_result import CoverageCell, CoverageWinner
from riskengine.execution import available_cores

DEFAULT = "garch_fhs"
"""The model every other is compared with: the noise of the night (configs/nightly.toml ``noise``: student_t
is garch_t, filtered_historical is garch_fhs)."""
SIGNIFICANCE = 0.05
WINDOW = 250
ROLLING_STEP = 21
MIN_REGIME_DAYS = 250
CRISES: tuple[tuple[str, str, str], ...] = (
    ("1973-10-17", "1974-12-31", "oil embargo and bear market"),
    ("1979-10-06", "1982-10-29", "disinflation: money targets to the end of them"),
    ("1987-10-14", "1988-01-29", "Black Monday"),
    ("1990-08-02", "1991-01-17", "Gulf"),
    ("1992-09-14", "1993-08-02", "exchange-rate mechanism"),
    ("1994-02-04", "1994-11-30", "bond rout"),
    ("1997-07-02", "1998-01-30", "Asia"),
    ("1998-08-17", "1998-11-17", "Russia, LTCM, the yen"),
    *CRISIS_WINDOWS,
)
TURBULENT_SHARE = 0.8


def judge_all(daily: list[Daily], workers: int | None = None, progress=None) -> list[CoverageCell]:
    """Every cell, in the order of books, levels and models; books in parallel on *workers* processes."""
    say = progress or (lambda *_: None)
    books: dict[str, list[Daily]] = {}
    for d in daily:
        books.setdefault(d.book.name, []).append(d)
    count = min(available_cores() if workers is None else workers, len(books))
    if count <= 1 or len(books) <= FEW_PARTS:
        cells = []
        for done, group in enumerate(books.values()):
            say("tests", done, len(books))
            cells += judge_book(group)
    else:
        with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
            tasks = [pool.submit(judge_book, group) for group in books.values()]
            for done, _ in enumerate(as_completed(tasks)):
                say("tests", done, len(books))
            cells = [cell for task in tasks for cell in task.result()]
    say("tests", len(books), len(books))
    return cells


def judge_book(group: list[Daily]) -> list[CoverageCell]:
    """Cells of one book: *group* holds its models; the first stands in where the default is not among
    them."""
    reference = next((d for d in group if d.model == DEFAULT), group[0])
    regimes = regime_days(reference)
    return [judge_cell(d, reference, i, regimes) for i in range(len(reference.levels)) for d in group]


def judge_cell(d: Daily, reference: Daily, i: int, regimes: dict[str, np.ndarray]) -> CoverageCell:
    """One model at level number *i*, compared with *reference*."""
    level = d.levels[i]
    p = 1.0 - level
    var, es = d.var[:, i], d.es[:, i]
    hit = d.pnl < var
    n, x = len(hit), int(hit.sum())
    rate, markov = kupiec(n, x, p), christoffersen(*transitions(hit))
    spells = duration_test(hit)
    zone, cumulative = traffic_light(n, x, p)
    shares = zone_shares(hit, p, WINDOW)
    size, number = acerbi_szekely(d.pnl, var, es, d.tail[:, i].astype(np.float64), p)
    score, base = fz0(d.pnl, var, es, p), fz0(reference.pnl, reference.var[:, i], reference.es[:, i], p)
    better = diebold_mariano(score, base)
    years = d.dates.astype("datetime64[Y]").astype(int) + 1970
    counts = rolling_counts(hit, WINDOW)[::-1][::ROLLING_STEP][::-1]
    ends = d.dates[WINDOW - 1:][::-1][::ROLLING_STEP][::-1]
    return CoverageCell(
        book=d.book.name, asset_class=d.book.asset_class, model=d.model, level=level, first=str(d.dates[0]),
        last=str(d.dates[-1]), observations=n, exceptions=x, expected=n * p,
        other_tail_exceptions=int((d.pnl > d.high[:, i]).sum()), kupiec_lr=rate.lr, kupiec_p=rate.p_value,
        christoffersen_lr=markov.lr, christoffersen_p=markov.p_value,
        conditional_coverage_p=conditional_coverage(rate, markov).p_value, duration_shape=spells.shape,
        duration_p=spells.p_value, dynamic_quantile_p=dynamic_quantile(hit, var, p).p_value,
        traffic_light=zone, cumulative_probability=cumulative, days_green=shares["green"],
        days_yellow=shares["yellow"], days_red=shares["red"], most_in_250_days=shares["maximum"],
        z1=size.statistic, z1_p=size.p_value, z1_critical=size.critical, z2=number.statistic,
        z2_p=number.p_value, z2_critical=number.critical, mean_var=float(-var.mean()),
        mean_es=float(-es.mean()), fz0=float(score.mean()), fz0_difference=better.difference, dm_t=better.t,
        dm_p=better.p_value, pit_counts=tuple(int(c) for c in pit_counts(d.pit)),
        pit_uniform_p=pit_uniform(d.pit).p_value, pit_kolmogorov_p=pit_kolmogorov(d.pit),
        berkowitz_p=berkowitz(d.pit).p_value,
        by_year={int(y): (int((years == y).sum()), int(hit[years == y].sum())) for y in np.unique(years)},
        by_regime={name: _regime(hit[days], p, score[days] - base[days]) for name, days in regimes.items()},
        rolling=tuple((str(day), int(c)) for day, c in zip(ends, counts, strict=True)) if len(counts) else ())


def _regime(hit: np.ndarray, p: float, difference: np.ndarray) -> dict[str, float]:
    n, x = len(hit), int(hit.sum())
    return {"observations": n, "exceptions": x, "expected": n * p, "kupiec_p": kupiec(n, x, p).p_value,
            "fz0_difference": float(difference.mean())}


def regime_days(d: Daily) -> dict[str, np.ndarray]:
    """name → (N,) bool; regimes with fewer than MIN_REGIME_DAYS days are left out."""
    decade = (d.dates.astype("datetime64[Y]").astype(int) + 1970) // 10 * 10
    crisis = np.zeros(len(d.dates), dtype=bool)
    for start, end, _ in CRISES:
        crisis |= (d.dates >= np.datetime64(start)) & (d.dates <= np.datetime64(end))
    lately = garch_filter(d.pnl, 1.0 - DEFAULT_EWMA_DECAY, 0.0, DEFAULT_EWMA_DECAY,
                          float(np.mean(d.pnl[:WINDOW] ** 2)))[:-1]
    out = {f"{y}s": decade == y for y in np.unique(decade)}
    out |= {"crisis": crisis, "calm": ~crisis, "turbulent": _rank_so_far(lately) >= TURBULENT_SHARE}
    return {name: days for name, days in out.items() if days.sum() >= MIN_REGIME_DAYS}


def _rank_so_far(x: np.ndarray) -> np.ndarray:
    """(N,) share of x_1 … x_t that is below x_t."""
    from bisect import bisect_left, insort

    seen: list[float] = []
    out = np.empty(len(x))
    for t, value in enumerate(x):
        insort(seen, value)
        out[t] = bisect_left(seen, value) / (t + 1)
    return out


def find_winners(cells: list[CoverageCell]) -> list[CoverageWinner]:
    """Who has the lowest mean FZ0 in each asset class and over all, by level; each book counts once."""
    models = [m for m in MODELS if any(c.model == m for c in cells)]
    out = []
    classes = list(dict.fromkeys(c.asset_class for c in cells))
    for level in dict.fromkeys(c.level for c in cells):
        for name in (*classes, "all"):
            mine = [c for c in cells if c.level == level and name in (c.asset_class, "all")]
            by = {m: [c for c in mine if c.model == m] for m in models}
            mean = {m: float(np.mean([c.fz0_difference for c in v])) for m, v in by.items()}
            first = by[models[0]]
            out.append(CoverageWinner(
                asset_class=name, level=level, winner=min(mean, key=mean.get), books=len(first),
                fz0_difference=mean,
                significant_wins={m: sum(c.dm_t < 0 and c.dm_p < SIGNIFICANCE for c in v)
                                  for m, v in by.items()},
                significant_losses={m: sum(c.dm_t > 0 and c.dm_p < SIGNIFICANCE for c in v)
                                    for m, v in by.items()},
                calibrated={m: sum(c.kupiec_p >= SIGNIFICANCE for c in v) for m, v in by.items()},
                exceptions={m: sum(c.exceptions for c in v) for m, v in by.items()},
                expected=float(sum(c.expected for c in first))))
    return out


def conclude(winners: list[CoverageWinner]) -> list[str]:
    """Sentences on where the default wins and where it does not, with the figures."""
    out = []
    for w in winners:
        if DEFAULT not in w.fz0_difference:
            continue
        where = "over all books" if w.asset_class == "all" else f"in {w.asset_class}"
        hits = f"{w.exceptions[DEFAULT]} exceptions of the default against {w.expected:.0f} expected"
        others = {m: d for m, d in w.fz0_difference.items() if m != DEFAULT}
        if not others:
            continue
        if w.winner == DEFAULT:
            second = min(others, key=others.get)
            out.append(f"{w.level:.1%} {where}: {DEFAULT} has the best score, {second} is "
                       f"{others[second]:.4f} behind; {hits}.")
        else:
            out.append(
                f"{w.level:.1%} {where}: {w.winner} is better than {DEFAULT} by {-others[w.winner]:.4f} "
                f"(significantly on {w.significant_wins[w.winner]} of {w.books} books, worse on "
                f"{w.significant_losses[w.winner]}), {w.exceptions[w.winner]} exceptions; {hits}.")
    return out
