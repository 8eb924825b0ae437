"""One model per shock of :mod:`riskengine.policy.shocks`: the keys a ``[[shocks]]`` table may have.

``type`` is the shock's name in snake_case (``type = "withholding_tax"``).  A key is the field's name, except
where the unit belongs into it: ``ForeignSelling.amount`` is ``amount_usd_bn``, ``DollarDepreciation.percent``
is ``fall`` (a share), ``OwnershipCap.deadline_years`` is ``deadline`` (a duration).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, model_validator

from riskengine.base.estimate import Distribution
from riskengine.data.configs.durations import Day, Duration, ScheduleTable
from riskengine.data.configs.fields import (
    Appreciation, AssetClass, AssetClasses, BasisPoints, Commitment, Currency, Factor, HedgeChange, Holders,
    Number, Parties, Party, Share, SignedUsdBillions, SlowdownShare, Strict, TariffRate, TaxRate, Tenor,
    UsdBillions, UseOfProceeds, check_move, choice, distinct, refuse,
)
from riskengine.policy import shocks as policy

_ALL_CLASSES = ["treasury", "agency", "corporate", "equity"]
_ALL = ["all"]


class ShockModel(Strict):
    """A ``[[shocks]]`` table without its ``type``; :meth:`build` makes the shock."""

    also_accepted = ("type",)

    def build(self) -> policy.Shock:
        raise NotImplementedError  # every concrete model overrides it; a test builds each of them


def _when(schedule: ScheduleTable | None) -> dict[str, policy.Schedule]:
    """Keyword for the shock's schedule; nothing when the file leaves it to the shock's own default."""
    return {} if schedule is None else {"schedule": schedule.build()}


Override = choice("override", "treaties", "portfolio_interest", "section_892")


def _no_repeats(names: list[str]) -> list[str]:
    return distinct(names) if names else names


class WithholdingTaxModel(ShockModel):
    """rate: share of income, 0.30 = 30%; overrides: exemptions that fall."""

    rate: TaxRate
    classes: AssetClasses = _ALL_CLASSES
    holders: Holders = _ALL
    overrides: Annotated[list[Override], AfterValidator(_no_repeats)] = []  # type: ignore[valid-type]
    grandfathered: bool = False
    substitute: Annotated[list[AssetClass], AfterValidator(_no_repeats)] = []
    income_addition: bool = False
    schedule: ScheduleTable | None = None

    def build(self) -> policy.WithholdingTax:
        return policy.WithholdingTax(
            self.rate.build("share of income"), tuple(self.classes), tuple(self.holders),
            tuple(self.overrides), self.grandfathered, tuple(self.substitute), self.income_addition,
            **_when(self.schedule),
        )


class UserFeeModel(ShockModel):
    """rate: share of interest; official holders only."""

    rate: TaxRate
    classes: AssetClasses = ["treasury"]
    holders: Holders = _ALL
    schedule: ScheduleTable | None = None

    def build(self) -> policy.UserFee:
        return policy.UserFee(
            self.rate.build("share of interest"), tuple(self.classes), tuple(self.holders),
            **_when(self.schedule),
        )


class PurchaseTaxModel(ShockModel):
    """rate: share of the price of every purchase, 0.01 = 1%."""

    rate: TaxRate
    classes: AssetClasses = _ALL_CLASSES
    holders: Holders = _ALL
    schedule: ScheduleTable | None = None

    def build(self) -> policy.PurchaseTax:
        return policy.PurchaseTax(
            self.rate.build("share of price"), tuple(self.classes), tuple(self.holders),
            **_when(self.schedule),
        )


class OwnershipCapModel(ShockModel):
    """limit: foreign share of the class's capitalisation; deadline: until when."""

    limit: Share
    asset_class: AssetClass = "treasury"
    holders: Holders = _ALL
    deadline: Duration = Duration(years=2.0)

    @model_validator(mode="after")
    def _future(self) -> OwnershipCapModel:
        if self.deadline.in_years() <= 0:
            raise refuse("the deadline must lie ahead", "deadline = { years = 2 }")
        return self

    def build(self) -> policy.OwnershipCap:
        return policy.OwnershipCap(
            self.limit.build("share of capitalisation"), self.asset_class, tuple(self.holders),
            self.deadline.in_years(),
        )


