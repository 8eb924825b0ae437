"""The axes of the model: the only place where a label becomes a position.

A factor label says its kind and therefore its unit::

    FX_<CCY>    log change of USD per unit of foreign currency (up = the dollar fell)
    UST_<TENOR> absolute change of the continuously compounded Treasury zero rate (decimal, 1 bp = 1e-4)
    EQ_<NAME>   log change of an equity index or basket
    VOL_<NAME>  log change of implied volatility
    CAP_<TYPE>  absolute change of a property capitalisation rate (decimal)
    HOME_<AREA> log change of house prices
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from riskengine.base.errors import InputError, Problem, suggest


@dataclass(frozen=True, slots=True)
class Axis:
    """Ordered unique labels. ``axis.index(label)`` is the only way from a label to an integer."""

    name: str
    labels: tuple[str, ...]
    _positions: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        positions = {label: i for i, label in enumerate(self.labels)}
        if len(positions) != len(self.labels):
            twice = sorted({x for x in self.labels if self.labels.count(x) > 1})
            raise InputError(Problem(f"axis {self.name}: labels must be unique", got=", ".join(twice)))
        object.__setattr__(self, "_positions", positions)

    def __len__(self) -> int:
        return len(self.labels)

    def __contains__(self, label: object) -> bool:
        return label in self._positions

    def index(self, label: str) -> int:
        """Position of *label*; InputError with the accepted labels when unknown."""
        try:
            return self._positions[label]
        except KeyError:
            raise InputError(
                Problem(f"unknown {self.name}", got=repr(label), accepted=suggest(str(label), self.labels))
            ) from None

    def indices(self, labels: Iterable[str]) -> list[int]:
        return [self.index(label) for label in labels]


CURRENCIES = (
    "AUD", "BRL", "CAD", "CHF", "CNY", "DKK", "EUR", "GBP", "HKD", "INR", "JPY",
    "KRW", "MXN", "MYR", "NOK", "NZD", "SEK", "SGD", "THB", "TWD", "ZAR",
)
KEY_RATES: dict[str, float] = {
    "3M": 0.25, "6M": 0.5, "1Y": 1.0, "2Y": 2.0, "3Y": 3.0,
    "5Y": 5.0, "7Y": 7.0, "10Y": 10.0, "20Y": 20.0, "30Y": 30.0,
}
EQUITIES = ("SP500", "NASDAQ", "EXPORTERS", "IMPORTERS", "DOMESTIC", "LISTED_REAL_ESTATE")
VOLATILITIES = ("EQUITY", "FX")
PROPERTY_TYPES = ("OFFICE", "RETAIL", "MULTIFAMILY", "INDUSTRIAL")
METROS = ("NATIONAL", "NEW_YORK", "LOS_ANGELES", "SAN_FRANCISCO", "MIAMI")

FACTORS = Axis(
    "factor",
    tuple(f"FX_{c}" for c in CURRENCIES)
    + tuple(f"UST_{t}" for t in KEY_RATES)
    + tuple(f"EQ_{e}" for e in EQUITIES)
    + tuple(f"VOL_{v}" for v in VOLATILITIES)
    + tuple(f"CAP_{p}" for p in PROPERTY_TYPES)
    + tuple(f"HOME_{m}" for m in METROS),
)
"""The K risk factors of the engine, in the order in which random dimensions are assigned (frozen)."""

ASSET_CLASSES = ("treasury", "agency", "corporate", "equity")
"""Classes of US securities held by foreigners in the TIC tables (axis A); real estate has its own stock."""

REPORT_CLASSES = ("fx", "treasury", "equity", "real_estate")
"""Asset classes of the user's positions in reports."""

CHANNELS = (
    "policy_path", "flow", "exchange_rate", "earnings", "term_premium", "cap_rate",
    "foreign_buyers", "imposed", "co_movement",
)
"""Channels by which a policy reaches a price; a scenario's response is their sum.

policy_path: expected policy rate · flow: price impact of orders · exchange_rate: currencies ·
earnings: translation of foreign revenue · term_premium: equity discounting of the flow-channel term
premium · cap_rate: property yields · foreign_buyers: foreign buyers of property · imposed: moves set by
the scenario itself (FactorShock, HistoricalReplay, ConditionalStress) · co_movement: factors outside
the chain following by their estimated loadings."""


def factor_unit(label: str) -> str:
    """'log return' or 'absolute (decimal)'."""
    return "absolute (decimal)" if label.startswith(("UST_", "CAP_")) else "log return"
