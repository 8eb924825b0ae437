"""One position at a time: its legs, its size, and the book of any leaf group put together from them.

A book compiled as a whole sums the legs of a leaf group in a fixed order: position by position, merged, then
sorted by rows.  ``assemble`` lays out the legs of any choice of positions in exactly that order, so that
revaluing one touched group gives the bits of the whole book compiled again.  Rows count the factors in use
first, then the fixings in the order in which the whole portfolio first asks for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError, Problem
from riskengine.base.units import Horizon
from riskengine.instruments.book import Book, gather_book, leaf_label, lower
from riskengine.instruments.equity import EquityFuture, EquityHolding, EquityOption
from riskengine.instruments.fx import FxForward, FxOption, FxSpot
from riskengine.instruments.ladder import lay_ladder
from riskengine.instruments.legs import Legs
from riskengine.instruments.portfolio import Instrument, Portfolio, Position
from riskengine.instruments.real_estate import Property, Residential
from riskengine.instruments.treasury import TreasuryBill, TreasuryCouponBond
from riskengine.instruments.valuation import Valuation
from riskengine.kernels.reprice import LegArrays, NodeArrays, reprice
from riskengine.market import MarketSnapshot

Fixing = tuple[int, int]
"""(factor, step): the move of that factor after step + 1 steps."""


@dataclass(frozen=True, slots=True)
class LoweredPosition:
    """A position and its legs; rows from len(FACTORS) on are its own *fixings* in the order of use.

    label : desk, book, strategy, asset class, tags.  value, notional : USD.  assumed : market inputs used.
    """

    position: Position
    label: tuple[str, ...]
    value: float
    notional: float
    fixings: tuple[Fixing, ...]
    legs: Legs
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PartialBook:
    """Legs of some positions by group on the rows they use.

    used : (R,) int64 factors, ascending.  fixings : F (factor, step), in the order of the whole portfolio.
    arrays, nodes : rows 0 … R − 1 are *used*, then *fixings*.
    """

    used: np.ndarray
    fixings: tuple[Fixing, ...]
    arrays: LegArrays
    nodes: NodeArrays

    def pnl(self, moves: np.ndarray, fixing_moves: np.ndarray) -> np.ndarray:
        """(G, n) USD for moves (R, n) of the used factors and fixing_moves (F, n), float64, C-contiguous."""
        out = np.empty((self.arrays.constant.shape[0], moves.shape[1]))
        reprice(self.arrays, self.nodes, moves, fixing_moves, (0, moves.shape[1]), out)
        return out


def lower_position(
    position: Position, snapshot: MarketSnapshot, horizon: Horizon | None, tag_names: tuple[str, ...] = ()
) -> LoweredPosition:
    """Legs of one position; InputError naming it when it cannot be priced."""
    market, legs = Valuation(snapshot, FACTORS, horizon), Legs(FACTORS)
    try:
        value, notional = lower(position.instrument, market, legs)
    except InputError as error:
        raise InputError([
            replace(p, rule=f"position {position.position_id}: {p.rule}", row=position.row)
            for p in error.problems
        ]) from None
    return LoweredPosition(position, leaf_label(position, tag_names), value, notional, tuple(market.fixings),
                           legs, tuple(market.used))


def lower_portfolio(
    portfolio: Portfolio, snapshot: MarketSnapshot, horizon: Horizon | None
) -> tuple[LoweredPosition, ...]:
    """All positions, in the order of the portfolio; InputError with every position that cannot be priced."""
    if portfolio.as_of != snapshot.as_of:
        raise InputError(Problem("the portfolio's terms were resolved for another as-of date",
                                 got=portfolio.as_of, accepted=snapshot.as_of))
    lowered, problems = [], []
    for position in portfolio.positions:
        try:
            lowered.append(lower_position(position, snapshot, horizon, portfolio.tag_names))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return tuple(lowered)


def fixing_order(lowered: Sequence[LoweredPosition]) -> tuple[Fixing, ...]:
    """Every fixing of the portfolio once, in the order of first use: Book.fixings."""
    return tuple(dict.fromkeys(f for item in lowered for f in item.fixings))


def assemble(
    lowered: Sequence[LoweredPosition], group_of: np.ndarray, groups: int, order: Sequence[Fixing]
) -> PartialBook:
    """Legs of *lowered* by group, as the whole book would hold them.

    group_of : (n,) int64, group of each position.  order : fixings of the whole portfolio.
    """
    legs = _merge(lowered, order)
    arrays = LegArrays(**legs.arrays(np.asarray(group_of, dtype=np.int64), groups))
    return _compress(*lay_ladder(arrays, FACTORS), order)


def compile_lowered(
    portfolio: Portfolio, lowered: Sequence[LoweredPosition], horizon: Horizon | None
) -> Book:
    """The book of *portfolio* from its positions, already lowered at *horizon*: ``compile_book`` to the
    bit."""
    order = fixing_order(lowered)
    value, notional = (np.array([getattr(x, name) for x in lowered]) for name in ("value", "notional"))
    return gather_book(portfolio, FACTORS, horizon, _merge(lowered, order), order, value, notional,
                       [x.assumed for x in lowered])


def _merge(lowered: Sequence[LoweredPosition], order: Sequence[Fixing]) -> Legs:
    """The legs of all positions as one book gathers them; *order*: fixings of the whole portfolio."""
    place = {fixing: len(FACTORS) + i for i, fixing in enumerate(order)}
    legs = Legs(FACTORS)
    for i, item in enumerate(lowered):
        own = [place[f] for f in item.fixings]

        def at(row: int, own: list[int] = own) -> int:
            return row if row < len(FACTORS) else own[row - len(FACTORS)]

        if 0 in item.legs.constant:
            legs.constant[i] = item.legs.constant[0]
        legs.exponential += [(i, tuple(at(r) for r in rows), c, a) for _, rows, c, a in item.legs.exponential]
        legs.option += [(i, *leg[1:]) for leg in item.legs.option]
        legs.payoff += [(i, *leg[1:5], at(leg[5])) for leg in item.legs.payoff]
        legs.property += [(i, *leg[1:]) for leg in item.legs.property]
    return legs


def resize_instrument(instrument: Instrument, factor: float) -> Instrument:
    """The same contract, *factor* times as large (negative: the other side)."""
    match instrument:
        case FxSpot() | FxForward() | FxOption():
            return replace(instrument, notional=instrument.notional * factor)
        case TreasuryBill() | TreasuryCouponBond():
            return replace(instrument, face=instrument.face * factor)
        case EquityHolding():
            units, value = instrument.units, instrument.value
            return replace(instrument, units=None if units is None else units * factor,
                           value=None if value is None else value * factor)
        case EquityFuture() | EquityOption():
            return replace(instrument, contracts=instrument.contracts * factor)
        case Property():
            return replace(instrument, share=instrument.share * factor)
        case Residential():
            return replace(instrument, value=instrument.value * factor, noi=instrument.noi * factor)
    raise TypeError(f"no size for {type(instrument).__name__}")


def resize_position(position: Position, factor: float) -> Position:
    """*position* with its instrument resized; InputError unless *factor* is finite and not zero."""
    if not (math.isfinite(factor) and factor != 0.0):
        raise InputError(Problem("a size factor is finite and other than zero (or remove the position)",
                                 field="factor", got=str(factor)))
    return replace(position, instrument=resize_instrument(position.instrument, factor))


def _compress(arrays: LegArrays, nodes: NodeArrays, order: Sequence[Fixing]) -> PartialBook:
    """Rows renumbered to those in use; their order, and with it the order of the legs, stays."""
    factors = len(FACTORS)
    columns = ("pair_index", "triple_index", "option_index", "payoff_index", "property_index")
    rows = [getattr(arrays, name)[:, 1:].ravel() for name in columns]
    seen = np.unique(np.concatenate([*rows, nodes.rows.ravel()]))
    seen = seen.astype(np.int64)
    used = seen[seen < factors]
    fixings = tuple(order[row - factors] for row in seen[seen >= factors])
    place = np.zeros(factors + len(order), dtype=np.int64)
    place[seen] = np.arange(len(seen))
    changed = {}
    for name in columns:
        index = getattr(arrays, name).copy()
        index[:, 1:] = place[index[:, 1:]]
        changed[name] = np.ascontiguousarray(index)
    return PartialBook(used, fixings, arrays._replace(**changed), nodes._replace(rows=place[nodes.rows]))
