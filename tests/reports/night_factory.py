"""A realistic, seeded NightResult: 60 positions, 18 scenarios, USD 10 bn; used by every test of the reports.

The figures are random but consistent (components sum to the total, channels and desks to the scenario's P&L);
they are nobody's estimate.  ``python tests/reports/night_factory.py FILE`` writes the report to look at.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from riskengine.base.axes import CURRENCIES, FACTORS, KEY_RATES, METROS, PROPERTY_TYPES
from riskengine.result import (
    ChainSummary, DataQualityItem, Exposures, FarTail, GroupRisk, LedgerTable, LimitStatus, NightResult, PositionRisk,
    RiskResult, ScenarioResult, Tail,
)

LEVELS = (0.95, 0.975, 0.99)
DESKS = {
    "FX": ("G10 Spot", "Asia Options"), "Rates": ("Treasury Cash", "Duration Overlay"),
    "Equity": ("Index", "Dollar Baskets"), "Real Assets": ("Direct Property", "Listed"),
}
CLASS_OF = {"FX": "fx", "Rates": "treasury", "Equity": "equity", "Real Assets": "real_estate"}
SCENARIOS = (
    ("withholding_tax_30_todays_exemptions", "30% withholding tax, today's exemptions", 0.0),
    ("withholding_tax_30_interest", "30% tax on interest, exemption repealed", 0.25),
    ("withholding_tax_30_no_exemptions", "30% withholding tax, no exemptions", 1.6),
    ("user_fee_official", "User fee on official holders", 0.2),
    ("purchase_tax_1pct", "Purchase tax of 1%", 0.3),
    ("ownership_cap_treasuries_20", "Foreign share of Treasuries capped at 20%", 0.9),
    ("exodus_10pct", "Exodus: foreigners sell 10% of all holdings", 3.4),
    ("inflow_slowdown", "Inflows slow by half", 1.0),
    ("china_sells_treasuries", "China leaves Treasuries", 0.6),
    ("mar_a_lago_accord", "Mar-a-Lago accord (negotiated, gradual)", 1.5),
    ("unilateral_restrictions", "Unilateral restrictions (abrupt)", 2.8),
    ("dollar_minus_10", "Dollar −10%", 1.9),
    ("tariffs", "Tariffs, both regimes", 0.8),
    ("fed_response", "The Fed answers an exodus", 1.2),
    ("japan_repatriates", "Japan repatriates", 0.9),
    ("lehman_2008", "Replay: September–November 2008", 2.5),
    ("covid_2020", "Replay: February–March 2020", 2.2),
    ("april_2025_style", "Conditional: dollar, bonds and shares down", 1.7),
)
REPLAYS = {"lehman_2008", "covid_2020", "april_2025_style"}


def make_tail(rng: np.random.Generator, sd: float, mean: float = 0.0) -> Tail:
    """A plausible Student-like tail with standard errors."""
    var = tuple(sd * k - mean for k in (1.62, 2.05, 2.55))
    es = tuple(sd * k - mean for k in (2.25, 2.7, 3.3))
    se = tuple(sd * k * (1 + 0.1 * rng.random()) for k in (0.012, 0.017, 0.028))
    iid = tuple(0.6 * v for v in se)
    return Tail(LEVELS, var, es, se, tuple(1.3 * v for v in se), iid, tuple(1.3 * v for v in iid),
                mean, sd / 316, sd)


def make_far_tail(total: Tail, days: int) -> FarTail:
    """A plausible far tail of importance sampling: errors a tenth of the plain ones."""
    var, es = (total.var[2], 1.4 * total.var[2]), (total.es[2], 1.5 * total.es[2])
    plain = tuple(0.02 * v for v in es)
    return FarTail(days, 32_768, "filtered_historical", (0.99, 0.999), var, es, tuple(0.1 * v for v in plain),
                   tuple(0.1 * v for v in plain), tuple(1.01 * v for v in var), tuple(0.99 * v for v in es), plain, plain,
                   (4_000.0, 2_000.0), (328.0, 33.0), (100.0, 110.0), (120.0, 130.0), 1.002, 0.008, 4_649)


def make_night(seed: int = 7, scenarios: int = 18, positions: int = 60) -> NightResult:
    """The fixture night."""
    rng = np.random.default_rng(seed)
    book = _positions(rng, positions)
    risks = tuple(_risk(rng, book, days) for days in (1, 10))
    return NightResult(
        as_of="2024-09-24", accounts_as_of="2023-06-30", run_id="20240924T223001Z-1a2b3c4d", seed=20240924,
        paths=100_352, draws=512, nav_usd=sum(p.value_usd for p in book), baseline=risks,
        scenarios=tuple(_scenario(rng, book, *SCENARIOS[i % len(SCENARIOS)], i) for i in range(scenarios)),
        exposures=_exposures(rng), limits=_limits(risks), data_quality=_quality(), tables=_tables(rng, risks),
    )


def _positions(rng: np.random.Generator, count: int) -> list[PositionRisk]:
    types = {"FX": ("fx_forward", "fx_option"), "Rates": ("treasury_bond", "treasury_note"),
             "Equity": ("equity_index", "equity_option"), "Real Assets": ("property", "listed_real_estate")}
    rows = []
    for i in range(count):
        desk = tuple(DESKS)[i % 4]
        value = float(rng.lognormal(18.6, 0.8)) * (-1 if desk == "FX" and rng.random() < 0.3 else 1)
        kind = types[desk][int(rng.integers(2))]
        es = abs(value) * float(rng.uniform(0.01, 0.04))
        rows.append(PositionRisk(
            f"{desk[:2].upper()}-{i:03d}", kind, desk, DESKS[desk][(i // 4) % 2], CLASS_OF[desk],
            f"{kind.replace('_', ' ').capitalize()} {CURRENCIES[i % 21]} <{i}> & Co.", value,
            abs(value) * 1.2, es,
            es * float(rng.uniform(-0.3, 0.8)), es * 0.02,
            ("half_spread", "short_rate.KRW") if i % 7 == 0 else (),
            {FACTORS.labels[i % 48]: value * 0.01, "UST_10Y": -abs(value) * 0.0006},
        ))
    return rows


def _risk(rng: np.random.Generator, book: list[PositionRisk], days: int) -> RiskResult:
    scale = np.sqrt(days)
    scaled = tuple(
        PositionRisk(*(getattr(p, f)
                       for f in ("position_id", "type", "desk", "book", "asset_class", "description",
                                               "value_usd", "notional_usd")),
                     p.standalone_es * scale, p.component_es * scale, p.se_component_es * scale,
                     p.assumed_inputs,
                     p.sensitivities)
        for p in book
    )
    es = sum(p.component_es for p in scaled)
    total = make_tail(rng, es / 2.7)
    groups = [GroupRisk("total", "total", total, total.es, sum(p.value_usd for p in book))]
    for dimension in ("desk", "book", "strategy", "asset_class", "region"):
        def key(p: PositionRisk, i: int) -> str:
            fixed = {"strategy": ("Carry", "Value", "Hedge")[i % 3],
                     "region": ("Asia", "Europe", "US")[i % 3]}
            return fixed.get(dimension) or getattr(p, dimension)
        names = dict.fromkeys(key(p, i) for i, p in enumerate(scaled))
        for name in names:
            members = [p for i, p in enumerate(scaled) if key(p, i) == name]
            share = sum(p.component_es for p in members) / es
            groups.append(GroupRisk(
                dimension, name, make_tail(rng, sum(p.standalone_es for p in members) / 6),
                tuple(share * e for e in total.es), sum(p.value_usd for p in members)))
    t = rng.standard_t(5, 40_000) * total.sd * 0.78
    return RiskResult(days, total, tuple(groups), scaled, 0.975, np.quantile(t, np.linspace(0, 1, 201)),
                      "student_t", make_far_tail(total, days))


def _scenario(
    rng: np.random.Generator, book: list[PositionRisk], name: str, title: str, size: float, number: int
) -> ScenarioResult:
    weights = rng.normal(-0.6, 1.0, len(book))
    by_position = {p.position_id: float(w * abs(p.value_usd) * 0.02 * size) for p,
                   w in zip(book, weights, strict=True)}

    def split(attribute: str) -> dict[str, float]:
        out: dict[str, float] = {}
        for p in book:
            out[getattr(p, attribute)] = out.get(getattr(p, attribute), 0.0) + by_position[p.position_id]
        return out

    expected = sum(by_position.values())
    names = ("policy_path", "flow", "exchange_rate", "earnings", "term_premium", "cap_rate", "foreign_buyers",
             "co_movement", "convexity") if name not in REPLAYS else ("imposed", "co_movement", "convexity")
    parts = rng.normal(0.0, 1.0, len(names))
    parts *= abs(expected) / max(np.abs(parts).sum(), 1e-9)
    parts[-1] += expected - parts.sum()
    spread = 0.5 * abs(expected) + 2e6 * size
    core = None if name in REPLAYS else _chain(rng, size, 52)
    return ScenarioResult(
        name=name, title=title,
        narrative=f"{title}. The measure is announced on the first day; holders adjust by "
        "their demand elasticities, the dollar clears what the current account has not yet absorbed.",
        source="Staff scenario after Miran (2024), 'A User's Guide'; <b>no markup</b> in names.",
        probability=float(rng.uniform(0.02, 0.4)), horizon_days=260 if core else (45, 25, 10)[number % 3],
        expected_pnl_usd=expected, se_expected_pnl_usd=0.01 * spread,
        interval_usd=(expected - spread, expected + spread),
        pnl_interval_usd=(expected - 3 * spread, expected + 3 * spread),
        tail=make_tail(rng, 2.2 * spread + 2e8, expected),
        by_asset_class=split("asset_class"), by_desk=split("desk"), by_book=split("book"),
        channels=dict(zip(names, parts.tolist(), strict=True)), by_position=by_position,
        moves={label: float(rng.normal(0, 0.02 * size) * (0.1 if label.startswith(("UST", "CAP")) else 1))
               for label in FACTORS.labels},
        chain=core, ledger=_ledger(rng, size) if core else None,
        variance_share={"parameters": 0.1 + 0.02 * number, "markets": 0.9 - 0.02 * number},
        mahalanobis=0.4 + 1.3 * size, plausibility=float(np.exp(-0.9 * size**2)),
        flags=("Outside the linear range: the dollar moves more than 25% in 3% of draws.",) if size > 3
        else (),
        flow_channel_off_10y_bp=3.0 * size if core else None,
    )


def _chain(rng: np.random.Generator, size: float, steps: int) -> ChainSummary:
    t = np.linspace(0, 1, steps)

    def fan(top: float) -> np.ndarray:
        middle = top * (1 - np.exp(-4 * t)) * (1 + 0.02 * rng.standard_normal(steps))
        return np.sort(np.stack([middle * 0.6, middle, middle * 1.7], axis=1), axis=1)

    paths = {
        "broad_dollar": fan(0.03 * size), "treasury_10y_flow_bp": fan(18 * size),
        "treasury_10y_path_bp": fan(4 * size),
        "current_account_change": fan(-6 * size), "saving_change": fan(-2 * size),
        "investment_change": fan(4 * size),
        "dollars_out": fan(450 * size), "equity_index": fan(-0.01 * size),
    }

    def last(name: str) -> tuple[float, float, float]:
        low, middle, high = paths[name][-1]
        return float(middle), float(low), float(high)

    areas = ("Japan", "United Kingdom", "China, Mainland", "Cayman Islands", "Luxembourg", "Ireland",
             "Canada",
             "Belgium", "Taiwan", "Switzerland", "Norway", "Rest of the world")
    orders = tuple(
        (area, {"treasury": -90 * size / (i + 1), "agency": -25 * size / (i + 1),
                "corporate": -20 * size / (i + 2),
                "equity": -60 * size / (i + 1)})
        for i, area in enumerate(areas))
    return ChainSummary(
        gross_orders_usd_bn=(-800 * size, -1100 * size, -600 * size),
        net_outflow_usd_bn=(-640 * size, -900 * size, -450 * size), dollars_out_usd_bn=last("dollars_out"),
        broad_dollar=last("broad_dollar"), treasury_10y_flow_bp=last("treasury_10y_flow_bp"),
        treasury_10y_path_bp=last("treasury_10y_path_bp"),
        current_account_change_usd_bn_per_year=last("current_account_change"), paths=paths,
        yields_by_channel=tuple((tenor, 18 * size * min(1, 0.1 + y / 6), 4 * size * min(1, y / 3))
                                for tenor, y in KEY_RATES.items()),
        holder_orders=orders,
        absorbers=(("US residents", 640 * size), ("United Kingdom", 60 * size), ("Belgium", 40 * size),
                   ("Ireland", 35 * size), ("Other foreigners", 25 * size)),
        saving={"household": -1.0 * size, "business": -0.4 * size, "government": -0.6 * size,
                "investment": 4 * size},
    )


def _ledger(rng: np.random.Generator, size: float) -> LedgerTable:
    rows: list[tuple[str, str, float, float, float]] = []

    def add(identity: str, *lines: tuple[str, float]) -> None:
        rows.extend((line, identity, v * size, v * size * 1.5, v * size * 0.6) for line, v in lines)

    for name, v in (("treasury", 300.0), ("agency", 80.0), ("corporate", 60.0), ("equity", 200.0)):
        add(f"securities.{name}", (f"Foreign sellers: {name}", -v),
            (f"Other foreigners buy: {name}", 0.2 * v),
            (f"US residents buy: {name}", 0.8 * v))
    add("proceeds", ("Sale", -640.0), ("Other US assets", 64.0), ("Deposits", 160.0), ("Migration", 0.0),
        ("Hedge unwinding", 96.0), ("Abroad", 320.0))
    add("dollars", ("Dollars out", -320.0), ("Intermediaries take dollars", 318.0), ("Current account", 2.0))
    add("income", ("Tax and fee revenue", 12.0), ("Intermediaries: income", -12.0))
    add("memo", ("Intervention of managed currencies", 25.0))
    return LedgerTable(tuple(rows), 4.3e-13)


def _exposures(rng: np.random.Generator) -> Exposures:
    ladder = {t: -float(rng.uniform(0.05, 0.6)) * 1e6 * min(3, y) for t, y in KEY_RATES.items()}
    fx = {c: float(rng.normal(0, 1.6e8)) for c in CURRENCIES[:14]}
    equity = {"SP500": 1.1e9, "NASDAQ": 3.4e8, "EXPORTERS": 2.1e8, "IMPORTERS": -1.2e8, "DOMESTIC": 9e7}
    prop = {p: float(rng.uniform(1e8, 4e8)) for p in PROPERTY_TYPES} | {m: 6e7 for m in METROS[1:]}
    desks = {d: {"rates_dv01": sum(ladder.values()) if d == "Rates" else -2e5,
                 "fx_delta": sum(fx.values()) if d == "FX" else 0.0,
                 "equity_delta": sum(equity.values()) if d == "Equity" else 0.0,
                 "property_value": sum(prop.values()) if d == "Real Assets" else 0.0, "vega": 2.5e5}
                 for d in DESKS}
    return Exposures(ladder, fx, equity, {"VOL_EQUITY": 9e5, "VOL_FX": 4e5}, prop,
                     {p: -v * 0.0015 for p, v in prop.items() if p in PROPERTY_TYPES}, desks)


def _limits(risks: tuple[RiskResult, ...]) -> tuple[LimitStatus, ...]:
    var = risks[0].total.var[2]
    return (
        LimitStatus("VaR 99% 1 day, total", "var_99_1d", "total", var, var * 1.2, var * 1.5, "USD", "ok"),
        LimitStatus("ES 97.5% 10 days, total", "es_975_10d", "total", risks[1].total.es[1],
                    risks[1].total.es[1] * 0.95, risks[1].total.es[1] * 1.2, "USD", "warning"),
        LimitStatus("VaR 99% 1 day, FX desk", "var_99_1d", "desk:FX", 3.1e7, 2.0e7, 3.0e7, "USD", "breach"),
        LimitStatus("Key-rate DV01, total", "dv01", "total", -5.2e6, 6e6, 8e6, "USD per bp", "ok"),
        LimitStatus("Worst scenario loss", "scenario_loss", "exodus_10pct", float("nan"), 5e8, 8e8, "USD",
                    "ok"),
        LimitStatus("Property, share of NAV", "property_share", "total", 0.17, 0.25, 0.3, "share", "ok"),
    )


def _quality() -> tuple[DataQualityItem, ...]:
    return (
        DataQualityItem("red", "equity_daily",
                        "Daily equity history ends 2018-12-31; volatility is the long-run one."),
        DataQualityItem("warning", "macro_monthly", "Latest value of M2 is 2 months old."),
        DataQualityItem("warning", "short_rate.KRW", "Assumed input prices 4 positions."),
        DataQualityItem("info", "accounts", "Survey of June 2023 is the last published by the as-of date."),
    )


def _tables(rng: np.random.Generator, risks: tuple[RiskResult, ...]) -> dict[str, object]:
    quarters = [f"{y}Q{q}" for y in range(1960, 2025) for q in (1, 2, 3, 4)][:258]
    n = len(quarters)
    gdp = 540 * np.exp(0.0155 * np.arange(n))
    t = np.linspace(0, 1, n)
    wave = np.sin(np.arange(n) / 9) * 0.01
    household, business = 0.08 - 0.04 * t + wave, 0.11 + 0.03 * t - wave / 2
    government, investment = 0.03 - 0.07 * t + wave, 0.19 - 0.01 * t + wave
    lending = household + business + government + 0.04 - investment
    saving = [
        {"quarter": q, "gdp": g, "net_foreign_lending": g * f, "gross_saving": g * (h + b + v),
         "investment": g * i,
         "household_saving": g * h, "business_saving": g * b, "government_saving": g * v}
        for q, g, f, h, b, v,
        i in zip(quarters, gdp, lending, household, business, government, investment, strict=True)]
    var, es = risks[0].total.var[2], risks[1].total.es[1]
    comparison = [
        {"metric": m, "scope": s, "before": b * 0.93, "after": b, "change": b * 0.07, "positions": b * 0.04,
         "market_state": b * 0.02, "parameters": 0.0, "data": b * 0.008, "sampling": b * 0.002}
        for m, s, b in [("var_99_1d", "total", var), ("es_97.5_10d", "total", es)]
        + [("expected_pnl", name, -2e8 * size) for name, _, size in SCENARIOS]]
    areas = ("Japan", "United Kingdom", "China, Mainland", "Cayman Islands", "Luxembourg", "Ireland",
             "Canada", "Rest")
    return {
        "saving_quarterly": saving, "comparison": comparison,
        "accounts": [{"holder": a, "home_currency": "JPY", "treasury_usd_bn": 1050.0 / (i + 1),
                      "agency_usd_bn": 270 / (i + 1),
                      "corporate_usd_bn": 315.5 / (i + 1), "equity_usd_bn": 1408.5 / (i + 1),
                      "official_share": 0.7 / (i + 1)}
                     for i, a in enumerate(areas)],
        "identities": [{"identity": "Holders sum to the world total: treasury", "left": 7700.1,
                        "right": 7700.1,
                        "difference": 0.0, "unit": "USD bn", "ok": True},
                       {"identity": "CA = S − I + residual", "left": -1096.0, "right": -1096.0,
                        "difference": 1e-10,
                        "unit": "USD bn", "ok": True}],
        "parameters": [{"name": f"parameter_{i}", "default": float(d), "lo": float(d) * 0.5,
                        "hi": float(d) * 2,
                        "unit": "bp", "dist": "lognormal2", "source": "Beltran et al. (2013)", "tag": "C"}
                       for i, d in enumerate(rng.lognormal(0, 3, 24))],
        "series": [{"id": f"DGS{i}", "name": f"Treasury par yield {i} years", "unit": "%",
                    "frequency": "daily",
                    "first": "1990-01-02", "last": "2024-09-24", "observations": 8687, "gaps": i,
                    "source": "US Treasury"}
                   for i in (1, 2, 3, 5, 7, 10, 20, 30)],
        "factor_diagnostics": [{"factor": f, "vol_annual": 0.08, "dof": 5.2, "observations": 4000,
                                "arch_lm_p": 0.21}
                               for f in FACTORS.labels],
        "coverage": [{"series": f"FX {c}", "model": "student_t", "level": 0.99, "observations": 2500,
                      "exceptions": 24 + i,
                      "kupiec_lr": 0.04 + i, "kupiec_p": 0.84 - i / 5,
                      "traffic_light": ("green", "yellow", "red")[i % 3],
                      "extra": {}} for i, c in enumerate(("EUR", "JPY", "CNY"))],
        "market_inputs": [{"id": "short_rate.KRW", "value": 0.034, "se": 0.002, "unit": "decimal",
                           "date": "2024-09-20",
                           "source": "assumption", "assumed": True}],
    }


if __name__ == "__main__":
    from riskengine.reports.nightly import render_night

    Path(sys.argv[1]).write_text(render_night(make_night()), encoding="utf-8")
