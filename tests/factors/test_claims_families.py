"""Families of claims on invented worlds in which the truth is known: found when true, contradicted when
false."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from factors.claims import accounting, dollar, holders, property, saving, tariffs, wealth, yields
from factors.claims.assess import conclude
from factors.claims.series import Evidence, SeriesMissing, by_period, period_label, period_number

NIPA = saving.NIPA
Q0, QUARTERS, MONTHS = 1980, 180, 480


def month_ends(first: int, count: int) -> np.ndarray:
    months = np.datetime64(f"{first}-01", "M") + np.arange(1, count + 1)
    return months.astype("datetime64[D]") - 1


def quarter_ends(first: int, count: int) -> np.ndarray:
    return month_ends(first, 3 * count)[2::3]


def evidence(series: dict, tables: dict | None = None, weights: dict | None = None) -> Evidence:
    def read(name: str):
        if name not in series:
            raise SeriesMissing(name)
        return series[name]

    return Evidence("2024-12-31", read, weights or {}, tables or {})


def accounts(seed: int = 0, offset: float = -0.7, noise: float = 0.3) -> dict:
    """National accounts over 45 years in which Δ household = offset · Δ government + noise (% of GDP)."""
    rng = np.random.default_rng(seed)
    gdp = 3000.0 * 1.012 ** np.arange(QUARTERS)
    government = np.cumsum(rng.standard_normal(QUARTERS)) * 0.6
    household = offset * government + np.cumsum(noise * rng.standard_normal(QUARTERS))
    business = 10 + 0.2 * np.cumsum(rng.standard_normal(QUARTERS))
    investment = 17 + np.cumsum(0.4 * rng.standard_normal(QUARTERS))
    total = government + household + business
    ca = total - investment - 4 + 0.2 * rng.standard_normal(QUARTERS)
    share = {"GGSAVE": government, "PSAVE": household, "GPSAVE": household + business, "GSAVE": total,
             "GPDI": investment, "NETFI": ca}
    days = quarter_ends(Q0, QUARTERS)
    out = {NIPA + name: (days, values * gdp / 100) for name, values in share.items()}
    exports = np.round(0.10 * gdp, 3)
    imports = np.round(0.13 * gdp, 3)
    return out | {NIPA + "GDP": (days, gdp), NIPA + "GNP": (days, 1.005 * gdp),
                  NIPA + "EXPGS": (days, exports),
                  NIPA + "IMPGS": (days, imports), NIPA + "NETEXP": (days, np.round(exports - imports, 3))}


def only(draft):
    return conclude([draft])[0]


def test_an_offset_of_minus_seven_tenths_is_found():
    claims = [only(saving.sector_offset(evidence(accounts(seed=s, offset=-0.7)))) for s in range(1, 9)]
    assert all(c.verdict == "supported" for c in claims)
    assert np.mean([c.estimate.value for c in claims]) == pytest.approx(-0.7, abs=0.04)
    assert sum(c.estimate.low < -0.7 < c.estimate.high for c in claims) >= 6
    claim = claims[0]
    assert [what for what, _, _ in claim.without][-1] == "without 2020–21"


def test_an_offset_of_the_wrong_sign_is_contradicted_and_none_is_undecided():
    assert only(saving.sector_offset(evidence(accounts(offset=0.4)))).verdict == "contradicted"
    nothing = accounts(seed=4, offset=0.0, noise=1.5)
    assert only(saving.sector_offset(evidence(nothing))).verdict == "undecided"


def test_the_influential_quarter_is_named():
    series = accounts(seed=1, offset=0.0, noise=0.5)
    days, household = series[NIPA + "PSAVE"]
    _, government = series[NIPA + "GGSAVE"]
    at, gdp = 77, series[NIPA + "GDP"][1]
    household, government = household.copy(), government.copy()
    household[at:] += 0.15 * gdp[at:]
    government[at:] -= 0.15 * gdp[at:]
    claim = only(saving.sector_offset(evidence(series | {NIPA + "PSAVE": (days, household),
                                                         NIPA + "GGSAVE": (days, government)})))
    assert claim.influential == period_label(period_number(str(Q0), "Q") + at, "Q")
    assert claim.estimate.value < -0.5
    what, without, _ = claim.without[0]
    assert what == f"without {claim.influential}" and abs(without.value) < 0.15


def test_identities_hold_to_rounding_and_fail_beyond_it():
    series = accounts()
    assert only(accounting.balance_of_payments(evidence(series))).verdict == "identity holds"
    assert only(saving.saving_identity(evidence(series))).verdict == "identity holds"
    days, net = series[NIPA + "NETEXP"]
    wrong = net.copy()
    wrong[50] += 1.0
    claim = only(accounting.balance_of_payments(evidence(series | {NIPA + "NETEXP": (days, wrong)})))
    assert claim.verdict == "identity fails" and "1.000" in claim.reason


def korea(slope: float, seed: int = 1) -> dict:
    rng = np.random.default_rng(seed)
    bought = rng.standard_normal(QUARTERS) * 5
    monthly = np.repeat(bought / 3, 3)
    net = np.cumsum(slope * np.diff(np.r_[0, bought]) + 3 * rng.standard_normal(QUARTERS))
    return {holders.PREFIX + "korea_south": (month_ends(Q0, 3 * QUARTERS), 50 + np.cumsum(monthly)),
            NIPA + "NETEXP": (quarter_ends(Q0, QUARTERS), 4 * net)}


def test_a_purchase_that_moves_trade_one_for_one_is_found_and_one_that_does_not_is_contradicted():
    true, false = (only(accounting.korea(evidence(korea(s)))) for s in (-1.0, 0.0))
    assert true.verdict == "supported" and true.estimate.value == pytest.approx(-1, abs=0.25)
    assert false.verdict == "contradicted"


def bond_world(effect: float, seed: int = 2) -> Evidence:
    """Official purchases move the ACM premium by *effect* bp per 1% of outstanding; nothing else but noise
    does."""
    rng = np.random.default_rng(seed)
    days = month_ends(1984, 492)
    flow = 10 + 40 * rng.standard_normal(492)
    stock = np.full(492, 4000.0)
    premium = 100 + np.cumsum(effect * 100 * flow / stock + 0.8 * rng.standard_normal(492))
    path = np.cumsum(rng.standard_normal(492))
    series = {
        "tic.flows.official.treas_net": (days, 1e3 * flow),
        "acm.ACMY10": (days, (premium + path) / 100), "acm.ACMRNY10": (days, path / 100),
        "macro_monthly.UNRATE": (days, 5 + 0.1 * rng.standard_normal(492)),
        "macro_monthly.CPIAUCSL":
            (days, 100 * 1.002 ** np.arange(492) * (1 + 1e-4 * rng.standard_normal(492))),
    }
    sizes = [{"year": y, "treasury": 4000.0} for y in range(1980, 2025)]
    return evidence(series, {"market_sizes": sizes})


def test_a_flow_effect_of_eight_basis_points_refutes_that_flows_do_nothing():
    strong, none = (only(yields.flows_and_premium(bond_world(e))) for e in (-8.0, 0.0))
    assert strong.verdict == "contradicted"
    assert strong.estimate.value == pytest.approx(-8, abs=1) and strong.estimate.unit.startswith("bp per 1%")
    assert none.verdict == "supported"


def currencies(asia: float, others: float, seed: int = 3) -> Evidence:
    rng = np.random.default_rng(seed)
    days, n = month_ends(2005, 240), 240
    broad = 0.01 * rng.standard_normal(n)
    series = {"DTWEXBGS": (days, 100 * np.exp(np.cumsum(broad)))}
    for c in (*dollar.ASIA, *dollar.OTHERS, "CHF"):
        beta = asia if c in dollar.ASIA else others
        move = beta * broad + 0.01 * rng.standard_normal(n)
        series[f"fx_monthly.{c}"] = (days, np.exp(-np.cumsum(move)))
    return evidence(series)


def test_the_dollar_against_asia():
    found = only(dollar.asia_against_others(currencies(1.6, 0.8)))
    assert found.verdict == "supported" and found.estimate.value == pytest.approx(0.8, abs=0.15)
    assert only(dollar.asia_against_others(currencies(0.6, 1.4))).verdict == "contradicted"
    assert len(found.chart["rows"]) == len(dollar.ASIA) + len(dollar.OTHERS)


def tariff_world(move: float, seed: int = 6) -> Evidence:
    rng = np.random.default_rng(seed)
    days = np.arange(np.datetime64("2016-06-01"), np.datetime64("2020-06-01"))
    days = days[[date.fromisoformat(str(d)).weekday() < 5 for d in days]]
    step = 0.002 * rng.standard_normal(len(days))
    for d in tariffs.ESCALATIONS:
        step[np.searchsorted(days, np.datetime64(d))] += move
    return evidence({"DTWEXBGS": (days, 100 * np.exp(np.cumsum(step)))})


def test_announcements_against_placebo_dates():
    up, none, down = (only(tariffs.announcements(tariff_world(m))) for m in (0.01, 0.0, -0.01))
    assert (up.verdict, none.verdict, down.verdict) == ("supported", "undecided", "contradicted")
    assert up.estimate.value == pytest.approx(1.0, abs=0.35)


def cities(bend: float, seed: int = 8) -> Evidence:
    rng = np.random.default_rng(seed)
    days = month_ends(2000, 290)
    at = int(period_number(property.EVENT, "M") - period_number("2000", "M"))
    series = {}
    for name in (*property.GATEWAYS, *property.OTHERS):
        growth = np.full(290, 0.003) + 0.0005 * rng.standard_normal() + 0.001 * rng.standard_normal(290)
        if name in property.GATEWAYS:
            growth[at + 1:] += bend / 24
        series[f"case_shiller.{name}"] = (days, 100 * np.exp(np.cumsum(growth)))
    return evidence(series)


def test_gateway_cities_that_lose_momentum_are_seen():
    lost, same = only(property.gateways(cities(-0.10))), only(property.gateways(cities(0.0, seed=1)))
    assert lost.verdict == "supported" and lost.estimate.value == pytest.approx(-10, abs=2)
    assert same.verdict == "undecided"
    assert lost.estimate.n == len(property.GATEWAYS) + len(property.OTHERS)


def test_two_independent_trends_are_no_evidence():
    rng = np.random.default_rng(9)
    days, n = quarter_ends(Q0, QUARTERS), QUARTERS
    gdp = 3000 * 1.012 ** np.arange(n)
    ratio = 3.5 + 0.015 * np.arange(n) + 0.02 * rng.standard_normal(n).cumsum()
    months = month_ends(Q0 - 2, 3 * n + 24)
    series = {
        wealth.NET_WORTH: (days, ratio * gdp), wealth.DEFLATOR: (days, np.full(n, 100.0)),
        NIPA + "GDP": (days, gdp),
        NIPA + "NETFI": (days, -gdp * (0.01 + 0.03 * np.arange(n) / n + 0.003 * rng.standard_normal(n))),
        "rates_monthly.GS10": (months, 0.06 + 0.0005 * rng.standard_normal(len(months)).cumsum()),
        "macro_monthly.CPIAUCSL": (months, 100 * 1.0025 ** np.arange(len(months))),
    }
    claim = only(wealth.net_worth(evidence(series)))
    level = next(o for o in claim.others if o.label.startswith("levels"))
    assert level.value > 0.9, "the trap is set: levels fit very well"
    assert claim.verdict == "undecided"


def exit_of_china(offset: float, seed: int = 12) -> Evidence:
    rng = np.random.default_rng(seed)
    n = 300
    days = month_ends(2000, n)
    move = np.where(np.arange(n) < 165, 6.0, -4.0) + 12 * rng.standard_normal(n)
    rest = 10 + offset * move + 5 * rng.standard_normal(n)
    china, other = 100 + np.cumsum(move), 900 + np.cumsum(rest)
    rates = {f"rates_monthly.{k}": (days, 0.03 + 0.001 * rng.standard_normal(n)) for k in ("GS2", "GS10")}
    return evidence(rates | {holders.PREFIX + "china_mainland": (days, china),
                             holders.PREFIX + "grand_total": (days, china + other),
                             holders.PREFIX + "belgium": (days, 0.3 * other)})


def test_who_replaced_china():
    filled, not_filled = (only(holders.all_others(exit_of_china(b))) for b in (-0.9, 0.5))
    assert filled.verdict == "supported" and filled.estimate.value == pytest.approx(-0.9, abs=0.15)
    assert not_filled.verdict == "contradicted"
    parts = dict((name, v) for name, v, _, _ in filled.chart["rows"])
    total = next(o.value for o in filled.others if o.label.startswith("all foreigners"))
    assert sum(parts.values()) == pytest.approx(total, abs=0.2), "the parts are the total"


def test_missing_series_are_named_and_nothing_else_breaks():
    drafts = [*yields.test_yields(evidence(accounts() | _rates())), *holders.test_holders(evidence(_rates()))]
    claims = {c.id: c for c in conclude(drafts)}
    assert claims["D7-private"].verdict == "data missing"
    assert "acm.ACMY10" in claims["D7-private"].missing
    assert claims["D8-offset"].verdict == "data missing"


def _rates() -> dict:
    rng = np.random.default_rng(0)
    days = month_ends(Q0, MONTHS)
    two = 0.05 + 0.001 * rng.standard_normal(MONTHS).cumsum()
    return {"rates_monthly.GS2": (days, two), "rates_monthly.GS10": (days, two + 0.01)}


def test_a_gap_in_months_is_never_bridged_by_a_difference():
    days = np.array(["2020-01-31", "2020-02-29", "2020-06-30", "2020-07-31"], dtype="datetime64[D]")
    series = by_period(days, np.array([1.0, 2.0, 10.0, 11.0]), "M")
    assert np.isfinite(series.change().values).tolist() == [False, True, False, False, False, False, True]
    assert period_label(series.start, "M") == "2020-01" and period_number("2020-01", "M") == series.start
