"""Knobs on scenario files: where they land, what they may say, and that the file's door judges the result."""

from __future__ import annotations

import pytest

from riskengine.base.errors import InputError
from riskengine.base.units import Horizon
from riskengine.data.configs import list_scenarios, load_scenario
from riskengine.data.configs.scenario_edits import edit_scenario
from riskengine.policy.shocks import ForeignSelling, WithholdingTax

TAX, SELLING, ACCORD = "withholding_tax_30_no_exemptions", "china_sells_treasuries", "mar_a_lago_accord"


def test_without_knobs_a_scenario_is_its_file():
    for name in list_scenarios():
        assert edit_scenario(name) == load_scenario(name)
        assert edit_scenario(load_scenario(name)) == load_scenario(name)


@pytest.mark.parametrize(("scenario", "knob", "read", "want"), [
    (TAX, "withholding_tax.rate=0.15", lambda s: s.shocks[0].rate.default, 0.15),
    (TAX, "1.rate=15%", lambda s: s.shocks[0].rate.default, 0.15),
    (TAX, "withholding_tax[1].rate = { default = 0.2, lo = 0.1, hi = 0.3, dist = 'normal' }",
     lambda s: (s.shocks[0].rate.lo, s.shocks[0].rate.kind), (0.1, "normal")),
    (TAX, "withholding_tax.classes=treasury, equity", lambda s: s.shocks[0].classes, ("treasury", "equity")),
    (TAX, "withholding_tax.grandfathered=true", lambda s: s.shocks[0].grandfathered, True),
    (TAX, "withholding_tax.schedule.kind=abrupt", lambda s: s.shocks[0].schedule.kind, "abrupt"),
    (TAX, "horizon=26w", lambda s: s.horizon, Horizon(26, 5)), (TAX, "horizon=10d", lambda s: s.horizon, Horizon(10, 1)),
    (TAX, "probability=0.4", lambda s: s.probability, 0.4), (TAX, "risk_off=true", lambda s: s.risk_off, True),
    (SELLING, "foreign_selling.share=20%", lambda s: (s.shocks[0].share.default, s.shocks[0].amount), (0.2, None)),
    (ACCORD, "currency_accord.targets.CNY=0.2", lambda s: dict(s.shocks[0].targets)["CNY"].default, 0.2),
    (TAX, "+foreign_selling.amount_usd_bn=500", lambda s: s.shocks[1].amount.default, 500.0),
])
def test_a_knob_lands_where_it_says(scenario, knob, read, want):
    edited = edit_scenario(scenario, (knob,))
    assert read(edited) == want
    assert edited.name == load_scenario(scenario).name


def test_a_scenario_from_nothing():
    made = edit_scenario("blank", ("+withholding_tax.rate=30%", "+withholding_tax.overrides=treaties,portfolio_interest",
                                   "+foreign_selling.share=0.1", "+foreign_selling.holders=Japan", "horizon=52w"))
    tax, sale = made.shocks
    assert isinstance(tax, WithholdingTax) and tax.overrides == ("treaties", "portfolio_interest")
    assert isinstance(sale, ForeignSelling) and sale.holders == ("Japan",)
    assert edit_scenario(made, ("foreign_selling.share=0.2",)).shocks[1].share.default == 0.2


@pytest.mark.parametrize(("knob", "wanted"), [
    ("withholding_tax.rate=30", "write 0.30"), ("withholding_tax.rate=-0.1", "rate from 0 to 1"),
    ("withholding_tax.rat=0.3", "rate"), ("witholding_tax.rate=0.3", "1 (withholding_tax)"),
    ("3.rate=0.3", "1 (withholding_tax)"), ("rate=0.3", "withholding_tax.rate"), ("withholding_tax=0.3", "rate"),
    ("withholding_tax.rate", "shock.field=value"), ("withholding_tax.rate=", "missing"), ("", "shock.field=value"),
    ("withholding_tax.rate=abc", "number"), ("withholding_tax.rate=nan", "finite"),
    ("withholding_tax.holders=Atlantis", "unknown holder"), ("withholding_tax.classes=gold", "unknown asset class"),
    ("withholding_tax.rate=0.3\nhorizon={days=1}", "cannot be read"), ("horizon=100y", "80 years"),
    ("probability=1.5", "probability from 0 to 1"), ("user_fee.rate=0.1", "+user_fee"), ("+magic.rate=1", "unknown shock"),
    ("withholding_tax.type=user_fee", "cannot be set"), ("title=x", "horizon"),
    ("withholding_tax.rate=" + "[" * 5000, "cannot be read"),
])
def test_a_wrong_knob_is_refused_with_what_is_accepted(knob, wanted):
    with pytest.raises(InputError) as refused:
        edit_scenario(TAX, (knob,))
    assert wanted in str(refused.value)


def test_all_wrong_knobs_at_once_and_the_file_is_named():
    with pytest.raises(InputError) as refused:
        edit_scenario(TAX, ("rate=1", "9.rate=1"))
    assert len(refused.value.problems) == 2
    with pytest.raises(InputError, match="unknown scenario"):
        edit_scenario("no_such_thing", ("horizon=3w",))
