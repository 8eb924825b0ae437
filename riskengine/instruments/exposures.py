"""What the book is exposed to: first and second derivatives of the instantaneous book, by central bumps.

    delta_k  = (f(+b e_k) − f(−b e_k)) / 2b
    gamma_kl = (f(b e_k + b e_l) − f(b e_k − b e_l) − f(−b e_k + b e_l) + f(−b e_k − b e_l)) / 4b²

and what the quadratic approximation misses against full revaluation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import (
    CURRENCIES,
    EQUITIES,
    KEY_RATES,
    METROS,
    PROPERTY_TYPES,
    VOLATILITIES,
    factor_unit,
)
from riskengine.base.errors import InputError, Problem
from riskengine.base.units import BASIS_POINT
from riskengine.instruments.book import Book
from riskengine.instruments.portfolio import Portfolio
from riskengine.instruments.real_estate import Property, Residential
from riskengine.market import MarketSnapshot
from riskengine.result import Exposures

FIRST_BUMP = 1e-4
"""Bump of a first derivative: 1 bp of yield, 0.01% of price."""
SECOND_BUMP = 1e-3
"""Bump of a second derivative."""


def sensitivities(book: Book) -> np.ndarray:
    """(N, K) USD per unit move of each factor; *book* compiled with horizon None."""
    _check_instantaneous(book)
    return _central(book.pnl_by_position, len(book.axis))


def report_units(book: Book) -> np.ndarray:
    """(K,) move in which sensitivities are printed: 1% of a log factor, 1 bp of an absolute one."""
    absolute = [factor_unit(f).startswith("absolute") for f in book.axis.labels]
    return np.where(absolute, BASIS_POINT, 0.01)


@dataclass(frozen=True, slots=True)
class DeltaGamma:
    """Quadratic approximation by leaf group: pnl ≈ delta x + ½ x' gamma x; delta (G, K), gamma (G, K, K)."""

    delta: np.ndarray
    gamma: np.ndarray

    def pnl(self, moves: np.ndarray) -> np.ndarray:
        """(G, n) USD for moves (K, n)."""
        return self.delta @ moves + 0.5 * np.einsum("kn,gkl,ln->gn", moves, self.gamma, moves, optimize=True)


def delta_gamma(book: Book) -> DeltaGamma:
    """Expand the instantaneous book around no move."""
    _check_instantaneous(book)
    k, b = len(book.axis), SECOND_BUMP
    rows, columns = np.triu_indices(k)
    corners = []
    for s, t in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        moves = np.zeros((k, len(rows)))
        moves[rows, np.arange(len(rows))] += s * b
        moves[columns, np.arange(len(rows))] += t * b
        corners.append(book.pnl(moves))
    cross = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * b * b)
    gamma = np.zeros((len(book.group_labels), k, k))
    gamma[:, rows, columns] = cross
    gamma[:, columns, rows] = cross
    return DeltaGamma(_central(book.pnl, k), gamma)


def delta_gamma_error(book: Book, moves: np.ndarray) -> dict[str, float]:
    """How far the quadratic approximation is from full revaluation of the total, on given moves (K, n).

    Returns USD: ``mean``, ``rms`` and ``largest`` absolute difference, ``rms_of_pnl`` the size of the P&L
    itself, ``worst_full`` and ``worst_quadratic`` the P&L at the largest full-revaluation loss.
    """
    full = book.pnl(moves).sum(axis=0)
    quadratic = delta_gamma(book).pnl(moves).sum(axis=0)
    difference = quadratic - full
    worst = int(np.argmin(full))
    return {
        "mean": float(difference.mean()),
        "rms": float(np.sqrt((difference**2).mean())),
        "largest": float(np.abs(difference).max()),
        "rms_of_pnl": float(np.sqrt((full**2).mean())),
        "worst_full": float(full[worst]),
        "worst_quadratic": float(quadratic[worst]),
    }


def exposures(portfolio: Portfolio, book: Book, snapshot: MarketSnapshot) -> Exposures:
    """The exposure tables of the report; *book* is *portfolio* compiled on *snapshot* with horizon None.

    Only labels with an exposure other than zero appear.  Property values are the owner's equity.
    """
    ids = tuple(p.position_id for p in portfolio.positions)
    if portfolio.as_of != snapshot.as_of or book.position_ids != ids:
        raise InputError(Problem("book, portfolio and snapshot must belong together", got=snapshot.as_of,
                                 accepted=portfolio.as_of))
    by_position = sensitivities(book)
    total = by_position.sum(axis=0)

    def table(prefix: str, names: tuple[str, ...], unit: float) -> dict[str, float]:
        values = {name: float(total[book.axis.index(prefix + name)]) * unit for name in names}
        return {name: value for name, value in values.items() if value != 0.0}

    kinds = [_property_label(p.instrument) for p in portfolio.positions]
    held = {
        label: float(sum(v for v, kind in zip(book.base_value, kinds, strict=True) if kind == label))
        for label in PROPERTY_TYPES + METROS if label in kinds
    }
    return Exposures(
        key_rate_dv01=table("UST_", tuple(KEY_RATES), BASIS_POINT),
        fx_delta=table("FX_", CURRENCIES, 1.0),
        equity_delta=table("EQ_", EQUITIES, 1.0),
        vega=table("VOL_", VOLATILITIES, 0.01),
        property_value=held,
        cap_rate_dv01=table("CAP_", PROPERTY_TYPES, BASIS_POINT),
        by_desk=_by_desk(portfolio, book, by_position, kinds),
    )


def _by_desk(portfolio: Portfolio, book: Book, by_position: np.ndarray, kinds: list[str]) -> dict:
    columns = {
        name: np.array([label.startswith(prefix) for label in book.axis.labels]) * unit
        for name, prefix, unit in (("rates_dv01", "UST_", BASIS_POINT), ("fx_delta", "FX_", 1.0),
                                   ("equity_delta", "EQ_", 1.0), ("vega", "VOL_", 0.01))
    }
    tables: dict[str, dict[str, float]] = {}
    for i, position in enumerate(portfolio.positions):
        row = tables.setdefault(position.desk, dict.fromkeys((*columns, "property_value"), 0.0))
        for name, weights in columns.items():
            row[name] += float(by_position[i] @ weights)
        if kinds[i]:
            row["property_value"] += float(book.base_value[i])
    return tables


def _property_label(instrument: object) -> str:
    match instrument:
        case Property(property_type=label) | Residential(metro=label):
            return label
    return ""


def _central(pnl, k: int) -> np.ndarray:
    bumps = np.concatenate((np.eye(k), -np.eye(k)), axis=1) * FIRST_BUMP
    values = pnl(bumps)
    return (values[:, :k] - values[:, k:]) / (2 * FIRST_BUMP)


def _check_instantaneous(book: Book) -> None:
    if book.horizon is not None:
        raise InputError(Problem("sensitivities are those of an instantaneous move", field="horizon",
                                 got=f"{book.horizon.days} business days",
                                 accepted="a book compiled with horizon=None"))
