"""The policy panel as data: each knob is a field of a shock, in the unit a trader reads.

A knob that was not touched says nothing.  One that was becomes a knob of the command line
(``data.configs.scenario_edits``): ``withholding_tax.rate=0.3`` where the scenario has the shock, and
``+withholding_tax.rate=0.3`` where it has not, so that the command line repeats every answer of the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from riskengine.base.axes import CURRENCIES
from riskengine.policy import shocks as policy
from riskengine.policy.scenario import Scenario

if TYPE_CHECKING:
    from riskengine.desk.state import DeskState, Seller

SECTORS = ("all", "official", "private")
USES = ("default", "abroad", "other_us", "deposits", "defend")
CLASSES = (("treasury", "Treasuries"), ("agency", "Agencies"), ("corporate", "Corporates"),
           ("equity", "Equities"))
SELLING_CLASSES = ("all", *(c for c, _ in CLASSES))
SCHEDULES = (("abrupt", "abrupt"), ("3m", "gradual, 3 months"), ("6m", "gradual, 6 months"),
             ("12m", "gradual, 12 months"), ("24m", "gradual, 24 months"))
ACCORD = ("CNY", "JPY", "KRW", "TWD", "EUR", "CHF")
TENORS = ("3M", "2Y", "10Y")


@dataclass(frozen=True, slots=True)
class Knob:
    """kind : range, flag, choice, many.  factor : shown value × factor = value of the file.

    shock, field : key of the file ('' : of the head).  main : the size of its shock; without it the other
    fields of a shock that the scenario does not have say nothing.  part : key inside a table field
    (accord target, tenor).
    only_filed : offered only where the scenario has the shock with this field.  least, most : what may be
    typed or loaded beyond the ends of the slider; None: its ends.
    """

    id: str
    group: str
    label: str
    kind: str = "range"
    unit: str = ""
    low: float = 0.0
    high: float = 1.0
    step: float = 1.0
    factor: float = 1.0
    shock: str = ""
    field: str = ""
    part: str = ""
    main: bool = False
    rest: Any = 0.0
    choices: tuple[tuple[str, str], ...] = ()
    only_filed: bool = False
    tip: str = ""
    least: float | None = None
    most: float | None = None

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value accepted, as shown."""
        return (self.low if self.least is None else self.least, self.high if self.most is None else self.most)


def _percent(
    id: str, group: str, label: str, shock: str, name: str, high: float, low: float = 0.0, **more: Any
) -> Knob:
    return Knob(id, group, label, "range", more.pop("unit", "%"), low, high, more.pop("step", 1.0), 0.01,
                shock, name,
                **more)


