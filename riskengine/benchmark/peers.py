"""The same work by a good straightforward NumPy program: what the engine's speed is measured against.

Paths in batches that fit the cache, SFC64 (NumPy's fastest generator), matrix products by BLAS,
``np.partition`` for the tails with one sort of the small head, no paths × positions.  ``threads`` runs
batches (and tail series) on a pool; NumPy releases the interpreter lock in all of these.  float32 means
float32 draws and products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from scipy.special import ndtr

from riskengine.base.axes import FACTORS, KEY_RATES
from riskengine.base.dates import coupon_dates, parse_date, year_fraction
from riskengine.benchmark.workloads import (
    DOF,
    FACTOR_COUNT,
    SEED,
    STEPS,
    HorizonWorkload,
    PathWorkload,
    RevaluationWorkload,
)
from riskengine.measures.tail_risk import TailRank, rank_of_level

BATCH = 4_000


def _map(function: Callable, items: Sequence, threads: int) -> list:
    if threads == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))


def map_batches(function: Callable, paths: int, size: int, threads: int) -> list:
    """function((number, slice)) for batches of *size* paths, on a pool of *threads*."""
    return _map(function, _batches(paths, size), threads)


def _batches(paths: int, size: int) -> list[tuple[int, slice]]:
    return [(i, slice(lo, min(lo + size, paths))) for i, lo in enumerate(range(0, paths, size))]


def horizon_pnl(work: HorizonWorkload, paths: int, real: type, threads: int = 1,
                batch: int = BATCH) -> tuple[np.ndarray, np.ndarray]:
    """W1's P&L: books (B, P) and total (P,), of type *real*."""
    lower = np.linalg.cholesky(work.moves.covariance * (DOF - 2.0) / DOF).astype(real)
    delta = work.exposures.delta.astype(real)
    half_gamma = (0.5 * work.exposures.gamma).astype(real)
    books, total = np.empty((len(delta), paths), real), np.empty(paths, real)

    def run(item: tuple[int, slice]) -> None:
        number, part = item
        rng = np.random.Generator(np.random.SFC64([SEED, number]))
        size = part.stop - part.start
        x = lower @ rng.standard_normal((len(lower), size), dtype=real)
        chi_square = 2 * rng.standard_gamma(0.5 * DOF, size, dtype=real)
        x *= np.sqrt(real(DOF) / chi_square)
        pnl = delta @ x
        np.multiply(x, x, out=x)
        pnl += half_gamma @ x
        books[:, part] = pnl
        total[part] = pnl.sum(axis=0)

    _map(run, _batches(paths, batch), threads)
    return books, total


