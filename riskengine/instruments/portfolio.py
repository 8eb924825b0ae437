"""Positions and portfolios: what is held, by whom, under which labels.

Signs: quantity and notional are signed, + = long the foreign currency or the asset (an option: + = bought).
Everything here is plain data; ``compile_book`` is the door to valuation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from riskengine.base.axes import FACTORS, Axis
from riskengine.base.dates import parse_date
from riskengine.base.errors import InputError, Problem, suggest
from riskengine.base.units import Horizon
from riskengine.instruments.equity import EquityFuture, EquityHolding, EquityOption
from riskengine.instruments.fx import FxForward, FxOption, FxSpot
from riskengine.instruments.real_estate import Property, Residential
from riskengine.instruments.terms import TERM_COLUMNS, TYPES, Instrument, parse_instrument
from riskengine.instruments.treasury import PAR, TreasuryBill, TreasuryCouponBond
from riskengine.market import MarketSnapshot

if TYPE_CHECKING:
    from riskengine.instruments.book import Book

__all__ = ["COLUMNS", "REQUIRED_COLUMNS", "Instrument", "Portfolio", "Position", "compile_book", "describe",
           "parse_position"]

REQUIRED_COLUMNS = ("position_id", "type", "desk", "book", "strategy")
COLUMNS = (*REQUIRED_COLUMNS, "quantity", "notional", "currency", *TERM_COLUMNS)
"""Columns with a meaning; every other column of a file becomes a grouping tag."""


@dataclass(frozen=True, slots=True)
class Position:
    """One holding. type : the file's word (treasury_note …). tags : (column, value). row : its line."""

    position_id: str
    type: str
    instrument: Instrument
    desk: str
    book: str
    strategy: str
    tags: tuple[tuple[str, str], ...] = ()
    row: int | None = None

    @property
    def asset_class(self) -> str:
        """One of REPORT_CLASSES."""
        return TYPES[self.type][0]


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Positions whose dates were resolved for *as_of* (ISO); ids are unique."""

    as_of: str
    positions: tuple[Position, ...]
    tag_names: tuple[str, ...] = ()
    source: str = ""
    """Name of the file it came from, for messages."""

    def __post_init__(self) -> None:
        parse_date(self.as_of)
        object.__setattr__(self, "positions", tuple(self.positions))
        seen: set[str] = set()
        twice = []
        for p in self.positions:
            if p.position_id in seen:
                twice.append(Problem("position ids must be unique", self.source, p.row, "position_id",
                                     p.position_id))
            seen.add(p.position_id)
        if twice:
            raise InputError(twice)


def parse_position(cells: Mapping[str, str], as_of: str, file: str = "", row: int | None = None,
                   tag_names: tuple[str, ...] = ()) -> Position:
    """One row of a portfolio as text → Position; InputError with every broken rule of the row."""
    problems: list[Problem] = []
    values = {k: (v or "").strip() for k, v in cells.items()}
    for name in REQUIRED_COLUMNS:
        if not values.get(name):
            problems.append(Problem("must not be blank", file, row, name))
    kind = values.get("type", "").lower()
    instrument = None
    if kind and kind not in TYPES:
        problems.append(Problem("unknown instrument type", file, row, "type", repr(kind),
                                suggest(kind, tuple(TYPES), len(TYPES))))
    elif kind:
        try:
            instrument = parse_instrument(kind, values, parse_date(as_of))
        except InputError as error:
            problems += [Problem(p.rule, file, row, p.field, p.got, p.accepted) for p in error.problems]
    if problems or instrument is None:
        raise InputError(problems)
    tags = tuple((t, values.get(t, "")) for t in tag_names)
    return Position(values["position_id"], kind, instrument, values["desk"], values["book"],
                    values["strategy"], tags, row)


def compile_book(portfolio: Portfolio, snapshot: MarketSnapshot, axis: Axis = FACTORS,
                 horizon: Horizon | None = None) -> Book:
    """Portfolio → Book, see ``instruments.book``; horizon None: instantaneous moves, no ageing.

    The kernels are imported here and not before: reading a portfolio needs no compiler.
    """
    from riskengine.instruments import book

    return book.compile_book(portfolio, snapshot, axis, horizon)


def describe(position: Position) -> str:
    """One line for tables, e.g. 'EUR 250m call 2024-12-24 at 102% of the spot'."""
    match position.instrument:
        case FxSpot(currency, notional):
            return f"{currency} {_size(notional)} spot"
        case FxForward(currency, notional, maturity, rate):
            return f"{currency} {_size(notional)} forward {maturity} at {rate}"
        case FxOption(currency, notional, expiry, strike, sign):
            return f"{currency} {_size(notional)} {_side(sign)} {expiry} at {strike}"
        case TreasuryBill(face, maturity):
            return f"bill {_size(face)} {maturity}"
        case TreasuryCouponBond(face, maturity, coupon):
            rate = "par coupon" if coupon == PAR else f"{100 * float(coupon):g}%"
            return f"{position.type.removeprefix('treasury_')} {_size(face)} {rate} {maturity}"
        case EquityHolding(underlying, units, value):
            size = f"{_size(units)} units" if units is not None else f"USD {_size(value or 0.0)}"
            return f"{underlying} {size}"
        case EquityFuture(underlying, contracts, multiplier, expiry):
            return f"{underlying} {contracts:,.0f} × {multiplier:g} futures {expiry}"
        case EquityOption(underlying, contracts, multiplier, expiry, strike, sign):
            return f"{underlying} {contracts:,.0f} × {multiplier:g} {_side(sign)}s {expiry} at {strike}"
        case Property(property_type, noi, cap_rate):
            cap = "market cap rate" if cap_rate is None else f"cap rate {100 * cap_rate:g}%"
            return f"{property_type.lower()}, NOI {_size(noi)}, {cap}"
        case Residential(metro, value):
            return f"homes {metro.replace('_', ' ').title()} USD {_size(value)}"
    raise TypeError(f"no description for {type(position.instrument).__name__}")


def _side(sign: float) -> str:
    return "call" if sign > 0 else "put"


def _size(amount: float) -> str:
    for scale, letter in ((1e12, "tn"), (1e9, "bn"), (1e6, "m")):
        if abs(amount) >= scale:
            return f"{amount / scale:,.4g}{letter}"
    return f"{amount:,.4g}"
