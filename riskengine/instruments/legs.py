"""What every instrument becomes: a few kinds of legs whose value depends on the path's moves.

    P&L_i(x) = constant_i + Σ legs of i,        x the stacked rows (factor moves, then fixing moves)

    exponential  a · exp(c₁ x₁ + c₂ x₂ + c₃ x₃)              cash flows, currencies, indices, futures, homes
    option       w (A e^x N(w d₁) − B e^y N(w d₂))           Garman–Kohlhagen, Black–Scholes; y: discount
    payoff       q · max(w (S e^x − K), 0)                    an option that expires inside the horizon
    property     q · max(n / max(c + x, c_min) − d, 0)        net operating income over cap rate, less debt

Legs are gathered position by position, then laid out as arrays for the kernel.  Exponential legs of one
group with the same rows and coefficients are merged: the book's thousand cash flows fall on a few hundred
dates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from riskengine.base.axes import Axis

CAP_RATE_FLOOR = 0.01
"""No property is valued below a cap rate of 1%, whatever the move."""


class Exponentials(NamedTuple):
    """Exponential legs by column, in the order in which they were added.

    position (L,) int64.  key (L,) int64 place in *keys*.  amount (L,) USD.
    keys : distinct (rows, coefficients), ascending.
    """

    position: np.ndarray
    key: np.ndarray
    amount: np.ndarray
    keys: list[tuple[tuple[int, ...], tuple[float, ...]]]


class Schedule(NamedTuple):
    """Payments of one unit at dates in ascending order: discount factors today (*now*), and, of those that
    are still to come at the horizon, discount factors there (*later*) and rows and
    coefficients (*exponents*)."""

    now: tuple[float, ...]
    later: tuple[float, ...]
    exponents: tuple[tuple[tuple[int, ...], tuple[float, ...]], ...]


@dataclass(slots=True)
class Legs:
    """Legs of all positions, gathered while ``position`` is the current one."""

    axis: Axis
    position: int = 0
    constant: dict[int, float] = field(default_factory=dict)
    exponential: list[tuple] = field(default_factory=list)
    option: list[tuple] = field(default_factory=list)
    payoff: list[tuple] = field(default_factory=list)
    property: list[tuple] = field(default_factory=list)

    def add_constant(self, amount: float) -> None:
        """Cash received inside the horizon less the value today, USD."""
        self.constant[self.position] = self.constant.get(self.position, 0.0) + amount

    def add_exponential(self, amount: float, *terms: tuple[int, float]) -> None:
        """amount · exp(Σ coefficient · x[row]); at most three (row, coefficient) terms."""
        shape = exponent(*terms)
        if shape is None:
            self.add_constant(amount)
        else:
            self.exponential.append((self.position, *shape, amount))

    def add_payments(self, schedule: Schedule, amount: float, last: float) -> float:
        """*amount* at every date of *schedule* and *last* at its last one, USD; their value today.

        Payments inside the horizon are held as cash.
        """
        value = 0.0
        for discount in schedule.now[:-1]:
            value += amount * discount
        value += last * schedule.now[-1]
        left = len(schedule.later)
        for i in range(len(schedule.now) - left):
            self.add_constant(last if i == len(schedule.now) - 1 else amount)
        if left:
            position, one, end = self.position, schedule.exponents[:-1], schedule.exponents[-1]
            self.exponential += [
                (position, rows, coefficients, amount * discount)
                for (rows, coefficients), discount in zip(one, schedule.later)
            ]
            self.exponential.append((position, *end, last * schedule.later[-1]))
        return value

    def add_option(self, sign: float, quantity: float, asset: float, cash: float, sigma_root_t: float,
                   row: int, curve: tuple[int, int, float, float], volatility_row: int) -> None:
        """asset, cash : S e^{−qT} and K e^{−zT} per unit; curve : rows and −T times the weights."""
        self.option.append(
            (self.position, sign, quantity, asset, cash, sigma_root_t, row, curve, volatility_row)
        )

    def add_payoff(self, sign: float, quantity: float, spot: float, strike: float, row: int) -> None:
        self.payoff.append((self.position, sign, quantity, spot, strike, row))

    def add_property(self, quantity: float, noi: float, cap_rate: float, debt: float, row: int) -> None:
        self.property.append((self.position, quantity, noi, cap_rate, debt, row))

    # ---- layout -----------------------------------------------------------------------------------------

    def columns(self) -> Exponentials:
        """The exponential legs by column, for as many layouts as are wanted."""
        place: dict[tuple, int] = {}
        found = [place.setdefault(leg[1:3], len(place)) for leg in self.exponential]
        order = sorted(range(len(place)), key=list(place).__getitem__)
        rank = np.empty(len(place), dtype=np.int64)
        rank[order] = np.arange(len(place))
        return Exponentials(
            np.array([leg[0] for leg in self.exponential], dtype=np.int64),
            rank[np.array(found, dtype=np.int64)],
            np.array([leg[3] for leg in self.exponential], dtype=np.float64), sorted(place),
        )

    def arrays(
        self, group_of: np.ndarray, groups: int, exponentials: Exponentials | None = None
    ) -> dict[str, np.ndarray]:
        """Structure of arrays, ordered by group; keys are the fields of ``kernels.reprice.LegArrays``.

        exponentials : of ``columns``, when the caller has them.
        """
        owners = np.array(list(self.constant), dtype=np.int64)
        order = np.argsort(owners, kind="stable")
        cash = np.array(list(self.constant.values()), dtype=np.float64)
        constant = np.bincount(group_of[owners[order]], cash[order], groups).astype(np.float64)
        pairs, triples = _merge(self.columns() if exponentials is None else exponentials, group_of)
        option = sorted(self.option, key=lambda leg: int(group_of[leg[0]]))
        payoff = sorted(self.payoff, key=lambda leg: int(group_of[leg[0]]))
        real = sorted(self.property, key=lambda leg: int(group_of[leg[0]]))

        def floats(rows: list, width: int) -> np.ndarray:
            return np.array(rows, dtype=np.float64).reshape(len(rows), width)

        def integers(rows: list, width: int) -> np.ndarray:
            return np.array(rows, dtype=np.int64).reshape(len(rows), width)

        return {
            "constant": constant,
            "pair_index": np.ascontiguousarray(pairs[0][:, :3]),
            "pair_terms": np.ascontiguousarray(pairs[1][:, :3]),
            "triple_index": triples[0],
            "triple_terms": triples[1],
            "option_index": integers([(group_of[o[0]], o[6], o[7][0], o[7][1], o[8]) for o in option], 5),
            "option_terms": floats([(o[1], o[2], o[3], o[4], o[5], o[7][2], o[7][3]) for o in option], 7),
            "payoff_index": integers([(group_of[p[0]], p[5]) for p in payoff], 2),
            "payoff_terms": floats([p[1:5] for p in payoff], 4),
            "property_index": integers([(group_of[p[0]], p[5]) for p in real], 2),
            "property_terms": floats([(*p[1:5], CAP_RATE_FLOOR) for p in real], 5),
        }


def exponent(*terms: tuple[int, float]) -> tuple[tuple[int, ...], tuple[float, ...]] | None:
    """Three rows and three coefficients of at most three (row, coefficient) terms; None when nothing
    moves."""
    terms = tuple((r, c) for r, c in terms if c != 0.0)
    if not terms:
        return None
    rows, coefficients = zip(*terms, *((terms[0][0], 0.0),) * (3 - len(terms)), strict=True)
    return rows, coefficients


def share_pairs(legs: Exponentials) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct exponentials with two moving rows, and which of them each pair by position is.

    Returns the fields of ``kernels.by_position.SharedPairs``.
    """
    rows, coefficients = _shapes(legs)
    two = coefficients[:, 2] == 0.0
    place = np.cumsum(two) - 1
    code = np.sort(legs.position * len(legs.keys) + legs.key, kind="stable")
    key = code[np.diff(code, prepend=-1) > 0] % max(len(legs.keys), 1)
    return (np.ascontiguousarray(rows[two, :2]), np.ascontiguousarray(coefficients[two, :2]),
            place[key[two[key]]])


