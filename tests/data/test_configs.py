"""Scenario files at the door: shipped ones are sound, malformed ones are answered with their place."""

from __future__ import annotations

import pytest

from riskengine.base.errors import InputError
from riskengine.base.estimate import Distribution
from riskengine.base.units import Horizon
from riskengine.data.configs import (
    accepted_holders, check_scenario, config_root, list_scenarios, load_scenario,
)
from riskengine.data.configs.fields import HOLDER_GROUPS
from riskengine.policy import shocks as policy

NAMES = """withholding_tax_30_todays_exemptions withholding_tax_30_interest withholding_tax_30_no_exemptions
user_fee_official purchase_tax_1pct ownership_cap_treasuries_20 exodus_10pct inflow_slowdown
china_sells_treasuries mar_a_lago_accord unilateral_restrictions dollar_minus_10 tariffs fed_response
japan_repatriates""".split()

HEAD = """title = "A test"
narrative = "Somebody does something."
source = "assumption"
horizon = { months = 12 }
"""  # four lines: the shock's header stands on line 5, its type on line 6, its first key on line 7


def problems(tmp_path: Path, text: str, name: str = "a_test") -> list:
    file = tmp_path / f"{name}.toml"
    file.write_text(text, encoding="utf-8")
    scenario, found = check_scenario(file)
    assert (scenario is None) == bool(found)
    assert all(p.file == str(file) for p in found)
    return found


def shock(kind: str, *lines: str) -> str:
    return HEAD + f'[[shocks]]\ntype = "{kind}"\n' + "\n".join(lines) + "\n"


# -- shipped files -----------------------------------------------------------------------------------------

def test_the_promised_scenarios_are_shipped_and_no_file_is_broken():
    assert set(NAMES) <= set(list_scenarios())
    loaded = [load_scenario(name) for name in list_scenarios()]
    replays = [s for s in loaded if any(isinstance(x, policy.HistoricalReplay) for x in s.shocks)]
    assert len(replays) >= 4
    assert any(isinstance(x, policy.ConditionalStress) for s in loaded for x in s.shocks)


@pytest.mark.parametrize("name", list_scenarios())
def test_a_shipped_scenario_says_what_it_is(name):
    scenario = load_scenario(name)
    assert scenario.name == name
    assert 2 <= len([s for s in scenario.narrative.replace("Section", "").split(". ") if s]) <= 5
    assert "nknowable" in scenario.narrative or "never happened" in scenario.narrative
    if name in NAMES:
        assert scenario.horizon == Horizon(52, 5)
    if scenario.probability < 1:
        assert "assumption" in scenario.source  # the mark travels with the scenario into every report


def test_sizes_of_the_method_page():
    def only(name: str) -> policy.Shock:
        (one,) = load_scenario(name).shocks
        return one

    everything = ("treasury", "agency", "corporate", "equity")
    tax = only("withholding_tax_30_todays_exemptions")
    assert tax.rate.default == 0.30 and tax.overrides == () and tax.classes == everything
    tax = only("withholding_tax_30_interest")
    assert tax.overrides == ("portfolio_interest",) and "equity" not in tax.classes
    tax = only("withholding_tax_30_no_exemptions")
    assert set(tax.overrides) == {"treaties", "portfolio_interest", "section_892"}
    assert tax.classes == everything
    assert only("user_fee_official").rate.default == 0.20
    assert only("purchase_tax_1pct").rate.default == 0.01
    cap = only("ownership_cap_treasuries_20")
    assert (cap.limit.default, cap.asset_class, cap.deadline_years) == (0.20, "treasury", 2.0)
    sale = only("exodus_10pct")
    assert sale.share.default == 0.10 and sale.schedule == policy.Schedule("linear", 0.25)
    assert only("inflow_slowdown").share.default == 0.50
    sale = only("china_sells_treasuries")
    assert (sale.holders, sale.share.default, sale.classes) == (("China, Mainland",), 1.0, ("treasury",))
    accord = only("mar_a_lago_accord")
    assert {c: d.default for c, d in accord.targets} == {"CNY": 0.15, "JPY": 0.10, "KRW": 0.10, "TWD": 0.10}
    assert accord.schedule == policy.Schedule("linear", 1.0)
    assert all(x.schedule.kind == "abrupt" for x in load_scenario("unilateral_restrictions").shocks)
    assert only("dollar_minus_10").percent.default == 0.10
    assert only("tariffs").regime == "mixture"
    assert load_scenario("fed_response").shocks[0] == only("exodus_10pct")
    assert load_scenario("dash_for_cash_2020").horizon == Horizon(8, 1)