class ForeignSellingModel(ShockModel):
    """One of amount_usd_bn and share (of holdings), positive = sale."""

    amount_usd_bn: UsdBillions | None = None
    share: Share | None = None
    classes: AssetClasses = _ALL_CLASSES
    holders: Holders = _ALL
    sector: choice("sector", "all", "official", "private") = "all"  # type: ignore[valid-type]
    use_of_proceeds: UseOfProceeds = "default"
    schedule: ScheduleTable | None = None

    @model_validator(mode="after")
    def _one_size(self) -> ForeignSellingModel:
        if (self.amount_usd_bn is None) == (self.share is None):
            raise refuse("needs exactly one size", "amount_usd_bn = 500 or share = 0.10")
        return self

    def build(self) -> policy.ForeignSelling:
        return policy.ForeignSelling(
            None if self.amount_usd_bn is None else self.amount_usd_bn.build("USD bn"),
            None if self.share is None else self.share.build("share of holdings"),
            tuple(self.classes), tuple(self.holders), self.sector, self.use_of_proceeds,
            **_when(self.schedule),
        )


class InflowSlowdownModel(ShockModel):
    """One of share (of usual purchases) and amount_usd_bn_per_year that does not come; negative: a surge."""

    share: SlowdownShare | None = None
    amount_usd_bn_per_year: SignedUsdBillions | None = None
    classes: AssetClasses = _ALL_CLASSES
    holders: Holders = _ALL
    schedule: ScheduleTable | None = None

    @model_validator(mode="after")
    def _one_size(self) -> InflowSlowdownModel:
        if (self.share is None) == (self.amount_usd_bn_per_year is None):
            raise refuse("needs exactly one size", "share = 0.50 or amount_usd_bn_per_year = 650")
        return self

    def build(self) -> policy.InflowSlowdown:
        amount = self.amount_usd_bn_per_year
        return policy.InflowSlowdown(
            None if self.share is None else self.share.build("share of usual purchases"),
            tuple(self.classes), tuple(self.holders),
            amount_per_year=None if amount is None else amount.build("USD bn per year"), **_when(self.schedule),
        )


class HedgeRatioModel(ShockModel):
    """change: of the hedge ratio, 0.10 = ten points more are hedged."""

    change: HedgeChange
    classes: AssetClasses = _ALL_CLASSES
    holders: Holders = _ALL
    schedule: ScheduleTable | None = None

    def build(self) -> policy.HedgeRatio:
        return policy.HedgeRatio(
            self.change.build("change of the hedge ratio"), tuple(self.classes), tuple(self.holders),
            **_when(self.schedule),
        )


class CurrencyAccordModel(ShockModel):
    """targets: currency = appreciation against the dollar, 0.15 = 15%."""

    targets: dict[Currency, Appreciation]
    commitments_usd_bn: dict[Party, Commitment] = {}
    credibility: Share | None = None
    schedule: ScheduleTable | None = None

    @model_validator(mode="after")
    def _some(self) -> CurrencyAccordModel:
        if not self.targets:
            raise refuse("an accord needs at least one target", "targets = { CNY = 0.15 }")
        return self

    def build(self) -> policy.CurrencyAccord:
        credibility = Distribution(1.0) if self.credibility is None else self.credibility.build("")
        return policy.CurrencyAccord(
            tuple((c, target.build("appreciation against the dollar")) for c, target in self.targets.items()),
            tuple(self.commitments_usd_bn.items()), credibility, **_when(self.schedule),
        )