def _shapes(legs: Exponentials) -> tuple[np.ndarray, np.ndarray]:
    """rows (S, 3) and coefficients (S, 3) of the keys."""
    rows = np.array([k[0] for k in legs.keys], dtype=np.int64).reshape(-1, 3)
    return rows, np.array([k[1] for k in legs.keys], dtype=np.float64).reshape(-1, 3)


def _merge(legs: Exponentials, group_of: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Index (L, 4) and terms (L, 4) of the legs with two moving rows and of those with three, by group,
    then key.

    Amounts of one group and key are added in the order of the legs.
    """
    code = group_of[legs.position] * len(legs.keys) + legs.key
    order = np.argsort(code, kind="stable")
    first = np.diff(code[order], prepend=-1) > 0
    distinct, place = code[order[first]], np.empty(len(code), dtype=np.int64)
    place[order] = np.cumsum(first) - 1
    amount = np.bincount(place, legs.amount, len(distinct)).astype(np.float64)
    rows, coefficients = _shapes(legs)
    group, key = np.divmod(distinct, max(len(legs.keys), 1))
    index = np.column_stack([group, rows[key]])
    terms = np.column_stack([amount, coefficients[key]])
    three = terms[:, 3] != 0.0
    return (index[~three], terms[~three]), (index[three], terms[three])
