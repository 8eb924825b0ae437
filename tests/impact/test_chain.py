"""The chain: zeros, linearity, the ledger for every draw, channels, floors, targets, imposed prices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from chain_fixtures import K, plain_model, scenario

from riskengine.base.axes import FACTORS, KEY_RATES
from riskengine.base.errors import InputError
from riskengine.base.estimate import Distribution
from riskengine.policy import shocks as policy
from riskengine.policy.shocks import (
    ConditionalStress, CurrencyAccord, DollarDepreciation, FactorShock, ForeignSelling, HedgeRatio,
    HistoricalReplay, InflowSlowdown, OwnershipCap, PolicyRatePath, PurchaseTax, Schedule, Tariff, UserFee,
    WithholdingTax,
)

N = Distribution
CHINA, DEBT = "China, Mainland", ("treasury", "agency", "corporate")
DATES = np.arange("2020-01-01", "2021-01-01", dtype="datetime64[D]")
HISTORY = {"FX_EUR": (DATES, np.linspace(0.0, 0.366, DATES.size)),
           "UST_10Y": (DATES, np.linspace(0.02, 0.01, DATES.size))}
ONE_OF_EACH = {
    "WithholdingTax": WithholdingTax(N(0.3), overrides=("treaties", "portfolio_interest", "section_892"),
                                     substitute=("corporate",)),
    "UserFee": UserFee(N(0.2, 0.1, 0.3, "normal")),
    "PurchaseTax": PurchaseTax(N(0.01)),
    "OwnershipCap": OwnershipCap(N(0.2)),
    "ForeignSelling": ForeignSelling(amount=N(500.0, 300.0, 900.0, "lognormal2"), holders=("Japan", CHINA)),
    "InflowSlowdown": InflowSlowdown(N(0.5), schedule=Schedule("half_life", 0.5)),
    "HedgeRatio": HedgeRatio(N(0.05)),
    "CurrencyAccord": CurrencyAccord((("CNY", N(0.15)), ("JPY", N(0.10))), (("Japan", 50.0),),
                                     N(0.6)),
    "DollarDepreciation": DollarDepreciation(N(0.1)),
    "Tariff": Tariff(N(0.1)),
    "PolicyRatePath": PolicyRatePath((("2Y", N(-100.0)), ("10Y", N(-40.0)))),
    "FactorShock": FactorShock("EQ_SP500", N(-0.2)),
    "HistoricalReplay": HistoricalReplay("2020-02-03", "2020-06-01"),
    "ConditionalStress": ConditionalStress((("UST_10Y", 0.01), ("EQ_SP500", -0.1))),
}
FLOW_SHOCKS = tuple(ONE_OF_EACH)[:10]


def run(chain, *shocks, draws=None, **fields):
    return chain.run(scenario(*shocks, **fields), draws, history=HISTORY)


def test_a_case_for_every_shock():
    assert set(ONE_OF_EACH) == {s.__name__ for s in policy.Shock.__args__}


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("announced", [False, True])
def test_every_shock_balances_adds_up_and_moves_something(chain, name, announced):
    draws = chain.few if not announced else replace(
        chain.few, settings=replace(chain.few.settings, announcement=True, rate_differentials=True))
    result = run(chain, ONE_OF_EACH[name], draws=draws, probability=0.5, risk_off=True)
    response = result.response
    assert result.ledger.max_imbalance() <= 1e-9
    assert np.abs(response.by_channel.sum(axis=0) - response.path[:, -1]).max() <= 1e-12
    assert np.isfinite(response.path).all() and response.path.any()
    assert not response.path[:, :, ~response.core].any()
    assert response.path.shape == (16, 52, K) and result.chain.broad_dollar.shape == (16, 52)
    if name in FLOW_SHOCKS:
        assert result.ledger.lines.any()


def test_no_shocks_give_exact_zeros(chain):
    result = run(chain, draws=chain.draws)
    assert not result.response.path.any() and not result.response.by_channel.any()
    assert not result.ledger.lines.any() and result.flags == ()
    assert not result.chain.dollars_out.any() and result.chain.absorbers == ()


def test_doubling_a_given_order_doubles_the_linear_impact(chain):
    one, two = (run(chain, ForeignSelling(amount=N(x), classes=("treasury", "equity"))) for x in (200.0, 400.0))
    for name in ("gross_orders", "dollars_out", "broad_dollar", "treasury_flow", "equity_index",
                 "current_account_change"):
        assert getattr(two.chain, name) == pytest.approx(2 * getattr(one.chain, name), rel=1e-9, abs=1e-12)
    linear = [k for k, label in enumerate(FACTORS.labels) if not label.startswith(("CAP", "HOME"))]
    assert two.response.path[:, :, linear] == pytest.approx(2 * one.response.path[:, :, linear], rel=1e-9, abs=1e-14)
    assert two.ledger.lines == pytest.approx(2 * one.ledger.lines, abs=1e-9)


def test_todays_withholding_law_moves_nothing(chain):
    for shock in (WithholdingTax(N(0.3)), WithholdingTax(N(0.1), overrides=("portfolio_interest",), holders=("Japan",))):
        result = run(chain, shock)
        assert not result.response.path.any() and not result.ledger.lines.any()


def test_long_run_price_fall_never_exceeds_the_largest_wedge(chain):
    tax = WithholdingTax(N(0.3), overrides=("treaties", "portfolio_interest", "section_892"))
    values = dict(chain.few.values)
    values["equity_multiplier"] = np.full(16, 40.0)  # far steeper than any estimate
    values["ust_impact_per_1pct_outstanding"] = np.full(16, 400.0)
    result = run(chain, tax, draws=replace(chain.few, values=values), steps=520)
    fall = 6 * result.chain.treasury_flow[:, -1, list(KEY_RATES).index("10Y")]
    assert (fall <= 0.3 * 0.0425 * 6 * 1.0001).all() and (fall > 0).all()
    k = FACTORS.index("EQ_SP500")
    flow = result.response.by_channel[result.response.channels.index("flow")][:, k]
    assert (-flow <= 0.3 * 0.013 * values["equity_duration"] * 1.0001).all() and (flow < 0).all()


def test_who_absorbs(chain):
    china = run(chain, ForeignSelling(share=N(1.0), classes=("treasury",), holders=(CHINA,)))
    buyers = dict(china.chain.absorbers)
    assert buyers["US residents"] > buyers["United Kingdom"] > buyers["Belgium"] > 0
    assert CHINA not in buyers or buyers[CHINA] < 0  # the seller is no absorber; he buys what he keeps elsewhere
    ledger = china.ledger
    total = {n: ledger.lines[:, :, i].sum(axis=1) for i, n in enumerate(ledger.names) if "memo" != ledger.identity[i]}
    assert total["treasury: sellers"] == pytest.approx(-608.5)
    foreigners, residents = total["treasury: other foreigners"], total["treasury: US residents"]
    assert foreigners + residents == pytest.approx(608.5) and (foreigners > 100).all() and (residents > foreigners).all()
    everybody = run(chain, ForeignSelling(share=N(0.1)))
    assert everybody.chain.net_outflow == pytest.approx(everybody.chain.gross_orders)  # all foreigners sell: US share 1


def test_nobody_sells_more_than_he_holds(chain):
    result = run(chain, ForeignSelling(amount=N(5000.0), holders=("Japan",)))
    japan = chain.accounts.holdings[chain.accounts.holders.index("Japan")].sum()
    assert result.chain.gross_orders[:, -1] == pytest.approx(-japan)
    assert any("exhausted" in flag for flag in result.flags)
    twice = run(chain, ForeignSelling(share=N(0.7), holders=("Japan",)), ForeignSelling(share=N(0.7), holders=("Japan",)))
    assert twice.chain.gross_orders[:, -1] == pytest.approx(-japan)


def test_use_of_proceeds(chain):
    def out(use):
        shock = ForeignSelling(share=N(1.0), classes=("treasury",), holders=(CHINA,), use_of_proceeds=use)
        return run(chain, shock)

    assert not out("other_us").chain.dollars_out.any() and not out("deposits").chain.dollars_out.any()
    away, usual, defend = (out(u).chain.dollars_out[:, -1] for u in ("abroad", "default", "defend"))
    assert (away > usual).all() and (usual > defend).all() and (defend > 0).all()
    # a purchase of other US classes lifts them
    assert (out("other_us").chain.equity_index[:, -1] > out("deposits").chain.equity_index[:, -1]).all()
    assert out("other_us").chain.gross_orders[:, -1] == pytest.approx(0, abs=1e-9)


def test_migration_is_a_line_of_its_own(chain):
    tax = WithholdingTax(N(0.3), ("corporate",), overrides=("portfolio_interest",))
    plain, moved = run(chain, tax), run(chain, replace(tax, substitute=("corporate",)))
    assert moved.chain.dollars_out == pytest.approx(plain.chain.dollars_out)
    assert moved.response.path == pytest.approx(plain.response.path)
    names = moved.ledger.names
    i, j = names.index("corporate: holders that migrate"), names.index("corporate: sellers")
    ratio = moved.ledger.lines[:, :, i].sum(axis=1) / moved.ledger.lines[:, :, j].sum(axis=1)
    assert ratio == pytest.approx(2.0) and any("reprices" in flag for flag in moved.flags)


def test_tax_revenue_is_income(chain):
    result = run(chain, UserFee(N(0.2)))
    income = [i for i, kind in enumerate(result.ledger.identity) if kind == "income"]
    paid = result.ledger.lines[:, :, income[0]].sum(axis=1)
    most = 0.2 * 0.0425 * chain.accounts.official[:, 0].sum()
    assert (paid < most).all() and (paid > 0.85 * most).all()


def test_tenor_profile_and_dealer_stress(chain):
    sale = ForeignSelling(share=N(0.05), classes=("treasury",), schedule=Schedule("abrupt"))
    calm, stressed, off = run(chain, sale), run(chain, sale, risk_off=True), run(chain, sale, flow_channel=False)
    at = {t: calm.chain.treasury_flow[:, 0, j] for j, t in enumerate(KEY_RATES)}
    assert at["3M"] == pytest.approx(0.1 * at["10Y"]) and at["30Y"] == pytest.approx(0.8 * at["10Y"])
    assert at["5Y"] == pytest.approx(at["10Y"]) and (at["2Y"] < at["3Y"]).all()
    ratio = stressed.chain.treasury_flow[:, 0, 7] / calm.chain.treasury_flow[:, 0, 7]
    assert ratio == pytest.approx(chain.few["dealer_impaired_multiplier"])  # impact part
    late = stressed.chain.treasury_flow[:, -1, 7] / calm.chain.treasury_flow[:, -1, 7]
    assert (np.abs(late - 1) < np.abs(ratio - 1)).all()  # the long run is not multiplied
    assert not off.chain.treasury_flow.any() and off.chain.dollars_out == pytest.approx(calm.chain.dollars_out)
    # 20 bp per 1% of outstanding at once, private orders weigh half
    fixed = chain.few
    values = {n: np.full(16, float(chain.parameters[n].default)) for n in fixed.values}
    base = run(chain, sale, draws=replace(fixed, values=values))
    held = chain.accounts.by_sector[:, :, 0].sum(axis=1)
    weighted = 0.05 * (0.5 * held[0] + held[1]) / chain.accounts.capitalisation[0]
    assert base.chain.treasury_flow[:, 0, 7] == pytest.approx(0.20 * weighted, rel=1e-9)


def test_accord_pins_its_currencies_and_needs_official_sales(chain):
    accord = CurrencyAccord((("CNY", N(0.15)), ("JPY", N(0.10))))
    result = run(chain, accord)
    end = dict(zip(FACTORS.labels, result.response.path[:, -1].T, strict=True))
    assert end["FX_CNY"] == pytest.approx(np.log(1.15)) and end["FX_JPY"] == pytest.approx(np.log(1.10))
    assert (end["FX_HKD"] == 0).all()
    assert result.response.pinned.nonzero()[0].tolist() == [FACTORS.index("FX_CNY"), FACTORS.index("FX_JPY")]
    weights = chain.parameters.settings.index_weights
    total = sum(w * end[f"FX_{c}"] for c, w in weights.items())
    assert total == pytest.approx(result.chain.broad_dollar[:, -1], rel=1e-12)
    sellers = {h for h, row in zip(result.chain.holders, result.chain.holder_orders[:, :, 0], strict=True) if row.any()}
    assert sellers == {CHINA, "Japan"}
    more = run(chain, replace(accord, commitments_usd_bn=(("Japan", 100.0),)))
    assert (more.chain.dollars_out[:, -1] > result.chain.dollars_out[:, -1] + 49).all()  # half of 100 in the year


def test_credibility_is_a_mixture(chain):
    accord = CurrencyAccord((("CNY", N(0.15)),), credibility=N(0.5))
    result = chain.run(scenario(accord), chain.method_draws)
    yuan = result.response.path[:, -1, FACTORS.index("FX_CNY")]
    assert set(np.round(np.unique(yuan), 9)) == {0.0, round(np.log(1.15), 9)}
    assert np.mean(yuan > 0) == pytest.approx(0.5, abs=0.03)
    assert not result.response.pinned.any()


def test_dollar_target_by_flow_and_by_sentiment(chain):
    flow, mood = (run(chain, DollarDepreciation(N(0.1), cause)) for cause in ("flow", "sentiment"))
    assert flow.chain.broad_dollar[:, -1] == pytest.approx(np.log(1.1))
    assert mood.chain.broad_dollar == pytest.approx(flow.chain.broad_dollar)
    assert (flow.chain.gross_orders[:, -1] < -500).all() and not mood.chain.gross_orders.any()
    assert not mood.chain.treasury_flow.any() and (flow.chain.treasury_flow[:, -1, 7] > 0).all()


def test_hedging_is_a_weak_dollar_with_firm_assets(chain):
    result = run(chain, HedgeRatio(N(0.05)))
    assert (result.chain.broad_dollar[:, -1] > 0.01).all()
    assert not result.chain.gross_orders.any() and not result.chain.treasury_flow.any()


def test_tariff_has_two_humps(chain):
    result = chain.run(scenario(Tariff(N(0.1))), chain.method_draws)
    s = result.chain.broad_dollar[:, -1]
    assert 0.3 < np.mean(s < 0) < 0.7 and set(np.round(result.chain.dollars_out[:, -1])) == {-200.0, 300.0}
    none = run(chain, Tariff(N(0.0)))
    assert not none.response.path.any()


def test_saving_less_investment_is_the_current_account(chain):
    c = run(chain, ForeignSelling(share=N(0.1)), steps=156).chain
    assert c.saving_change - c.investment_change == pytest.approx(c.current_account_change, abs=1e-9)
    assert c.saving_by_sector.sum(axis=0) == pytest.approx(c.saving_change, abs=1e-9)
    end = c.current_account_change[:, -1]
    assert c.investment_change[:, -1] == pytest.approx(-0.3 * end)
    assert c.investment_change[:, 40] == pytest.approx(-0.7 * c.current_account_change[:, 40])


def test_announcement_moves_prices_before_flows(chain):
    sale = InflowSlowdown(N(0.5))
    ahead = replace(chain.few, settings=replace(chain.few.settings, announcement=True))
    path, price = run(chain, sale), run(chain, sale, draws=ahead)
    half = run(chain, sale, draws=ahead, probability=0.5)
    believed = chain.few["announcement_share"] > 0
    assert (price.chain.broad_dollar[believed, 0] > path.chain.broad_dollar[believed, 0]).all()
    gain = price.chain.broad_dollar - path.chain.broad_dollar
    assert half.chain.broad_dollar - path.chain.broad_dollar == pytest.approx(0.5 * gain)
    longer = run(chain, sale, steps=104)
    later = longer.chain.broad_dollar[:, 52:].mean(axis=0)
    a = chain.few["announcement_share"][:, None]
    assert price.chain.broad_dollar == pytest.approx((1 - a) * path.chain.broad_dollar + a * later)
    assert price.chain.dollars_out == pytest.approx(path.chain.dollars_out)  # flows are what they are
    assert run(chain, sale, draws=ahead, announcement=False).chain.broad_dollar == pytest.approx(
        path.chain.broad_dollar)


def test_rate_differentials_move_the_dollar(chain):
    cut = PolicyRatePath((("2Y", N(-100.0)),))
    on = replace(chain.few, settings=replace(chain.few.settings, rate_differentials=True))
    off_result, on_result = run(chain, cut), run(chain, cut, draws=on)
    assert not off_result.chain.broad_dollar.any()
    expected = chain.few["rho_broad_per_100bp_2y"] / 100 / (
        1 + chain.few["rho_broad_per_100bp_2y"] * chain.few["path_2y_per_1pct_depreciation"] / 100)
    assert on_result.chain.broad_dollar[:, 0] == pytest.approx(expected)
    two, ten = list(KEY_RATES).index("2Y"), list(KEY_RATES).index("10Y")
    curve = off_result.chain.treasury_path[:, -1]
    assert curve[:, two] == pytest.approx(-0.01) and np.median(curve[:, ten]) == pytest.approx(-0.0087, rel=0.05)


def test_factor_shock_pins_and_replaces(chain):
    k = FACTORS.index("EQ_SP500")
    result = run(chain, ForeignSelling(share=N(0.1)), FactorShock("EQ_SP500", N(-0.2)), FactorShock("VOL_EQUITY", N(0.5)))
    assert (result.response.path[:, :, k] == -0.2).all() and result.response.pinned[k]
    imposed = result.response.by_channel[result.response.channels.index("imposed")]
    assert (imposed[:, k] == -0.2).all() and imposed[:, FACTORS.index("VOL_EQUITY")] == pytest.approx(0.5)
    assert result.response.path[:, -1, FACTORS.index("UST_10Y")].all()
    with pytest.raises(InputError, match="twice"):
        run(chain, FactorShock("EQ_SP500", N(-0.2)), FactorShock("EQ_SP500", N(-0.1)))


def correlated_model():
    model = plain_model()
    correlation = np.eye(K)
    i, j = FACTORS.index("UST_10Y"), FACTORS.index("VOL_EQUITY")
    correlation[i, j] = correlation[j, i] = -0.5
    return replace(model, correlation=correlation, vol_now=model.vol_now * 2, vol_long_run=model.vol_long_run * 2)


def test_conditional_stress_and_replay(chain):
    k, v = FACTORS.index("UST_10Y"), FACTORS.index("VOL_EQUITY")
    stress = scenario(ConditionalStress((("UST_10Y", 0.01),)))
    result = chain.run(stress, model=correlated_model())
    assert (result.response.path[:, -1, k] == 0.01).all()
    assert result.response.path[:, -1, v] == pytest.approx(-0.5 * 0.01) and result.response.core.all()
    assert result.response.pinned.sum() == 1
    replay = scenario(HistoricalReplay("2020-02-03", "2020-06-01"), steps=17)
    again = chain.run(replay, history=HISTORY)
    days = 119
    assert again.response.path[:, -1, FACTORS.index("FX_EUR")] == pytest.approx(0.366 / 365 * days)
    assert again.response.pinned.sum() == 2
    with pytest.raises(InputError, match="history"):
        chain.run(replay)
    with pytest.raises(InputError, match="alone"):
        run(chain, HistoricalReplay("2020-02-03", "2020-06-01"), UserFee(N(0.2)))


def test_two_targets_for_the_dollar_are_refused(chain):
    with pytest.raises(InputError, match="one target"):
        run(chain, DollarDepreciation(N(0.1)), CurrencyAccord((("CNY", N(0.1)),)))


def test_too_many_uncertain_numbers_are_refused(chain):
    shock = ForeignSelling(share=N(0.1, 0.05, 0.2, "normal"))
    with pytest.raises(InputError, match="uncertain"):
        run(chain, *([shock] * 9))


def test_step_length_changes_little(chain):
    """Daily and weekly grids sample the same continuous response (20 business days = 4 weeks)."""
    tax = WithholdingTax(N(0.3), overrides=("treaties", "portfolio_interest", "section_892"))
    week, day = run(chain, tax, steps=4), run(chain, tax, steps=20, step_days=1)
    assert day.chain.dollars_out[:, -1] == pytest.approx(week.chain.dollars_out[:, -1], rel=0.02)
    assert day.chain.broad_dollar[:, -1] == pytest.approx(week.chain.broad_dollar[:, -1], rel=0.02)