class DollarDepreciationModel(ShockModel):
    """fall: of the broad dollar, 0.10 = 10%; negative when it rises."""

    fall: Appreciation
    cause: choice("cause", "flow", "sentiment") = "flow"  # type: ignore[valid-type]
    schedule: ScheduleTable | None = None

    def build(self) -> policy.DollarDepreciation:
        return policy.DollarDepreciation(
            self.fall.build("fall of the broad dollar"), self.cause, **_when(self.schedule)
        )


class TariffModel(ShockModel):
    """rate: share of import value, 0.10 = 10 points; partners: currencies or holders."""

    rate: TariffRate
    partners: Parties = _ALL
    retaliation: bool = False
    haven_probability: Share | None = None
    regime: choice("regime", "mixture", "haven", "flight") = "mixture"  # type: ignore[valid-type]
    schedule: ScheduleTable | None = None

    def build(self) -> policy.Tariff:
        return policy.Tariff(
            self.rate.build("share of import value"), tuple(self.partners), self.retaliation,
            None if self.haven_probability is None else self.haven_probability.build("probability"),
            self.regime, **_when(self.schedule),
        )


class PolicyRatePathModel(ShockModel):
    """bp: tenor = change of the expected path in basis points."""

    bp: dict[Tenor, BasisPoints]
    schedule: ScheduleTable | None = None

    @model_validator(mode="after")
    def _some(self) -> PolicyRatePathModel:
        if not self.bp:
            raise refuse("a policy path needs at least one tenor", 'bp = { "2Y" = -75 }')
        return self

    def build(self) -> policy.PolicyRatePath:
        return policy.PolicyRatePath(
            tuple((tenor, change.build("bp")) for tenor, change in self.bp.items()), **_when(self.schedule)
        )


class FactorShockModel(ShockModel):
    """move: in the factor's own unit, log return or absolute decimal."""

    factor: Factor
    move: Number
    schedule: ScheduleTable | None = None

    @model_validator(mode="after")
    def _possible(self) -> FactorShockModel:
        for x in (self.move.default, self.move.lo, self.move.hi):
            if x is not None:
                check_move(self.factor, x)
        return self

    def build(self) -> policy.FactorShock:
        return policy.FactorShock(
            self.factor, self.move.build("move of the factor"), **_when(self.schedule)
        )


class HistoricalReplayModel(ShockModel):
    """start, end: closes between which the moves are taken."""

    start: Day
    end: Day

    @model_validator(mode="after")
    def _ordered(self) -> HistoricalReplayModel:
        if self.start >= self.end:
            raise refuse("start must lie before end", f"an end after {self.start}")
        return self

    def build(self) -> policy.HistoricalReplay:
        return policy.HistoricalReplay(self.start, self.end)


class ConditionalStressModel(ShockModel):
    """moves: factor = move in its own unit; all other factors follow."""

    moves: dict[Factor, float]
    schedule: ScheduleTable | None = None

    @model_validator(mode="after")
    def _possible(self) -> ConditionalStressModel:
        if not self.moves:
            raise refuse("a conditional stress needs at least one move", "moves = { EQ_SP500 = -0.20 }")
        for factor, x in self.moves.items():
            check_move(factor, x)
        return self

    def build(self) -> policy.ConditionalStress:
        return policy.ConditionalStress(tuple(self.moves.items()), **_when(self.schedule))


SHOCK_MODELS: dict[str, type[ShockModel]] = {
    "withholding_tax": WithholdingTaxModel,
    "user_fee": UserFeeModel,
    "purchase_tax": PurchaseTaxModel,
    "ownership_cap": OwnershipCapModel,
    "foreign_selling": ForeignSellingModel,
    "inflow_slowdown": InflowSlowdownModel,
    "hedge_ratio": HedgeRatioModel,
    "currency_accord": CurrencyAccordModel,
    "dollar_depreciation": DollarDepreciationModel,
    "tariff": TariffModel,
    "policy_rate_path": PolicyRatePathModel,
    "factor_shock": FactorShockModel,
    "historical_replay": HistoricalReplayModel,
    "conditional_stress": ConditionalStressModel,
}
"""snake_case name of the shock → its model."""
