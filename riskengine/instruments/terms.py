"""From the words of a row to an instrument: which terms each type needs, and what they may say.

Dates are ISO dates or tenors counted from the as-of date (``10Y``).  Strikes are levels (FX: USD per unit of
foreign currency), ``ATM`` / ``ATMF`` (spot, forward at the as-of date), or per cent of either: ``98%``,
``102%F``.  Every broken rule of a row is reported, not the first one only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from riskengine.base.axes import CURRENCIES, METROS, PROPERTY_TYPES
from riskengine.base.dates import resolve_date
from riskengine.base.errors import InputError, Problem, suggest
from riskengine.instruments.equity import BASKETS, INDICES, EquityFuture, EquityHolding, EquityOption
from riskengine.instruments.fx import FxForward, FxOption, FxSpot
from riskengine.instruments.options import Strike
from riskengine.instruments.real_estate import Property, Residential
from riskengine.instruments.treasury import PAR, TreasuryBill, TreasuryCouponBond

Instrument = (
    FxSpot | FxForward | FxOption | TreasuryBill | TreasuryCouponBond
    | EquityHolding | EquityFuture | EquityOption | Property | Residential
)

TERM_COLUMNS = (
    "maturity", "coupon", "frequency", "expiry", "strike", "put_call", "underlying", "multiplier",
    "forward_rate", "property_type", "noi", "cap_rate", "ltv", "debt", "loan_rate", "metro", "value",
)

TYPES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "fx_spot": ("fx", (), ()),
    "fx_forward": ("fx", ("maturity",), ("forward_rate",)),
    "fx_option": ("fx", ("expiry", "strike", "put_call"), ()),
    "treasury_bill": ("treasury", ("maturity",), ()),
    "treasury_note": ("treasury", ("maturity", "coupon"), ("frequency",)),
    "treasury_bond": ("treasury", ("maturity", "coupon"), ("frequency",)),
    "equity_index": ("equity", ("underlying",), ()),
    "equity_future": ("equity", ("underlying", "expiry", "multiplier"), ()),
    "equity_option": ("equity", ("underlying", "expiry", "strike", "put_call", "multiplier"), ()),
    "equity_basket": ("equity", ("underlying",), ()),
    "listed_real_estate": ("real_estate", (), ()),
    "property": ("real_estate", ("property_type", "noi"), ("cap_rate", "ltv", "debt", "loan_rate")),
    "residential": ("real_estate", ("metro",), ("noi", "value")),
}
"""type → (asset class, terms it needs, terms it may have)."""

SIZES: dict[str, tuple[str, ...]] = {
    "fx_spot": ("notional",),
    "fx_forward": ("notional",),
    "fx_option": ("notional",),
    "treasury_bill": ("quantity", "notional"),
    "treasury_note": ("quantity", "notional"),
    "treasury_bond": ("quantity", "notional"),
    "equity_index": ("quantity", "notional"),
    "equity_future": ("quantity",),
    "equity_option": ("quantity",),
    "equity_basket": ("notional",),
    "listed_real_estate": ("notional",),
    "property": ("quantity",),
    "residential": ("notional", "value"),
}
"""type → columns that may carry its size (exactly one does; a property's share defaults to 1)."""


def parse_instrument(kind: str, cells: Mapping[str, str], as_of: date) -> Instrument:
    """Build the instrument of one row.

    Parameters
    ----------
    kind : one of TYPES.
    cells : column → text; blank or absent means not given.
    as_of : the date from which tenors count and after which everything must expire.

    Raises
    ------
    InputError
        With every broken rule (field, rule, got, accepted); file and row are the caller's.
    """
    row = _Row({k: (v or "").strip() for k, v in cells.items()}, as_of)
    asset_class, needed, optional = TYPES[kind]
    allowed = {*needed, *optional, *SIZES[kind]}
    for name in needed:
        if not row.cells.get(name):
            row.bad(name, f"{kind} needs this term")
    for name in (*TERM_COLUMNS, "quantity", "notional"):
        if row.cells.get(name) and name not in allowed:
            row.bad(name, f"{kind} does not use this term", ", ".join(sorted(allowed)))
    currency = row.currency() if asset_class == "fx" else row.only_dollars()
    instrument = _build(kind, row, currency)
    if row.problems:
        raise InputError(row.problems)
    return instrument


def _build(kind: str, row: _Row, currency: str) -> Instrument:
    match kind:
        case "fx_spot":
            return FxSpot(currency, row.size(kind)[1])
        case "fx_forward":
            rate = row.strike("forward_rate") if row.cells.get("forward_rate") else Strike(1.0, "forward")
            return FxForward(currency, row.size(kind)[1], row.later_date("maturity"), rate)
        case "fx_option":
            return FxOption(currency, row.size(kind)[1], row.later_date("expiry"), row.strike("strike"),
                            row.put_call())
        case "treasury_bill":
            return TreasuryBill(row.size(kind)[1], row.later_date("maturity"))
        case "treasury_note" | "treasury_bond":
            return TreasuryCouponBond(row.size(kind)[1], row.later_date("maturity"), row.coupon(),
                                      row.frequency())
        case "equity_index":
            column, size = row.size(kind)
            underlying = row.choice("underlying", INDICES)
            return (EquityHolding(underlying, units=size) if column == "quantity"
                    else EquityHolding(underlying, value=size))
        case "equity_basket":
            return EquityHolding(row.choice("underlying", BASKETS), value=row.size(kind)[1])
        case "listed_real_estate":
            return EquityHolding("LISTED_REAL_ESTATE", value=row.size(kind)[1])
        case "equity_future":
            return EquityFuture(row.choice("underlying", INDICES), row.size(kind)[1],
                                row.number("multiplier", 1e-6, 1e6), row.later_date("expiry"))
        case "equity_option":
            return EquityOption(row.choice("underlying", INDICES), row.size(kind)[1],
                                row.number("multiplier", 1e-6, 1e6), row.later_date("expiry"),
                                row.strike("strike"), row.put_call())
        case "property":
            return row.property()
        case "residential":
            value = row.size(kind, positive=True)[1]
            return Residential(row.choice("metro", METROS), value, row.number("noi", 0.0, 1e12, default=0.0))
    raise TypeError(f"no terms for type {kind}")


@dataclass(slots=True)
class _Row:
    """Reads typed terms from cells; what cannot be read is noted and replaced by a placeholder."""

    cells: dict[str, str]
    as_of: date
    problems: list[Problem] = field(default_factory=list)

    def bad(self, name: str, rule: str, accepted: str = "") -> None:
        self.problems.append(Problem(rule, field=name, got=repr(self.cells.get(name, "")), accepted=accepted))

    def number(self, name: str, lo: float, hi: float, default: float | None = None) -> float:
        text = self.cells.get(name, "")
        if not text:
            return math.nan if default is None else default  # a needed term that is missing was noted before
        value = to_number(text)
        if value is None:
            self.bad(name, "must be a finite number, without thousands separators")
            return math.nan
        if not lo <= value <= hi:
            self.bad(name, "out of range", f"{lo:g} … {hi:g}")
        return value

    def size(self, kind: str, positive: bool = False, default: float | None = None) -> tuple[str, float]:
        """(column, value) of the one column that carries the size."""
        columns = SIZES[kind]
        given = [c for c in columns if self.cells.get(c)]
        if not given and default is not None:
            return columns[0], default
        if len(given) != 1:
            self.problems.append(
                Problem("give the size once" if given else "the size is missing", field=columns[0],
                        got=", ".join(given), accepted=" or ".join(columns))
            )
            return columns[0], math.nan
        value = self.number(given[0], -1e15, 1e15)
        if value == 0.0:
            self.bad(given[0], "must not be zero")
        if positive and value < 0.0:
            self.bad(given[0], f"{kind} cannot be held short", "a number > 0")
        return given[0], value

    def later_date(self, name: str) -> date:
        text = self.cells.get(name, "")
        if not text:
            return self.as_of
        try:
            day = resolve_date(text, self.as_of)
        except (InputError, OverflowError):
            self.bad(name, "must be a date or a tenor", "YYYY-MM-DD, or 45D, 2W, 3M, 10Y from the as-of date")
            return self.as_of
        if day <= self.as_of:
            self.bad(name, "expired on or before the as-of date", f"after {self.as_of}")
        elif day.year > self.as_of.year + 100:
            self.bad(name, "more than a century ahead")
        return day

    def choice(self, name: str, accepted: tuple[str, ...]) -> str:
        text = self.cells.get(name, "").upper()
        if text and text not in accepted:
            self.bad(name, f"unknown {name}", suggest(text, accepted))
        return text

    def currency(self) -> str:
        text = self.cells.get("currency", "").upper()
        if not text:
            self.bad("currency", "the foreign currency is missing", suggest("", CURRENCIES, 21))
        elif text not in CURRENCIES:
            self.bad("currency", "unknown foreign currency", suggest(text, CURRENCIES, 21))
        return text

    def only_dollars(self) -> str:
        text = self.cells.get("currency", "").upper()
        if text not in ("", "USD"):
            self.bad("currency", "US assets are in USD", "USD, or blank")
        return "USD"

    def put_call(self) -> float:
        text = self.cells.get("put_call", "").lower()
        if text and text not in ("put", "call", "p", "c"):
            self.bad("put_call", "must be put or call", "put, call")
        return -1.0 if text.startswith("p") else 1.0

    def strike(self, name: str) -> Strike:
        text = self.cells.get(name, "").upper().replace(" ", "")
        relative = {"ATM": "100%", "ATMF": "100%F"}.get(text, text)
        multiple = relative.removesuffix("F").removesuffix("S")
        value = to_number(multiple.removesuffix("%"))
        if not text:
            return Strike(1.0, "spot")
        if value is None or value <= 0.0 or (multiple != relative and not multiple.endswith("%")):
            self.bad(name, "must be a level or relative to today's market", "1.12, ATM, ATMF, 98%, 102%F")
            return Strike(1.0, "spot")
        if not multiple.endswith("%"):
            return Strike(value)
        if not 20.0 < value < 500.0:
            self.bad(name, "too far from the market", "20% … 500%")
        return Strike(value / 100.0, "forward" if relative.endswith("F") else "spot")

    def coupon(self) -> float | str:
        if self.cells.get("coupon", "").lower() == PAR:
            return PAR
        return self.number("coupon", 0.0, 0.2)

    def frequency(self) -> int:
        text = self.cells.get("frequency", "") or "2"
        if to_number(text) not in (1.0, 2.0, 4.0, 12.0):
            self.bad("frequency", "coupons a year", "1, 2, 4, 12")
            return 2
        return int(float(text))

    def property(self) -> Property:
        share = self.size("property", positive=True, default=1.0)[1]
        if share > 1.0:
            self.bad("quantity", "a property's quantity is the share owned", "0 < quantity ≤ 1")
        cap = self.number("cap_rate", 0.01, 0.3, default=math.nan)
        debt = self.number("debt", 0.0, 1e12, default=0.0)
        ltv = self.number("ltv", 0.0, 0.99, default=math.nan)
        if self.cells.get("debt") and self.cells.get("ltv"):
            self.bad("ltv", "give the debt once", "debt or ltv")
        loan_rate = self.number("loan_rate", 0.0, 0.3, default=math.nan)
        if (debt > 0.0 or ltv > 0.0) and math.isnan(loan_rate):
            self.bad("loan_rate", "debt needs its interest rate", "decimal per year")
        return Property(
            self.choice("property_type", PROPERTY_TYPES), self.number("noi", 1e-6, 1e12),
            None if math.isnan(cap) else cap, debt, None if math.isnan(ltv) else ltv,
            0.0 if math.isnan(loan_rate) else loan_rate, share,
        )


def to_number(text: str) -> float | None:
    """A finite float, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