_WHT, _FEE, _BUY, _CAP = "withholding_tax", "user_fee", "purchase_tax", "ownership_cap"
_SELL, _SLOW, _ACCORD, _FED = "foreign_selling", "inflow_slowdown", "currency_accord", "policy_rate_path"
KNOBS: tuple[Knob, ...] = (
    _percent("wht_rate", "Taxes", "Withholding tax", _WHT, "rate", 50.0, main=True, most=99.0,
             tip="Share of income paid abroad"),
    Knob("wht_overrides", "Taxes", "Exemptions that fall", "many", shock=_WHT, field="overrides", rest=(),
         choices=(
        ("treaties", "treaties"), ("portfolio_interest", "portfolio interest"),
        ("section_892", "officials (s.892)"))),
    Knob("wht_classes", "Taxes", "Income taxed", "many", shock=_WHT, field="classes",
         rest=tuple(c for c, _ in CLASSES), choices=CLASSES),
    Knob("wht_grandfathered", "Taxes", "Existing holdings grandfathered", "flag", shock=_WHT,
         field="grandfathered",
         rest=False),
    _percent("fee_rate", "Taxes", "User fee on officials", _FEE, "rate", 50.0, main=True, most=99.0,
             tip="Share of interest"),
    _percent("purchase_rate", "Taxes", "Tax on purchases", _BUY, "rate", 5.0, step=0.1, main=True),
    _percent("cap_limit", "Taxes", "Cap on foreign Treasuries", _CAP, "limit", 40.0, 5.0, main=True,
             rest=40.0,
             tip="Foreign share of the Treasury market; 40% does not bind"),
    _percent("sell_share", "Flows", "Selling as filed, of holdings", _SELL, "share", 100.0, main=True,
             only_filed=True),
    Knob("sell_amount", "Flows", "Selling as filed", "range", "USD bn", 0.0, 5000.0, 10.0, 1.0, _SELL,
         "amount_usd_bn",
         main=True, only_filed=True),
    _percent("slowdown", "Flows", "Inflow slowdown", _SLOW, "share", 100.0, -50.0, main=True, least=-100.0,
             tip="Share of usual foreign purchases that does not come"),
    _percent("hedge_ratio", "Flows", "Foreign hedge ratios", "hedge_ratio", "change", 50.0, -20.0, main=True,
             unit="points"),
    *(_percent(f"accord_{c}", "Accord", f"{c} target", _ACCORD, "targets", 40.0, -10.0, main=True, part=c,
               most=100.0,
               tip="Appreciation against the dollar") for c in ACCORD),
    _percent("accord_credibility", "Accord", "Credibility", _ACCORD, "credibility", 100.0, rest=100.0,
             step=5.0),
    _percent("dollar_fall", "Accord", "Broad dollar falls by", "dollar_depreciation", "fall", 30.0, -15.0,
             main=True),
    _percent("tariff_rate", "Tariff", "Tariff, all partners", "tariff", "rate", 60.0, main=True,
             unit="points",
             most=100.0),
    Knob("tariff_regime", "Tariff", "Market regime", "choice", shock="tariff", field="regime", rest="mixture",
         choices=(("mixture", "mixture"), ("haven", "safe haven"), ("flight", "flight"))),
    Knob("tariff_retaliation", "Tariff", "Retaliation", "flag", shock="tariff", field="retaliation",
         rest=False),
    *(Knob(f"fed_{t}", "Fed path", f"{t} expected path", "range", "bp", -300.0, 300.0, 5.0, 1.0, _FED, "bp",
           t,
           main=True, least=-500.0, most=500.0) for t in TENORS),
    Knob("timing", "Timing", "Policy comes", "choice", choices=SCHEDULES, rest=None),
    _percent("probability", "Timing", "Probability of enactment", "", "probability", 100.0, rest=100.0,
             tip="The announcement part of prices is multiplied by it"),
    Knob("risk_off", "Timing", "Dealers impaired", "flag", field="risk_off", rest=False),
    Knob("flow_channel", "Timing", "Flows move yields", "flag", field="flow_channel", rest=True),
    Knob("announcement", "Timing", "Prices run ahead of flows", "flag", field="announcement", rest=True),
)
KNOBS_BY_ID: dict[str, Knob] = {k.id: k for k in KNOBS}

_TYPES: dict[type, str] = {
    policy.WithholdingTax: _WHT, policy.UserFee: _FEE, policy.PurchaseTax: _BUY, policy.OwnershipCap: _CAP,
    policy.ForeignSelling: _SELL, policy.InflowSlowdown: _SLOW, policy.HedgeRatio: "hedge_ratio",
    policy.CurrencyAccord: _ACCORD, policy.DollarDepreciation: "dollar_depreciation", policy.Tariff: "tariff",
    policy.PolicyRatePath: _FED, policy.FactorShock: "factor_shock",
    policy.HistoricalReplay: "historical_replay",
    policy.ConditionalStress: "conditional_stress",
}
_ATTRIBUTES = {"amount_usd_bn": "amount", "fall": "percent"}
"""Key of the file → field of the shock, where they differ."""


def shock_places(scenario: Scenario | None) -> dict[str, str]:
    """Type → place of the first shock of that type: the type's name where it is alone, else its number."""
    names = [_TYPES[type(s)] for s in scenario.shocks] if scenario is not None else []
    return {name: name if names.count(name) == 1 else str(names.index(name) + 1) for name in names}


def filed_values(scenario: Scenario | None) -> dict[str, Any]:
    """Knob id → the value the scenario has as filed, in the unit shown; knobs it does not have are absent."""
    if scenario is None:
        return {}
    found: dict[str, Any] = {"probability": 100.0 * scenario.probability}
    found |= {name: getattr(scenario, name) for name in ("risk_off", "flow_channel", "announcement")}
    first: dict[str, Any] = {}
    for shock in scenario.shocks:
        first.setdefault(_TYPES[type(shock)], shock)
    for knob in KNOBS:
        if knob.shock in first:
            value = getattr(first[knob.shock], _ATTRIBUTES.get(knob.field, knob.field))
            if knob.part:
                value = dict(value).get(knob.part)
            if value is None:
                continue
            value = getattr(value, "default", value)
            found[knob.id] = round(value / knob.factor, 9) if knob.kind == "range" else value
    return found


