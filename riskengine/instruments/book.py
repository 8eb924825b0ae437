"""A portfolio made ready for many paths: values today, and one function from factor moves to P&L.

    pnl[g] = Σ_{i in g} V_i(t + h, moves) + cash received − V_i(t)

Leaf groups are the distinct combinations of desk, book, strategy, asset class and tags; every other
breakdown is a sum of leaves, so nothing of size paths × positions is ever held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from riskengine.base.axes import FACTORS, Axis
from riskengine.base.errors import InputError, Problem
from riskengine.base.units import Horizon
from riskengine.instruments import equity, fx, real_estate, treasury
from riskengine.instruments.ladder import lay_ladder, no_ladder
from riskengine.instruments.legs import Legs, share_pairs
from riskengine.instruments.portfolio import Instrument, Portfolio, Position, describe
from riskengine.instruments.valuation import Valuation
from riskengine.kernels.by_position import SharedPairs, reprice_positions
from riskengine.kernels.reprice import LegArrays, NodeArrays, reprice
from riskengine.market import MarketSnapshot

GROUP_DIMENSIONS = ("desk", "book", "strategy", "asset_class")


@dataclass(frozen=True, slots=True)
class Book:
    """Compiled portfolio; arrays are read-only.

    position_ids, types, asset_class, descriptions : N each.  assumed_inputs : N tuples of market-input ids.
    group_dimensions : desk, book, strategy, asset_class, then tag names; group_labels : G such tuples.
    group_of : (N,) int64.  base_value, notional : (N,) USD (notional signed: + = long).
    fixings : (factor index, step) whose accumulated moves ``pnl`` needs as fixing_moves.
    horizon : None for an instantaneous book (no ageing, no carry).
    legs_by_group, legs_by_position : every leg; shared_by_position : the distinct exponentials of the
    latter.  rest_by_group, nodes_by_group : the legs by group as ``pnl``
    runs them, payments between two key rates on shared nodes (``ladder``), each within 1e-12 of its value.
    """

    axis: Axis
    horizon: Horizon | None
    position_ids: tuple[str, ...]
    types: tuple[str, ...]
    asset_class: tuple[str, ...]
    descriptions: tuple[str, ...]
    assumed_inputs: tuple[tuple[str, ...], ...]
    group_dimensions: tuple[str, ...]
    group_labels: tuple[tuple[str, ...], ...]
    group_of: np.ndarray
    base_value: np.ndarray
    notional: np.ndarray
    fixings: tuple[tuple[int, int], ...]
    legs_by_group: LegArrays
    legs_by_position: LegArrays
    shared_by_position: SharedPairs
    rest_by_group: LegArrays = field(init=False)
    nodes_by_group: NodeArrays = field(init=False)

    def __post_init__(self) -> None:
        rest, nodes = lay_ladder(self.legs_by_group, self.axis)
        object.__setattr__(self, "rest_by_group", rest)
        object.__setattr__(self, "nodes_by_group", nodes)

    @property
    def nav(self) -> float:
        """Net asset value, USD."""
        return float(self.base_value.sum())

    def pnl(self, moves: np.ndarray, fixing_moves: np.ndarray | None = None) -> np.ndarray:
        """(G, n) USD: P&L of every leaf group, carry and cash received included.

        moves : (K, n) factor moves to the horizon.  fixing_moves : (F, n) in the order of ``fixings``.
        Column p depends on column p of the inputs only, to the bit.  Releases the interpreter lock.
        """
        moves, fixing_moves = self._checked(moves, fixing_moves)
        out = np.empty((len(self.group_labels), moves.shape[1]))
        reprice(self.rest_by_group, self.nodes_by_group, moves, fixing_moves, (0, moves.shape[1]), out)
        return out

    def pnl_into(self, out: np.ndarray, moves: np.ndarray, first: int, last: int,
                 fixing_moves: np.ndarray | None = None) -> None:
        """Write columns first … last − 1 of ``pnl(moves)`` into the same columns of *out*; nothing is copied.

        For many paths in parts, on threads.  out : (G, n) float64, C-contiguous.
        """
        moves, fixing_moves = self._checked(moves, fixing_moves)
        groups, n = len(self.group_labels), moves.shape[1]
        if out.shape != (groups, n) or out.dtype != np.float64 or not out.flags.carray:
            raise InputError(Problem("out must be a writeable float64 array in C order", field="out",
                                     got=f"{out.dtype} {out.shape}", accepted=f"float64 ({groups}, {n})"))
        if not 0 <= first <= last <= n:
            raise InputError(Problem("the part must lie inside the paths", field="first, last",
                                     got=f"{first}, {last}", accepted=f"0 … {n}"))
        reprice(self.rest_by_group, self.nodes_by_group, moves, fixing_moves, (first, last), out)

    def pnl_by_position(self, moves: np.ndarray, fixing_moves: np.ndarray | None = None, first: int = 0,
                        last: int | None = None) -> np.ndarray:
        """(N, n) USD; for few paths (tail scenarios, bumps), or few positions: first … last − 1.

        Every leg by itself, no nodes.
        """
        legs, shared = self.legs_by_position, self.shared_by_position
        if first or last is not None:
            legs, shared = _cut(legs, shared, first, len(self.position_ids) if last is None else last)
        moves, fixing_moves = self._checked(moves, fixing_moves)
        out = np.empty((legs.constant.shape[0], moves.shape[1]))
        reprice_positions(legs, shared, moves, fixing_moves, out)
        return out

    def groups_where(self, dimension: str, name: str) -> np.ndarray:
        """Leaf groups (int64 indices) with *name* in *dimension*."""
        column = self.group_dimensions.index(dimension)
        found = [g for g, label in enumerate(self.group_labels) if label[column] == name]
        return np.array(found, dtype=np.int64)

    def _checked(self, moves: np.ndarray,
                 fixing_moves: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Both as the kernel takes them; InputError when a shape is not the book's."""
        moves = _canonical(moves)
        if moves.ndim != 2 or moves.shape[0] != len(self.axis):
            raise InputError(Problem("moves must be (factors, paths)", field="moves", got=str(moves.shape),
                                     accepted=f"({len(self.axis)}, n)"))
        n = moves.shape[1]
        if fixing_moves is None:
            fixing_moves = np.empty((0, n))
        fixing_moves = _canonical(fixing_moves)
        if fixing_moves.shape != (len(self.fixings), n):
            raise InputError(Problem("fixing_moves must be (fixings, paths)", field="fixing_moves",
                                     got=str(fixing_moves.shape), accepted=f"({len(self.fixings)}, {n})"))
        return moves, fixing_moves