def horizon_tails(books: np.ndarray, total: np.ndarray, levels: Sequence[float],
                  threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """VaR, ES and their standard errors, (B + 1, L, 4), and Euler contributions (B, L)."""
    ranks = [rank_of_level(total.size, level) for level in levels]

    def series(index: int) -> np.ndarray:
        return _tail(total if index == len(books) else books[index], ranks)

    rows = np.array(_map(series, range(len(books) + 1), threads))
    cuts = [-rows[-1, i, 0] for i in range(len(ranks))]
    widest = np.flatnonzero(total <= max(cuts))
    inside = np.array([total[widest] <= cut for cut in cuts], dtype=np.float64)
    inside /= np.array([[rank.expected] for rank in ranks])
    components = np.array(
        _map(lambda b: -(inside @ books[b, widest].astype(np.float64)), range(len(books)), threads)
    )
    return rows, components


def _tail(x: np.ndarray, ranks: Sequence[TailRank]) -> np.ndarray:
    largest = max(rank.high for rank in ranks)
    head = np.partition(x, largest - 1)[:largest].astype(np.float64)
    head.sort()
    rows = []
    for rank in ranks:
        quantile = head[rank.k - 1]
        gaps = quantile - head[: rank.k]
        shortfall = gaps.sum() / rank.expected
        sparsity = (head[rank.high - 1] - head[rank.low - 1]) * x.size / (rank.high - rank.low)
        p = rank.probability
        variance = (gaps @ gaps) / (p * p) / x.size - shortfall**2
        rows.append((-quantile, -quantile + shortfall, sparsity * math.sqrt(p * (1 - p) / x.size),
                     math.sqrt(variance / x.size)))
    return np.array(rows)


def run_horizon(work: HorizonWorkload, paths: int, real: type, threads: int,
                levels: Sequence[float], batch: int = BATCH) -> tuple[np.ndarray, np.ndarray]:
    """All of W1; with *batch* = *paths* on whole arrays."""
    return horizon_tails(*horizon_pnl(work, paths, real, threads, batch), levels, threads)


def run_paths(work: PathWorkload, paths: int, real: type, threads: int = 1,
              batch: int = 2_000) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """All of W2: terminal P&L (P,), drawdown (P,), and (VaR, ES, errors) of both at 99%."""
    model, feedback = work.model, work.feedback
    lower, omega, alpha, beta, start = (
        np.ascontiguousarray(a, dtype=real)
        for a in (model.cholesky, *(v[:, None] for v in (model.omega, model.alpha, model.beta, model.start)))
    )
    drift = np.diff(work.ramp[0], axis=0, prepend=0.0).astype(real)[:, :, None]
    loading, impact = feedback.loading[0].astype(real), feedback.impact.astype(real)
    memory, threshold, share = (real(a[0]) for a in (feedback.memory, feedback.threshold, feedback.share))
    delta, half_gamma = work.exposures.delta[0].astype(real), (0.5 * work.exposures.gamma[0]).astype(real)
    terminal, drawdown = np.empty(paths, real), np.empty(paths, real)

    def run(item: tuple[int, slice]) -> None:
        number, part = item
        rng = np.random.Generator(np.random.SFC64([SEED, number]))
        size = part.stop - part.start
        h = np.repeat(start, size, axis=1)
        level = np.zeros((len(lower), size), real)
        loss, sold, peak, worst = (np.zeros(size, real) for _ in range(4))
        for step in range(STEPS):
            shock = lower @ rng.standard_normal((len(lower), size), dtype=real)
            shock *= np.sqrt(h)
            move = shock + drift[step]
            move += impact * sold
            np.multiply(shock, shock, out=shock)
            shock *= alpha
            h *= beta
            h += shock
            h += omega
            level += move
            loss = memory * loss + loading @ move
            sold = share * np.maximum(0, -threshold - loss)
            pnl = delta @ level + half_gamma @ (level * level)
            np.maximum(peak, pnl, out=peak)
            np.maximum(worst, peak - pnl, out=worst)
        terminal[part], drawdown[part] = pnl, worst

    _map(run, _batches(paths, batch), threads)
    ranks = [rank_of_level(paths, 0.99)]
    return terminal, drawdown, [_tail(terminal, ranks), _tail(-drawdown, ranks)]


def draw_normals(paths: int, real: type, rows: int = 2_400) -> np.ndarray:
    """40 × *paths* normals by SFC64, *rows* paths at a time into the same memory."""
    rng = np.random.Generator(np.random.SFC64(SEED))
    out = np.empty((FACTOR_COUNT, rows), real)
    for _ in range(0, paths, rows):
        rng.standard_normal(dtype=real, out=out)
    return out


class Revaluation:
    """W3 position by position: terms read from the portfolio once, prices by the textbook formulas."""

    def __init__(self, work: RevaluationWorkload):
        book, market = work.book, work.market
        today = parse_date(market.as_of)
        group = book.group_of
        order = np.argsort(group, kind="stable")
        deals = [(int(group[i]), work.portfolio.positions[i]) for i in order]
        self.groups = len(book.group_labels)
        self.base = np.bincount(group, weights=book.base_value, minlength=self.groups)
        tenors = np.array(list(KEY_RATES.values()))
        curve_rows = [FACTORS.index(f"UST_{t}") for t in KEY_RATES]
        self.curve = slice(curve_rows[0], curve_rows[-1] + 1)
        self.zeros = market.zero_rates

        def weights(t: np.ndarray) -> np.ndarray:
            """(n, J) linear interpolation on the key rates, flat beyond the ends."""
            return np.array([np.interp(t, tenors, unit) for unit in np.eye(len(tenors))]).T

        flows = [
            (g, year_fraction(today, day), p.instrument.face * (p.instrument.coupon / p.instrument.frequency
                                                               + (day == p.instrument.maturity)))
            for g, p in deals if p.type == "treasury_bond"
            for day in coupon_dates(today, p.instrument.maturity, p.instrument.frequency)[1:]
        ]
        self.flow_group, years, self.flow = (np.array(column) for column in zip(*flows, strict=True))
        self.flow_weights = -years[:, None] * weights(years)
        self.flow_count = len(flows)
        options = [(g, p) for g, p in deals if p.type in ("fx_option", "equity_option")]
        self.option_group = np.array([g for g, _ in options])
        rows: list[tuple[Any, ...]] = []
        for _, p in options:
            deal, currency = p.instrument, p.type == "fx_option"
            name = deal.currency if currency else deal.underlying
            spot = market.spot[name] if currency else market.equity_levels[name]
            quantity = deal.notional if currency else deal.contracts * deal.multiplier
            income = market.inputs[f"short_rate.{name}" if currency else f"dividend_yield.{name}"].value
            rows.append((deal.sign, quantity, spot, deal.strike.value * spot, income,
                         year_fraction(today, deal.expiry),
                         market.inputs[f"implied_vol.{name}"].value,
                         FACTORS.index(f"FX_{name}" if currency else f"EQ_{name}"),
                         FACTORS.index("VOL_FX" if currency else "VOL_EQUITY")))
        columns = [np.array(column)[:, None] for column in zip(*rows, strict=True)]
        self.sign, self.quantity, self.spot, self.strike, self.income, self.years, self.vol = columns[:7]
        self.asset_row, self.vol_row = columns[7].ravel(), columns[8].ravel()
        self.option_weights = weights(self.years.ravel())
        homes = [(g, p.instrument) for g, p in deals if p.type == "property"]
        self.home_group = np.array([g for g, _ in homes])
        self.noi = np.array([d.noi for _, d in homes])[:, None]
        self.cap = np.array([d.cap_rate for _, d in homes])[:, None]
        self.debt = np.array([d.ltv for _, d in homes])[:, None] * self.noi / self.cap
        self.home_row = np.array([FACTORS.index(f"CAP_{d.property_type}") for _, d in homes])

    def run(self, moves: np.ndarray, threads: int = 1, batch: int = 500) -> np.ndarray:
        """(G, n) USD of P&L for moves (K, n)."""
        out = np.empty((self.groups, moves.shape[1]))
        bounds = [np.searchsorted(g, np.arange(self.groups + 1)) for g in
                  (self.flow_group, self.option_group, self.home_group)]

        def run(item: tuple[int, slice]) -> None:
            x = np.ascontiguousarray(moves[:, item[1]])
            zero = self.zeros[:, None] + x[self.curve]
            discount = self.flow_weights @ zero
            np.exp(discount, out=discount)
            asset = self.spot * np.exp(x[self.asset_row])
            rate = self.option_weights @ zero
            cash = self.strike * np.exp(-rate * self.years)
            asset *= np.exp(-self.income * self.years)
            s = self.vol * np.exp(x[self.vol_row]) * np.sqrt(self.years)
            d1 = np.log(asset / cash) / s + 0.5 * s
            option = self.sign * (asset * ndtr(self.sign * d1) - cash * ndtr(self.sign * (d1 - s)))
            home = np.maximum(self.noi / np.maximum(self.cap + x[self.home_row], 0.01) - self.debt, 0.0)
            y = out[:, item[1]]
            y[:] = -self.base[:, None]
            for g in range(self.groups):
                sizes = (self.flow, self.quantity[:, 0], None)
                for values, size, ends in zip((discount, option, home), sizes, bounds, strict=True):
                    rows = slice(ends[g], ends[g + 1])
                    if rows.start < rows.stop:
                        y[g] += values[rows].sum(axis=0) if size is None else size[rows] @ values[rows]

        _map(run, _batches(moves.shape[1], batch), threads)
        return out
