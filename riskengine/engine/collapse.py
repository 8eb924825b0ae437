"""A book collapsed to features of a path: a ladder, fixings, the most curved instruments, delta-gamma of the others.

    P_g(x) = const_g + Σ_f a_gf φ_f(x)            φ: see ``kernels.collapsed``

Cash flows, currencies, indices and homes are sums of exponentials and lose nothing (``ladder``), payoffs at a fixing
neither.  Options alive at the horizon and leveraged property are curved.  The distinct ones are ranked by

    max_k max_± | V(± 3 sd_k) − quadratic(± 3 sd_k) | · Σ_g |quantity_g|        sd_k of factor k over the horizon

the first N are revalued on every path; the others are expanded around a scenario's mean move, by finite differences
over ± √3 sd (one factor; the Gauss–Hermite nodes, so that the quadratic is right where the paths are) and ± sd (pairs);
beyond ± 3 sd a move counts as 3 sd, where a parabola would run away from any price.
The book is the aged one: carry and roll-down are in the constants and exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from riskengine.engine.ladder import build_ladder
from riskengine.execution import Executor, Serial
from riskengine.instruments.book import Book
from riskengine.kernels.collapsed import Features, Weights
from riskengine.kernels.curved import PANEL, WIDTH, Holdings, Instruments, value_instruments
from riskengine.kernels.products import pack_rows

WIDE = 3.0
"""Standard deviations at which the error of the quadratic is measured, and its moves end."""
NODE = np.sqrt(3.0)
INSTRUMENTS_AT_ONCE = 512
"""Distinct instruments valued by one task where all are."""
SMALLEST_BUMP = 1e-4
"""Bump of a factor without noise (pinned by the scenario)."""


@dataclass(frozen=True, slots=True)
class CollapsedBook:
    """What every path needs of a book of any size.

    fixings : (factor, step) of the book.
    constant (G,) USD.  features : in the run's precision.  amounts (G, f_exact) weights of ladder, fixings and fully
    revalued instruments.  rest, holdings : instruments on delta-gamma, their quantities by leaf group.
    spread (K,) standard deviation of the noise.  ranking (I,) USD, largest first: error of the quadratic by
    instrument; the first *full* are revalued on every path.
    """

    fixings: tuple[tuple[int, int], ...]
    constant: np.ndarray
    features: Features
    amounts: np.ndarray
    rest: Instruments
    holdings: Holdings
    spread: np.ndarray
    ranking: np.ndarray
    full: int

    @property
    def approximated(self) -> int:
        """Instruments valued by delta-gamma outside the tail."""
        return len(self.rest.option_rows) + len(self.rest.property_rows)

    @property
    def size(self) -> int:
        """Number of features."""
        return self.amounts.shape[1] + len(self.features.factors) + len(self.features.pairs)


def collapse_book(
    book: Book, spread: np.ndarray, budget: int, precision: str, executor: Executor | None = None
) -> CollapsedBook:
    """Collapse *book*; at most *budget* distinct curved instruments are revalued on every path.

    spread : (K,) standard deviation of the factors' noise over the book's horizon.
    """
    real = np.dtype(precision)
    legs = book.legs_by_group
    ladder, fixing_rows, fixing_amounts = build_ladder(book)
    rows, terms, at_fixings = _fixings(book, fixing_rows, fixing_amounts)
    instruments, quantity = _distinct(book)
    ranking = _nonlinearity(instruments, spread, executor or Serial()) * np.abs(quantity).sum(axis=0)
    order = np.argsort(-ranking, kind="stable")
    full, rest = np.sort(order[:budget]), np.sort(order[budget:])
    everywhere, others = _take(instruments, full), _take(instruments, rest)
    factors, pairs = _pairs(others)
    features = Features(
        ladder.rows, ladder.terms.astype(real), rows, terms.astype(real), _cast(everywhere, real), factors, pairs
    )
    group, row = np.nonzero(quantity[:, rest])
    place = np.argsort(row, kind="stable")
    holdings = Holdings(row[place], group[place], quantity[:, rest][group[place], row[place]].astype(real))
    constant = legs.constant + ladder.amounts.sum(axis=1) + fixing_amounts.sum(axis=1)
    return CollapsedBook(
        book.fixings, constant, features,
        np.concatenate([ladder.amounts, at_fixings, quantity[:, full]], axis=1),
        _cast(others, real), holdings, spread, ranking[order], len(full),
    )


def expand(collapsed: CollapsedBook, centre: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(constant (G,), amounts (G, L + X)) of the instruments on delta-gamma around *centre* (K,).

    spread : (K,) of the scenario's noise.  amounts belong to y_k and y_a y_b, y = x − centre.
    """
    features, groups = collapsed.features, len(collapsed.constant)
    one, two = features.factors, features.pairs[len(features.factors) :]
    if not collapsed.approximated:
        return np.zeros(groups), np.zeros((groups, 0))
    near = np.maximum(spread, SMALLEST_BUMP)
    columns = [np.zeros((len(spread), 1))]
    for sign in (1.0, -1.0):
        bump = np.zeros((len(spread), len(one)))
        bump[one, np.arange(len(one))] = sign * NODE * near[one]
        columns.append(bump)
    for s, t in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        bump = np.zeros((len(spread), len(two)))
        bump[two[:, 0], np.arange(len(two))] = s * near[two[:, 0]]
        bump[two[:, 1], np.arange(len(two))] = t * near[two[:, 1]]
        columns.append(bump)
    values = _group_values(collapsed, np.concatenate(columns, axis=1) + centre[:, None])
    ends = np.cumsum([c.shape[1] for c in columns])[:-1]
    here, up, down, pp, pm, mp, mm = np.split(values, ends, axis=1)
    h = NODE * near[one]
    cross = (pp - pm - mp + mm) / (4.0 * near[two[:, 0]] * near[two[:, 1]])
    return here[:, 0].copy(), np.concatenate(
        [(up - down) / (2.0 * h), (up - 2.0 * here + down) / (2.0 * h * h), cross], axis=1)