def compile_book(portfolio: Portfolio, snapshot: MarketSnapshot, axis: Axis = FACTORS,
                 horizon: Horizon | None = None) -> Book:
    """Value every position today and lay its legs out for the kernel.

    Raises
    ------
    InputError
        With every position that cannot be priced at once: no spot rate, missing market input, strike out of
        range.
    """
    if portfolio.as_of != snapshot.as_of:
        raise InputError(Problem("the portfolio's terms were resolved for another as-of date",
                                 got=portfolio.as_of, accepted=snapshot.as_of))
    market, legs = Valuation(snapshot, axis, horizon), Legs(axis)
    n = len(portfolio.positions)
    value, notional = np.zeros(n), np.zeros(n)
    assumed: list[tuple[str, ...]] = []
    problems: list[Problem] = []
    for i, position in enumerate(portfolio.positions):
        legs.position, market.used = i, []
        try:
            value[i], notional[i] = lower(position.instrument, market, legs)
        except InputError as error:
            problems += _located(error, position, portfolio.source)
        assumed.append(tuple(market.used))
    if problems:
        raise InputError(problems)
    return gather_book(portfolio, axis, horizon, legs, tuple(market.fixings), value, notional, assumed)


def leaf_label(position: Position, tag_names: Sequence[str]) -> tuple[str, ...]:
    """Desk, book, strategy, asset class, tags: the leaf group of a position."""
    tags = dict(position.tags)
    return (position.desk, position.book, position.strategy, position.asset_class,
            *(tags.get(name, "") for name in tag_names))


