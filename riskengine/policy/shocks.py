"""The shocks a scenario is made of (METHOD 2): a tagged union of plain frozen types.

Every uncertain number is a :class:`~riskengine.base.estimate.Distribution`; a bare number is a fixed
one.  Quantities move flows; targets pin a price path and the model solves back for the flow.
Rooms that handle shocks use ``match`` over :data:`Shock` and end in ``assert_never``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Union

from riskengine.base.estimate import Distribution

SCHEDULES = ("abrupt", "linear", "half_life")
USES_OF_PROCEEDS = ("abroad", "other_us", "deposits", "defend", "default")


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a shock bites: phase(t) in [0, 1], t in years from the announcement.

    kind : 'abrupt' (1 from ``start_years``), 'linear' (0 → 1 over ``years``), 'half_life'
    (1 − 2^(−(t − start)/years)).
    """

    kind: str = "abrupt"
    years: float = 0.0
    start_years: float = 0.0


@dataclass(frozen=True, slots=True)
class WithholdingTax:
    """Tax on income paid to foreign holders; wedge[h,a] = max(0, τ_new − τ_now)·y[a]·D[a] (METHOD 2).

    rate : share of income (0.30 = 30%).  overrides : any of 'treaties', 'portfolio_interest',
    'section_892'.  grandfathered : phase 1 − exp(−t/4 years).  substitute : classes with untaxed
    dollar substitutes of the same borrowers (response × 3, the excess is migration, METHOD 3).
    income_addition : True adds the rate to today's tax (s.899: +5 points a year) instead of replacing it.
    """

    rate: Distribution
    classes: tuple[str, ...] = ("treasury", "agency", "corporate", "equity")
    holders: tuple[str, ...] = ("all",)
    overrides: tuple[str, ...] = ()
    grandfathered: bool = False
    substitute: tuple[str, ...] = ()
    income_addition: bool = False
    schedule: Schedule = Schedule()


@dataclass(frozen=True, slots=True)
class UserFee:
    """Fee on official holders, share of interest; overrides s.892. rate: share (0.20 = 20%)."""

    rate: Distribution
    classes: tuple[str, ...] = ("treasury",)
    holders: tuple[str, ...] = ("all",)
    schedule: Schedule = Schedule()


@dataclass(frozen=True, slots=True)
class PurchaseTax:
    """Tax on purchases by foreigners, share of price; wedge = rate·min(D,10)/H, no forced sale."""

    rate: Distribution
    classes: tuple[str, ...] = ("treasury", "agency", "corporate", "equity")
    holders: tuple[str, ...] = ("all",)
    schedule: Schedule = Schedule()


@dataclass(frozen=True, slots=True)
class OwnershipCap:
    """Foreign share of a class limited to *limit* (share of its capitalisation) by the deadline."""

    limit: Distribution
    asset_class: str = "treasury"
    holders: tuple[str, ...] = ("all",)
    deadline_years: float = 2.0


@dataclass(frozen=True, slots=True)
class ForeignSelling:
    """Executed sales: *amount* USD bn or *share* of holdings (one of the two), positive = sale.

    sector : 'all', 'official' or 'private' holders.
    """

    amount: Distribution | None = None
    share: Distribution | None = None
    classes: tuple[str, ...] = ("treasury", "agency", "corporate", "equity")
    holders: tuple[str, ...] = ("all",)
    sector: str = "all"
    use_of_proceeds: str = "default"
    schedule: Schedule = field(default_factory=lambda: Schedule("linear", 1.0))


@dataclass(frozen=True, slots=True)
class InflowSlowdown:
    """Usual purchases (1,300 USD bn a year at the centre) that do not come: *share* of them or *amount_per_year*,
    USD bn a year (one of the two).  Negative: more comes than usual, a surge of inflows."""

    share: Distribution | None = None
    classes: tuple[str, ...] = ("treasury", "agency", "corporate", "equity")
    holders: tuple[str, ...] = ("all",)
    schedule: Schedule = Schedule()
    amount_per_year: Distribution | None = None


@dataclass(frozen=True, slots=True)
class HedgeRatio:
    """Foreigners keep the assets and sell dollars forward: *change* in the hedge ratio (0.1 = 10 points)."""

    change: Distribution
    classes: tuple[str, ...] = ("treasury", "agency", "corporate", "equity")
    holders: tuple[str, ...] = ("all",)
    schedule: Schedule = field(default_factory=lambda: Schedule("linear", 0.5))


@dataclass(frozen=True, slots=True)
class CurrencyAccord:
    """Targets pin currencies: s_c = ln(1 + target)·schedule (METHOD 5, Accord).

    targets : currency → appreciation against the dollar (0.15 = 15%).  commitments_usd_bn : currency or
    holder → extra demand for US goods, USD bn a year (adds to C).  credibility : probability that the
    accord holds (two-point mixture).
    """

    targets: tuple[tuple[str, Distribution], ...]
    commitments_usd_bn: tuple[tuple[str, float], ...] = ()
    credibility: Distribution = Distribution(1.0)
    schedule: Schedule = field(default_factory=lambda: Schedule("linear", 1.0))


@dataclass(frozen=True, slots=True)
class DollarDepreciation:
    """Broad dollar target: *percent* fall (0.10: s = ln 1.10). cause: 'flow' (solved back) or 'sentiment'."""

    percent: Distribution
    cause: str = "flow"
    schedule: Schedule = field(default_factory=lambda: Schedule("linear", 1.0))


@dataclass(frozen=True, slots=True)
class Tariff:
    """Tariff *rate* on partners: regime mixture safe haven / flight (METHOD 2). The CA moves only through s."""

    rate: Distribution
    partners: tuple[str, ...] = ("all",)
    retaliation: bool = False
    haven_probability: Distribution | None = None
    """None: the parameter ``tariff_haven_probability``."""
    regime: str = "mixture"
    """'mixture', 'haven' or 'flight'."""
    schedule: Schedule = field(default_factory=lambda: Schedule("linear", 0.5))


@dataclass(frozen=True, slots=True)
class PolicyRatePath:
    """The expected path of the Fed: change of yields through the policy path, bp by tenor (e.g. '2Y': -75)."""

    bp: tuple[tuple[str, Distribution], ...]
    schedule: Schedule = Schedule()


@dataclass(frozen=True, slots=True)
class FactorShock:
    """A plain price move of one factor (its unit: log return or absolute decimal); the factor is pinned."""

    factor: str
    move: Distribution
    schedule: Schedule = Schedule()


@dataclass(frozen=True, slots=True)
class HistoricalReplay:
    """All factors with data repeat their moves between two dates (ISO, closes); the rest follow by METHOD 8."""

    start: str
    end: str


@dataclass(frozen=True, slots=True)
class ConditionalStress:
    """Given moves of some factors, the rest at their conditional mean and covariance (Kupiec 1998; METHOD 8)."""

    moves: tuple[tuple[str, float], ...]
    schedule: Schedule = Schedule()


Shock = Union[
    WithholdingTax, UserFee, PurchaseTax, OwnershipCap, ForeignSelling, InflowSlowdown, HedgeRatio,
    CurrencyAccord, DollarDepreciation, Tariff, PolicyRatePath, FactorShock, HistoricalReplay,
    ConditionalStress,
]