def weigh(
    collapsed: CollapsedBook, quadratic: np.ndarray, centre: np.ndarray, shift: np.ndarray,
    fixing_shift: np.ndarray, spread: np.ndarray, margins: np.ndarray | None, real: np.dtype,
) -> Weights:
    """One scenario's weights for the kernel.

    shift (K, D), fixing_shift (F, D) : response by draw.  spread : (K,) of its noise.  margins (M, G): rows of group
    P&L wanted, None for the total only.
    """
    amounts = np.concatenate([collapsed.amounts, quadratic], axis=1)
    packed = np.zeros((0, 0), dtype=real)
    if margins is not None:
        wanted = margins @ amounts
        kinds = (len(collapsed.features.exponential_rows), len(collapsed.features.fixing_rows), collapsed.full,
                 quadratic.shape[1])
        panels, offset = [], 0
        for count in kinds:
            for begin in range(0, count, PANEL):
                panels.append((offset + begin, offset + min(begin + PANEL, count)))
            offset += count
        height = pack_rows(wanted[:, :1], real).size
        packed = np.zeros((len(panels), height * PANEL), dtype=real)
        for row, (lo, hi) in zip(packed, panels, strict=True):
            part = pack_rows(wanted[:, lo:hi], real)
            row[: part.size] = part
    copies = -(-WIDTH // shift.shape[1])
    return Weights(
        np.tile(shift, copies).astype(real), np.tile(fixing_shift, copies).astype(real),
        centre.astype(real), (WIDE * spread).astype(real), amounts.sum(axis=0).astype(real), packed,
    )


# ---------------------------------------------------------------- helpers
def _fixings(
    book: Book, rows: np.ndarray, amounts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features at fixings, ascending in row: (Z,), (Z, 3) w, S, K, and amounts (G, Z)."""
    legs, groups = book.legs_by_group, len(book.group_labels)
    unit = np.column_stack([legs.payoff_index[:, 1] - len(book.axis), legs.payoff_terms[:, [0, 2, 3]]])
    distinct, place = np.unique(unit, axis=0, return_inverse=True)
    held = np.zeros((groups, len(distinct)))
    np.add.at(held, (legs.payoff_index[:, 0], place.ravel()), legs.payoff_terms[:, 1])
    every = np.concatenate([np.column_stack([rows, np.zeros((len(rows), 3))]), distinct])
    order = np.lexsort((np.arange(len(every)), every[:, 0]))
    return (every[order, 0].astype(np.int64), np.ascontiguousarray(every[order, 1:]),
            np.concatenate([amounts, held], axis=1)[:, order])


def _distinct(book: Book) -> tuple[Instruments, np.ndarray]:
    """Distinct options and properties per unit, and quantities (G, I)."""
    legs, groups = book.legs_by_group, len(book.group_labels)
    t = legs.option_terms
    unit = np.column_stack([legs.option_index[:, 1:], t[:, [0, 2, 3, 4, 5, 6]]])
    options, place = np.unique(unit, axis=0, return_inverse=True)
    real = np.column_stack([legs.property_index[:, 1], legs.property_terms[:, 1:]])
    properties, where = np.unique(real, axis=0, return_inverse=True)
    quantity = np.zeros((groups, len(options) + len(properties)))
    np.add.at(quantity, (legs.option_index[:, 0], place.ravel()), t[:, 1])
    np.add.at(quantity, (legs.property_index[:, 0], len(options) + where.ravel()), legs.property_terms[:, 0])
    terms = np.column_stack([options[:, 4:], np.log(options[:, 5] / options[:, 6]), np.zeros(len(options))])
    return Instruments(options[:, :4].astype(np.int64), np.ascontiguousarray(terms),
                       properties[:, 0].astype(np.int64), np.ascontiguousarray(properties[:, 1:])), quantity


def _nonlinearity(instruments: Instruments, spread: np.ndarray, executor: Executor) -> np.ndarray:
    """(I,) USD per unit: largest error of the quadratic at ± WIDE sd of one factor at a time."""
    size = len(instruments.option_rows) + len(instruments.property_rows)

    def part(first: int) -> np.ndarray:
        which = np.arange(first, min(first + INSTRUMENTS_AT_ONCE, size))
        return _quadratic_error(_take(instruments, which), spread)

    return np.concatenate([np.zeros(0), *executor.map(part, range(0, size, INSTRUMENTS_AT_ONCE))])


def _quadratic_error(instruments: Instruments, spread: np.ndarray) -> np.ndarray:
    used = np.unique(np.concatenate([instruments.option_rows.ravel(), instruments.property_rows]))
    size = len(instruments.option_rows) + len(instruments.property_rows)
    worst = np.zeros(size)
    moves = np.zeros((len(spread), 1 + 4 * len(used)))
    for i, step in enumerate((NODE, -NODE, WIDE, -WIDE)):
        moves[used, 1 + i * len(used) + np.arange(len(used))] = step * spread[used]
    values = np.empty((size, moves.shape[1]))
    value_instruments(instruments, moves, values)
    here = values[:, :1]
    up, down, far_up, far_down = np.split(values[:, 1:], 4, axis=1)
    slope, bend = (up - down) / (2.0 * NODE), (up - 2.0 * here + down) / (2.0 * NODE**2)
    for far, x in ((far_up, WIDE), (far_down, -WIDE)):
        worst = np.maximum(worst, np.abs(far - here - slope * x - bend * x * x).max(axis=1))
    return worst


def _group_values(collapsed: CollapsedBook, moves: np.ndarray) -> np.ndarray:
    """(G, n) USD of the instruments on delta-gamma at moves (K, n), float64."""
    instruments = _cast(collapsed.rest, np.dtype(np.float64))
    values = np.empty((collapsed.approximated, moves.shape[1]))
    value_instruments(instruments, np.ascontiguousarray(moves), values)
    h = collapsed.holdings
    amounts = csr_array((h.quantity.astype(np.float64), (h.group, h.row)),
                        shape=(len(collapsed.constant), collapsed.approximated))
    return amounts @ values


def _take(instruments: Instruments, which: np.ndarray) -> Instruments:
    options = len(instruments.option_rows)
    one, two = which[which < options], which[which >= options] - options
    return Instruments(instruments.option_rows[one], instruments.option_terms[one],
                       instruments.property_rows[two], instruments.property_terms[two])


def _cast(instruments: Instruments, real: np.dtype) -> Instruments:
    return Instruments(instruments.option_rows, instruments.option_terms.astype(real),
                       instruments.property_rows, instruments.property_terms.astype(real))


def _pairs(rest: Instruments) -> tuple[np.ndarray, np.ndarray]:
    """Factors of the quadratic part, and its pairs: squares in the order of factors, then those off the diagonal."""
    factors = np.unique(np.concatenate([rest.option_rows.ravel(), rest.property_rows]))
    off = set()
    for i in range(4):
        for j in range(i + 1, 4):
            couple = np.sort(rest.option_rows[:, [i, j]], axis=1)
            off |= {(int(a), int(b)) for a, b in np.unique(couple, axis=0) if a != b}
    squares = np.column_stack([factors, factors])
    return factors, np.concatenate([squares, np.array(sorted(off), dtype=np.int64).reshape(-1, 2)])