def knob_sets(state: DeskState, scenario: Scenario | None) -> tuple[str, ...]:
    """Knobs of the command line for what the page moved, in a fixed order."""
    places = shock_places(scenario)
    filed = filed_values(scenario)
    out: list[str] = []
    added: list[str] = []
    for shock in dict.fromkeys(k.shock for k in KNOBS if k.shock):
        moved = [k for k in KNOBS if k.shock == shock and k.id in state.knobs
                 and not (k.only_filed and k.id not in filed)]
        if shock in places:
            out += [f"{places[shock]}.{k.field}{'.' + k.part if k.part else ''}={_text(k, state.knobs[k.id])}"
                    for k in moved]
        elif any(k.main and state.knobs[k.id] != k.rest for k in moved):
            out += _new_shock(shock, moved, state.knobs)
            added.append(shock)
    timing = state.knobs.get("timing")
    if timing is not None:
        out += [f"{place}.schedule={_schedule(timing)}" for shock, place in _every_place(scenario)
                if shock not in _UNTIMED]
        out = _time_added(out, added, timing)
    for seller in state.sellers:
        out += _sale(seller, timing)
    out += [f"{k.field}={_text(k, state.knobs[k.id])}" for k in KNOBS
            if not k.shock and k.field and k.id in state.knobs]
    if state.horizon is not None and (scenario is not None or state.moves_policy):
        out.append(f"horizon={state.horizon}")
    return tuple(out)


_UNTIMED = (_CAP, "historical_replay")
"""Shocks without a schedule: a cap has its deadline."""


def _every_place(scenario: Scenario | None) -> list[tuple[str, str]]:
    """(type, place) of every shock of the scenario."""
    names = [_TYPES[type(s)] for s in scenario.shocks] if scenario is not None else []
    return [(name, name if names.count(name) == 1 else str(n)) for n, name in enumerate(names, 1)]


def _new_shock(shock: str, moved: Sequence[Knob], values: Mapping[str, Any]) -> list[str]:
    lines = []
    tables: dict[str, list[str]] = {}
    for knob in moved:
        if knob.part:
            if values[knob.id] != knob.rest:
                tables.setdefault(knob.field, []).append(f'"{knob.part}" = {_text(knob, values[knob.id])}')
    for name, entries in tables.items():
        lines.append(f"+{shock}.{name}={{{', '.join(entries)}}}")
    lines += [f"+{shock}.{k.field}={_text(k, values[k.id])}" for k in moved if not k.part]
    return lines


def _time_added(lines: list[str], added: Sequence[str], timing: str) -> list[str]:
    """The schedule after the fields of each shock that a knob added."""
    out = list(lines)
    for shock in added:
        if shock not in _UNTIMED:
            last = max(n for n, line in enumerate(out) if line.startswith(f"+{shock}."))
            out.insert(last + 1, f"+{shock}.schedule={_schedule(timing)}")
    return out


def _sale(seller: Seller, timing: str | None) -> list[str]:
    lines = [f"+{_SELL}.amount_usd_bn={seller.usd_bn:.10g}"]
    if seller.usd_bn <= 0:
        return []
    if seller.holder != "all":
        lines.append(f'+{_SELL}.holders=["{seller.holder}"]')
    if seller.asset_class != "all":
        lines.append(f'+{_SELL}.classes=["{seller.asset_class}"]')
    if seller.sector != "all":
        lines.append(f"+{_SELL}.sector={seller.sector}")
    if seller.use != "default":
        lines.append(f"+{_SELL}.use_of_proceeds={seller.use}")
    if timing is not None:
        lines.append(f"+{_SELL}.schedule={_schedule(timing)}")
    return lines


def _schedule(timing: str) -> str:
    if timing == "abrupt":
        return '{kind = "abrupt"}'
    return f'{{kind = "linear", over = {{months = {timing[:-1]}}}}}'


def _text(knob: Knob, value: Any) -> str:
    if knob.kind == "range":
        return f"{round(value * knob.factor, 12):.10g}"
    if knob.kind == "flag":
        return "true" if value else "false"
    if knob.kind == "many":
        return "[" + ", ".join(f'"{v}"' for v in value) + "]"
    return str(value)


assert set(ACCORD) <= set(CURRENCIES)