def gather_book(
    portfolio: Portfolio, axis: Axis, horizon: Horizon | None, legs: Legs, fixings: Sequence[tuple[int, int]],
    value: np.ndarray, notional: np.ndarray, assumed: Sequence[tuple[str, ...]],
) -> Book:
    """The book of positions that are valued and lowered: legs, (P,) USD and assumed inputs in their order."""
    positions, n = portfolio.positions, len(portfolio.positions)
    labels = [leaf_label(p, portfolio.tag_names) for p in positions]
    leaves = tuple(sorted(set(labels)))
    place = {label: g for g, label in enumerate(leaves)}
    group_of = np.array([place[label] for label in labels], dtype=np.int64)
    exponentials = legs.columns()
    return Book(
        axis=axis,
        horizon=horizon,
        position_ids=tuple(p.position_id for p in positions),
        types=tuple(p.type for p in positions),
        asset_class=tuple(p.asset_class for p in positions),
        descriptions=tuple(describe(p) for p in positions),
        assumed_inputs=tuple(assumed),
        group_dimensions=GROUP_DIMENSIONS + portfolio.tag_names,
        group_labels=leaves,
        group_of=_frozen(group_of),
        base_value=_frozen(value),
        notional=_frozen(notional),
        fixings=tuple(fixings),
        legs_by_group=LegArrays(**legs.arrays(group_of, len(leaves), exponentials)),
        legs_by_position=LegArrays(**legs.arrays(np.arange(n), n, exponentials)),
        shared_by_position=SharedPairs(*share_pairs(exponentials)),
    )


def keep_priceable(portfolio: Portfolio, snapshot: MarketSnapshot,
                   axis: Axis = FACTORS) -> tuple[Portfolio, tuple[Problem, ...]]:
    """The positions the snapshot can price, and why the others cannot be (for runs that skip bad rows).

    Raises
    ------
    InputError
        With all problems, when no position can be priced.
    """
    kept, problems = [], []
    for position in portfolio.positions:
        try:
            lower(position.instrument, Valuation(snapshot, axis, None), Legs(axis))
            kept.append(position)
        except InputError as error:
            problems += _located(error, position, portfolio.source)
    if problems and not kept:
        raise InputError(problems)
    return replace(portfolio, positions=tuple(kept)), tuple(problems)


def lower(instrument: Instrument, market: Valuation, legs: Legs) -> tuple[float, float]:
    """Add the legs of one instrument; (value, notional) in USD."""
    match instrument:
        case fx.FxSpot():
            return fx.lower_spot(instrument, market, legs)
        case fx.FxForward():
            return fx.lower_forward(instrument, market, legs)
        case fx.FxOption():
            return fx.lower_option(instrument, market, legs)
        case treasury.TreasuryBill() | treasury.TreasuryCouponBond():
            return treasury.lower_treasury(instrument, market, legs)
        case equity.EquityHolding():
            return equity.lower_holding(instrument, market, legs)
        case equity.EquityFuture():
            return equity.lower_future(instrument, market, legs)
        case equity.EquityOption():
            return equity.lower_option(instrument, market, legs)
        case real_estate.Property():
            return real_estate.lower_property(instrument, market, legs)
        case real_estate.Residential():
            return real_estate.lower_residential(instrument, market, legs)
    raise TypeError(f"no pricing for {type(instrument).__name__}")


def _located(error: InputError, position: Position, file: str) -> list[Problem]:
    return [
        Problem(f"position {position.position_id}: {p.rule}", file, position.row, p.field, p.got, p.accepted)
        for p in error.problems
    ]


def _cut(legs: LegArrays, shared: SharedPairs, first: int, last: int) -> tuple[LegArrays, SharedPairs]:
    """The legs of groups first … last − 1, counted from first; every index ascends in its group."""
    parts = {"constant": legs.constant[first:last]}
    for kind in ("pair", "triple", "option", "payoff", "property"):
        index = getattr(legs, f"{kind}_index")
        lo, hi = np.searchsorted(index[:, 0], (first, last))
        parts[f"{kind}_index"] = index[lo:hi].copy()
        parts[f"{kind}_index"][:, 0] -= first
        parts[f"{kind}_terms"] = getattr(legs, f"{kind}_terms")[lo:hi]
        if kind == "pair":
            shared = shared._replace(place=shared.place[lo:hi])
    return LegArrays(**parts), shared


def _canonical(array: np.ndarray) -> np.ndarray:
    """float64, C-contiguous, writeable: the kernels are compiled for one kind of array."""
    array = np.ascontiguousarray(array, dtype=np.float64)
    return array if array.flags.writeable else array.copy()


def _frozen(array: np.ndarray) -> np.ndarray:
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array