# -- units and time ----------------------------------------------------------------------------------------

@pytest.mark.parametrize(("written", "expected"), [
    ("{ months = 12 }", Horizon(52, 5)), ("{ years = 3 }", Horizon(156, 5)),

        ("{ weeks = 39 }", Horizon(39, 5)), ("{ months = 3 }", Horizon(13, 5)),
    ("{ days = 10 }", Horizon(10, 1)), ("{ days = 20 }", Horizon(20, 1)),
    ("{ weeks = 2 }", Horizon(2, 5)),
])
def test_horizons(tmp_path, written, expected):
    file = tmp_path / "a.toml"
    file.write_text(HEAD.replace("{ months = 12 }", written), encoding="utf-8")
    assert load_scenario(file).horizon == expected


def test_a_number_may_be_a_distribution_and_groups_stand_for_areas(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text(shock(
        "foreign_selling", 'share = { default = 0.2, lo = 0.1, hi = 0.4, dist = "lognormal2", source = "s" }',
        'holders = ["europe"]',
        'schedule = { kind = "half_life", over = { months = 6 }, start = { weeks = 13 } }',
    ), encoding="utf-8")
    (sale,) = load_scenario(file).shocks
    assert sale.share == Distribution(0.2, 0.1, 0.4, "lognormal2", "share of holdings", "s")
    assert sale.amount is None and "Germany" in sale.holders and "Japan" not in sale.holders
    assert sale.schedule == policy.Schedule("half_life", 0.5, 0.25)


def test_defaults_are_those_of_the_shock(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text(shock("inflow_slowdown", "share = 0.5"), encoding="utf-8")
    (got,) = load_scenario(file).shocks
    plain = policy.InflowSlowdown(got.share)
    assert got == plain
    file.write_text(shock("foreign_selling", "share = 0.5"), encoding="utf-8")
    (got,) = load_scenario(file).shocks
    assert got == policy.ForeignSelling(share=got.share)
    file.write_text(shock("withholding_tax", "rate = 0.3"), encoding="utf-8")
    (got,) = load_scenario(file).shocks
    assert got == policy.WithholdingTax(got.rate)


# -- malformed files: (shock or head, line, field, words of the rule or of the accepted values) -------------

BAD_SHOCKS = [
    (("withholding_tax", "rate = 30"), 7, "shocks[1].rate", ["30 looks like percent: write 0.30"]),
    (("purchase_tax", "rate = 1"), 7, "shocks[1].rate", ["1 looks like percent: write 0.01"]),
    (("withholding_tax", "rate = -0.3"), 7, "shocks[1].rate", ["out of range", "-0.3", "from 0 to 1"]),
    (("withholding_tax", 'rate = "30%"'), 7, "shocks[1].rate", ["must be a number", "'30%'"]),
    (("withholding_tax", "rate = true"), 7, "shocks[1].rate", ["must be a number"]),
    (("withholding_tax", "rate = nan"), 7, "shocks[1].rate", ["finite"]),
    (("withholding_tax", "rate = inf"), 7, "shocks[1].rate", ["finite"]),
    (("withholding_tax", "rate_percent = 30"), 7, "shocks[1].rate_percent", ["unknown key", "rate = 0.30"]),
    (("withholding_tax", "rates = 0.3"), 7, "shocks[1].rates", ["unknown key", "rate", "holders"]),
    (("withholding_tax",), 5, "shocks[1].rate", ["is missing"]),
    (("withholding_tax", "rate = 0.3", 'holders = ["Chna"]'), 8, "shocks[1].holders[1]",
     ["unknown holder 'Chna'", "China, Mainland", "Japan", "all"]),
    (("withholding_tax", "rate = 0.3", 'holders = ["Grand Total"]'), 8, "shocks[1].holders[1]",
     ["unknown holder"]),
    (("withholding_tax", "rate = 0.3", 'holders = ["all", "Japan"]'), 8, "shocks[1].holders",
     ["stands alone"]),
    (("withholding_tax", "rate = 0.3", 'holders = ["asia", "Japan"]'), 8, "shocks[1].holders",
     ["named twice: Japan"]),
    (("withholding_tax", "rate = 0.3", "holders = []"), 8, "shocks[1].holders", ["empty list"]),
    (("withholding_tax", "rate = 0.3", 'holders = "Japan"'), 8, "shocks[1].holders", ["must be a list"]),
    (("withholding_tax", "rate = 0.3", 'classes = ["treasuries"]'), 8, "shocks[1].classes[1]",
     ["unknown asset class", "treasury, agency, corporate, equity"]),
    (("withholding_tax", "rate = 0.3", 'overrides = ["s892"]'), 8, "shocks[1].overrides[1]", ["section_892"]),
    (("withholding_tax", "rate = 0.3", "grandfathered = 1"), 8, "shocks[1].grandfathered", ["true or false"]),
    (("withholding_tax", "rate = 0.3", 'schedule = { kind = "linear" }'), 8, "shocks[1].schedule",
     ["needs its duration", "over = { months = 12 }"]),
    (("withholding_tax", "rate = 0.3", 'schedule = { kind = "slow", over = { months = 3 } }'), 8,
     "shocks[1].schedule.kind", ["unknown schedule 'slow'", "abrupt, linear, half_life"]),

        (("withholding_tax", "rate = 0.3", 'schedule = { kind = "linear", over = 12 }'), 8,
     "shocks[1].schedule.over",
     ["must be a table"]),
    (("withholding_tax", "rate = 0.3", 'schedule = { kind = "linear", over = { month = 3 } }'), 8,
     "shocks[1].schedule.over.month", ["unknown key", "months"]),

        (("withholding_tax", "rate = { default = 0.3, lo = 0.1, hi = 0.2, dist = \"normal\" }"), 7,
     "shocks[1].rate",
     ["lo ≤ default ≤ hi"]),
    (("withholding_tax", "rate = { default = 0.3, lo = 0.1, hi = 0.5 }"), 7, "shocks[1].rate",
     ["need a distribution", "lognormal2"]),

        (("withholding_tax", "rate = { default = 0.3, lo = 0.1, hi = 45, dist = \"normal\" }"), 7,
     "shocks[1].rate",
     ["45 looks like percent: write 0.45"]),
    (("withholding_tax", "rate = { default = 0.3, low = 0.1 }"), 7, "shocks[1].rate.low",
     ["unknown key", "lo"]),
    (("foreign_selling", 'holders = ["Japan"]'), 5, "shocks[1]", ["exactly one size", "amount_usd_bn = 500"]),
    (("foreign_selling", "share = 0.1", "amount = 500"), 8, "shocks[1].amount",
     ["unknown key", "amount_usd_bn"]),
    (("foreign_selling", "amount_usd_bn = 5e11"), 7, "shocks[1].amount_usd_bn",
     ["looks like USD: write 500"]),
    (("foreign_selling", "amount_usd_bn = 500000"), 7, "shocks[1].amount_usd_bn",
     ["looks like USD mn: write 500"]),
    (("foreign_selling", "amount_usd_bn = -5"), 7, "shocks[1].amount_usd_bn", ["must be positive"]),
    (("foreign_selling", "share = 10"), 7, "shocks[1].share", ["10 looks like percent: write 0.10"]),
    (("foreign_selling", "share = 0.1", 'use_of_proceeds = "home"'), 8, "shocks[1].use_of_proceeds",
     ["abroad", "other_us", "deposits", "defend"]),
    (("ownership_cap", "limit = 20"), 7, "shocks[1].limit", ["write 0.20"]),
    (("ownership_cap", "limit = 0.2", "deadline = { days = 0 }"), 5, "shocks[1]", ["must lie ahead"]),
    (("currency_accord", "targets = { CNX = 0.15 }"), 7, "shocks[1].targets.CNX",
     ["unknown currency 'CNX'", "CNY"]),
    (("currency_accord", "targets = { CNY = 15 }"), 7, "shocks[1].targets.CNY",
     ["15 looks like percent: write 0.15"]),
    (("currency_accord", "targets = { CNY = 0.15 }", "commitments_usd_bn = { Atlantis = 5 }"), 8,
     "shocks[1].commitments_usd_bn.Atlantis", ["unknown currency or holder 'Atlantis'"]),
    (("dollar_depreciation", "fall = 0.1", "percent = 10"), 8, "shocks[1].percent", ["unknown key", "fall"]),
    (("dollar_depreciation", "fall = 10"), 7, "shocks[1].fall", ["write 0.10"]),
    (("tariff", "rate = 10"), 7, "shocks[1].rate", ["10 looks like percent: write 0.10"]),
    (("policy_rate_path", 'bp = { "2Y" = -0.0075 }'), 7, "shocks[1].bp.2Y", ["write -75"]),
    (("policy_rate_path", 'bp = { "4Y" = -75 }'), 7, "shocks[1].bp.4Y", ["unknown tenor '4Y'", "5Y"]),
    (("policy_rate_path", "bp = {}"), 5, "shocks[1]", ["at least one tenor"]),
    (("factor_shock", 'factor = "UST_10"', "move = 0.01"), 7, "shocks[1].factor",
     ["unknown factor", "UST_10Y"]),
    (("factor_shock", 'factor = "UST_10Y"', "move = 100"), 5, "shocks[1]", ["basis points: write 0.01"]),
    (("factor_shock", 'factor = "UST_10Y"', "move = 1"), 5, "shocks[1]", ["percentage points: write 0.01"]),
    (("factor_shock", 'factor = "EQ_SP500"', "move = -20"), 5, "shocks[1]", ["write -0.223"]),
    (("historical_replay", "start = 2008-11-20", "end = 2008-09-12"), 5, "shocks[1]",
     ["start must lie before end"]),
    (("historical_replay", 'start = "12/09/2008"', "end = 2008-11-20"), 7, "shocks[1].start", ["YYYY-MM-DD"]),
    (("historical_replay", "start = 2008-02-30", "end = 2008-11-20"), 7, "", ["not valid TOML"]),
    (("conditional_stress", "moves = { EQ_SP501 = -0.2 }"), 7, "shocks[1].moves.EQ_SP501", ["EQ_SP500"]),
    (("WithholdingTax", "rate = 0.3"), 6, "shocks[1].type", ["unknown shock", "withholding_tax, "]),
]


@pytest.mark.parametrize(("lines", "row", "field", "words"), BAD_SHOCKS, ids=lambda x: str(x)[:60])
def test_a_malformed_shock_is_answered_with_place_and_accepted_values(tmp_path, lines, row, field, words):
    (problem,) = problems(tmp_path, shock(*lines))
    assert problem.field == field
    assert problem.row == row
    for word in words:
        assert word in str(problem), str(problem)


BAD_HEADS = [
    ("title = \"A test\"", "titel = \"A test\"", 1, "titel", ["unknown key", "title"]),
    ("horizon = { months = 12 }", "horizon = 12", 4, "horizon", ["must be a table"]),
    ("horizon = { months = 12 }", "horizon = { months = 12, days = 3 }", 4, "horizon", ["exactly one unit"]),
    ("horizon = { months = 12 }", "horizon = { days = 60 }", 4, "horizon", ["{ weeks = 12 }"]),
    ("horizon = { months = 12 }", "horizon = { years = 100 }", 4, "horizon", ["80 years"]),
    ("horizon = { months = 12 }", "horizon = { months = 0 }", 4, "horizon", ["shorter than a week"]),
    ("horizon = { months = 12 }", "horizon = { months = 12 }\nprobability = 10", 5, "probability",
     ["write 0.10"]),
    ("horizon = { months = 12 }", "horizon = { months = 12 }\nprobability = 0.1", None, "",
     ["probability_source"]),
    ("horizon = { months = 12 }", "horizon = { months = 12 }\n[[shock]]\ntype = \"tariff\"", 5, "shock",
     ["unknown key", "shocks"]),
    ("horizon = { months = 12 }", "horizon = { months = 12 }\n[shocks]\ntype = \"tariff\"", 5, "shocks",
     ["[[shocks]]"]),
    ("horizon = { months = 12 }", "horizon = { months = 12 }\nflow_channel = \"off\"", 5, "flow_channel",
     ["true or false"]),
    ("source = \"assumption\"", "source = \"\"", 3, "source", ["at least 1 character"]),
    ("title = \"A test\"", "title = A test", 1, "", ["not valid TOML"]),
]


@pytest.mark.parametrize(("old", "new", "row", "field", "words"), BAD_HEADS, ids=lambda x: str(x)[:50])
def test_a_malformed_head(tmp_path, old, new, row, field, words):
    (problem,) = problems(tmp_path, HEAD.replace(old, new))
    assert (problem.row, problem.field) == (row, field)
    for word in words:
        assert word in str(problem), str(problem)


def test_all_problems_of_a_file_come_at_once_in_its_order(tmp_path):
    text = shock("withholding_tax", "rate = 30", 'holders = ["Chna"]', "colour = 1") + (
        '[[shocks]]\ntype = "magic"\n[[shocks]]\nrate = 1\n[[shocks]]\ntype = "user_fee"\nrate = 20\n'
    )
    found = problems(tmp_path, "tittle = 1\n" + text, name="Bad-Name")
    assert [p.row for p in found] == sorted((p.row or 0) for p in found) or found[0].row is None
    assert {p.field for p in found} == {
        "", "tittle", "shocks[1].rate", "shocks[1].holders[1]", "shocks[1].colour", "shocks[2].type",
        "shocks[3].type", "shocks[4].rate",
    }
    (name,) = [p for p in found if p.field == ""]
    assert "file's name" in name.rule and name.accepted == "bad_name"
    with pytest.raises(InputError) as raised:
        load_scenario(tmp_path / "Bad-Name.toml")
    assert len(raised.value.problems) == 8


def test_lines_are_found_behind_multi_line_strings_comments_and_sub_tables(tmp_path):
    text = '''# a comment with rate = 3
title = "x"
narrative = """
rate = 5
[[shocks]]
"""
source = "s"  # horizon = {
horizon = { months = 12 }

[[shocks]]
type = "user_fee"
rate = 0.2

[[shocks]]
type = "currency_accord"
[shocks.targets]
JPY = 0.1
CNY = 15
'''
    (problem,) = problems(tmp_path, text)
    assert (problem.row, problem.field) == (18, "shocks[2].targets.CNY")


def test_an_unknown_name_and_an_unreadable_file(tmp_path):
    with pytest.raises(InputError, match="mar_a_lago_accord"):
        load_scenario("mar_a_lago")
    with pytest.raises(InputError, match="no such scenario file"):
        load_scenario(tmp_path / "none.toml")
    file = tmp_path / "a.toml"
    file.write_bytes(b"title = \"\xff\xfe\"")
    with pytest.raises(InputError, match="UTF-8"):
        load_scenario(file)
    file.write_text("x = " + "[" * 5000 + "]" * 5000)
    with pytest.raises(InputError, match="TOML"):
        load_scenario(file)
    file.write_text("x = " + "9" * 6000)
    with pytest.raises(InputError, match="TOML"):
        load_scenario(file)


def test_own_scenarios_go_before_the_shipped_ones(tmp_path):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "tariffs.toml").write_text(HEAD, encoding="utf-8")
    assert load_scenario("tariffs", beside=tmp_path).title == "A test"
    assert load_scenario("tariffs").title != "A test"
    assert set(list_scenarios(tmp_path)) == set(list_scenarios())


def test_holders_are_those_of_the_accounts_and_aliases_become_their_names(tmp_path):
    if not (config_root() / "holders.toml").is_file():
        pytest.skip("holders.toml is not there, so names are not checked at this door")
    holders = accepted_holders()
    assert {"all", "Rest", "Japan", "China, Mainland"} <= set(holders)
    assert not {"Grand Total", "All Countries", "Total Asia", "Memo: Euro Area"} & set(holders)
    for group in HOLDER_GROUPS.values():
        assert set(group) <= set(holders)
    file = tmp_path / "a.toml"
    file.write_text(shock("inflow_slowdown", "share = 0.5", 'holders = ["China", "Japan"]')
                    + '[[shocks]]\ntype = "tariff"\nrate = 0.1\npartners = ["China", "EUR"]\n')
    slowdown, tariff = load_scenario(file).shocks
    assert slowdown.holders == ("China, Mainland", "Japan")
    assert tariff.partners == ("China, Mainland", "EUR")
