"""Do inflows push, or does the deficit pull; do flows lead trade; what would a slowdown do?

Push: an unexpected inflow comes with a dearer dollar and lower yields (foreign supply of saving).  Pull: with
a dearer dollar and higher yields (the country bids for it).  Months in which net foreign purchases exceed
their mean of the twelve months before are counted by the signs of the dollar and the ten-year:

    b = P(dollar up, yield down | inflow above) − P(dollar up, yield up | inflow above)

Lead: NX/GDP(t+8) − NX/GDP(t−1) on official purchases over GDP (local projection, Jordà 2005), both
directions, and Granger's test by vector autoregression.
"""

from __future__ import annotations

import warnings

import numpy as np
from statsmodels.tsa.api import VAR

from factors.claims.drafts import Draft, Wording, attempt, exact, from_regression, from_statistic, variant
from factors.claims.regressions import TooShort, regress
from factors.claims.saving import NIPA, as_quarterly
from factors.claims.series import (
    Evidence, Monthly, SeriesMissing, align, broad_dollar, complete, period_label,
)
from factors.claims.verdicts import Region
from factors.claims.yields import REPORT, TIC_BREAKS, purchases
from riskengine.base.estimate import Distribution
from riskengine.result import ClaimEstimate

KINDS = ("treas", "agcy", "corp", "stk")
HORIZON = 8

PUSH = Wording(
    "D13", "Inflows", "Capital pushes in; the deficit does not pull it",
    "If the country had to attract foreign money, its currency and assets would be weak when inflows rise; "
    "they are strong, so foreigners' demand is the cause.", REPORT,
    "b = P(dollar ↑, y10 ↓ | inflow above its 12-month mean) − P(dollar ↑, y10 ↑ | the same)",
    "b above 0 (push)", "push and pull both occur; b about 0",
    ("Signs of three prices identify a shock only if nothing else moves them; a risk-off month has the same "
     "signs as a "
     "push.", TIC_BREAKS[0], "Gross purchases of long-term securities, not the whole financial account."))
LEAD = Wording(
    "D2", "Inflows", "Capital flows drive the trade balance",
    "The trade balance follows capital flows, not the other way round.", REPORT,
    "NX/GDP(t+8) − NX/GDP(t−1) = a + b (official purchases over 4 quarters/GDP) + c NX/GDP(t−1) + e",
    "b below 0", "b −0.2 to −0.3 at two to three years with instruments (Adler et al.); weaker without",
    ("Timing is not causality: both answer to growth and to the dollar; no instrument is at hand.",
     "Official purchases only: private ones run through the same accounts."))
SLOWDOWN = Wording(
    "D14", "Inflows", "A slowdown of inflows alone depresses US assets",
    "No exodus is needed: if foreigners buy half as much, US assets fall.",
    "news article on foreigners' USD 27.6 tn (early 2026)",
    "Δy10 = G · (0.40 · F)/Treasuries;  Δln p = −M · (0.40 · F)/equities;  Δs = −Γ F;  F = 650 bn a year",
    "yields up, equities and dollar down", "the same signs; 10-year +5 to +18 bp, equities −0.4 to −2.4%, "
                                           "dollar −2 to −10%",
    ("Arithmetic with the engine's elasticities, not a test: no slowdown of this size has been observed "
     "with everything else equal.",))


def test_inflows(evidence: Evidence) -> list[Draft]:
    """The three claims about inflows."""
    return [attempt(PUSH, push_or_pull, evidence), attempt(LEAD, flows_lead, evidence),
            attempt(SLOWDOWN, slowdown, evidence)]


def all_purchases(evidence: Evidence, who: str) -> Monthly:
    """Net purchases of Treasuries, agencies, corporate bonds and shares by month, USD bn."""
    parts = [purchases(evidence, who, kind) for kind in KINDS]
    number, columns = align(*parts)
    return Monthly(int(number[0]), np.sum(columns, axis=0))


def push_or_pull(evidence: Evidence) -> Draft:
    """Sign counts by month; on quarters of the current account when flows are not imported."""
    ids = tuple(f"tic.flows.total.{k}_net" for k in KINDS)
    if evidence.has(*ids):
        flow, unit, time = all_purchases(evidence,
                                         "total"), "M", "net foreign purchases of long-term securities"
        dollar = broad_dollar(evidence, month_end=True)[0]
        ten = complete(evidence.monthly("treasury_par_daily.10Y"), evidence.as_of)
        equity = _equity(evidence)
        periods = 12
    else:
        unit, time, ids, periods = "Q", "net inflow, minus the NIPA current account", (NIPA + "NETFI",), 4
        flow = evidence.quarterly(NIPA + "NETFI").map(lambda v: -v / 4.0)
        dollar = _by_quarter(broad_dollar(evidence)[0])
        ten = _by_quarter(evidence.monthly("rates_monthly.GS10"))
        equity = None
    usual = flow.total(periods).lag(1).map(lambda v: v / periods)
    columns = [flow, usual, dollar.change(), ten.change(), *([equity.change()] if equity is not None else [])]
    number, (f, mean, s, y, *rest) = align(*columns)
    high = np.isfinite(f) & np.isfinite(mean) & np.isfinite(s) & np.isfinite(y) & (f > mean)
    if high.sum() < 20:
        raise TooShort(f"{int(high.sum())} periods of high inflows")
    at = np.flatnonzero(high)
    score = np.where(s[at] > 0, np.where(y[at] < 0, 1.0, np.where(y[at] > 0, -1.0, 0.0)), 0.0)

    def difference(rows: np.ndarray) -> float:
        return float(score[rows].mean())

    good = np.isfinite(f) & np.isfinite(mean) & np.isfinite(s) & np.isfinite(y)
    counts = {(a, b): int(((s[at] > 0) == a).astype(int) @ ((y[at] < 0) == b).astype(int))
              for a in (True, False)
              for b in (True, False)}
    words = {(True, True): "dollar up, yield down (push)", (True, False): "dollar up, yield up (pull)",
             (False, True): "dollar down, yield down", (False, False): "dollar down, yield up"}
    others = [exact(words[k], v / len(at), "share", n=len(at)) for k, v in counts.items()]
    surprise = (f - mean)[good]
    others += [exact("correlation of the surprise with the dollar", np.corrcoef(surprise, s[good])[0, 1],
                     "ratio",
                     n=int(good.sum())),
               exact("correlation of the surprise with the ten-year", np.corrcoef(surprise, y[good])[0, 1],
                     "ratio")]
    if rest:
        both = good & np.isfinite(rest[0])
        others.append(exact("correlation of the surprise with US shares",
                            np.corrcoef((f - mean)[both], rest[0][both])[0, 1], "ratio"))
    base = good & ~high
    low_score = np.where(s[base] > 0, np.where(y[base] < 0, 1.0, np.where(y[base] > 0, -1.0, 0.0)), 0.0)
    others.append(
        exact("the same b in the periods of low inflows", float(low_score.mean()), "difference of shares",
                        n=int(base.sum()), note="what b is without an inflow"))
    return from_statistic(
        PUSH, difference, [period_label(number[i], unit) for i in at], 3, Region(low=0.0),
        "difference of shares",
        series=(*ids, "DTWEXBGS or basket", "ten-year yield"), others=tuple(others), words=f"Inflow: {time}.",
        caveats=() if unit == "M" else ("Quarters of the current account stand in for monthly purchases: "
                                        "revised data, and the inflow equals the deficit by identity.",),
        chart={"kind": "bars", "unit": "% of periods with high inflows", "decimals": 0,
               "title": "Signs when inflows are high",
               "rows": [(words[k], round(100.0 * v / len(at), 1), None, None) for k, v in counts.items()]})


def _equity(evidence: Evidence) -> Monthly | None:
    for name in ("SP500", "equity_daily.SP500"):
        if evidence.has(name):
            return complete(evidence.monthly(name), evidence.as_of).log()
    return None


def _by_quarter(series: Monthly) -> Monthly:
    return as_quarterly(series, total=False)


def flows_lead(evidence: Evidence) -> Draft:
    """Local projections both ways, and Granger's test."""
    ids = tuple(f"tic.flows.official.{k}_net" for k in KINDS)
    evidence.need(*ids)
    flow = as_quarterly(all_purchases(evidence, "official"), total=True)
    number, (gdp, net, bought) = align(evidence.quarterly(NIPA + "GDP"), evidence.quarterly(NIPA + "NETEXP"),
                                       flow)
    share = 100.0 * net / gdp
    inflow = 100.0 * Monthly(0, bought).total(4).values / gdp
    T = len(number)
    ahead = Monthly(0, share).on(HORIZON, T + HORIZON) - Monthly(0, share).on(-1, T - 1)
    before = Monthly(0, share).on(-1, T - 1)
    main = regress(ahead, [inflow, before], number, HORIZON + 2, ["inflow", "NX before"], LEAD.id)
    flow_ahead = Monthly(0, inflow).on(HORIZON, T + HORIZON) - Monthly(0, inflow).on(-1, T - 1)
    reverse = regress(flow_ahead, [share, Monthly(0, inflow).on(-1, T - 1)], number, HORIZON + 2, ["NX"],
                      LEAD.id)
    others = [*variant("reverse: flows two years ahead on NX/GDP", reverse, "pp per 1% of GDP", "Q"),
              *granger(100.0 * bought / gdp, share)]
    return from_regression(
        LEAD, main, Region(high=0.0), "pp of GDP per 1% of GDP",
        ("official purchases over four quarters, % of GDP", "NX/GDP two years ahead, change"), "Q",
        pandemic=True,
        series=(*ids, NIPA + "NETEXP", NIPA + "GDP"), others=tuple(others))


def granger(flow: np.ndarray, trade: np.ndarray, lags: int = 4) -> list:
    """p-values of 'flows do not help to predict trade' and the reverse: VAR(4) of flow and Δ(NX/GDP), longest
    run."""
    pair = np.column_stack([flow[1:], np.diff(trade)])
    good = np.isfinite(pair).all(axis=1)
    edges = np.flatnonzero(np.diff(np.r_[0, good.astype(int), 0]))
    runs = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    if not runs:
        return []
    a, b = max(runs, key=lambda r: r[1] - r[0])
    if b - a < 60:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = VAR(pair[a:b]).fit(lags)
        forward = float(fitted.test_causality(1, [0], kind="f").pvalue)
        backward = float(fitted.test_causality(0, [1], kind="f").pvalue)
    return [exact("Granger: flows do not help to predict trade", forward, "p-value", n=int(b - a)),
            exact("Granger: trade does not help to predict flows", backward, "p-value", n=int(b - a))]


def slowdown(evidence: Evidence) -> Draft:
    """The engine's elasticities times half of the usual purchases; 16th to 84th percentile of each
    elasticity."""
    sizes = [r for r in evidence.table("market_sizes") if "treasury" in r]
    parameters = evidence.tables["parameters"]
    gdp = evidence.quarterly(NIPA + "GDP")
    if not sizes:
        raise SeriesMissing("markets.toml: Treasuries outstanding")
    size, half = float(sizes[-1]["treasury"]), 650.0
    impact, ratio = parameters["ust_impact_per_1pct_outstanding"], parameters["ust_longrun_ratio"]
    gamma = parameters["gamma_broad_per_gdp"]
    product = float(gdp.values[np.isfinite(gdp.values)][-1])
    share = 100.0 * 0.40 * half / size
    rows = [("10-year at once", impact, share, 1.0, "bp"),
            ("10-year in the long run", impact, share, ratio.default, "bp"),
            ("broad dollar, all of it unhedged", gamma, -100.0 * half / product, 1.0, "%")]
    others = [_scaled(label, d, scale * more, unit) for label, d, scale, more, unit in rows]
    cap = evidence.tables.get("equity_size")
    if cap:
        others.append(
            _scaled("equities", parameters["equity_multiplier"], -100.0 * 0.40 * half / float(cap), "%"))
    return Draft(SLOWDOWN, ("configs/impact/*.toml", "configs/markets.toml", NIPA + "GDP"),
                 others=tuple(others),
                 untestable="A counterfactual, computed and not observed; the numbers are the engine's "
                            f"elasticities times half of {2 * half:,.0f} bn a year over {size:,.0f} bn of "
                            "Treasuries.",
                 chart={"kind": "bars", "unit": "bp; %", "decimals": 1,
                        "title": "A slowdown by half, first year",
                        "rows": [(f"{o.label}, {o.unit}", o.value, o.low, o.high) for o in others]})


def _scaled(label: str, parameter: Distribution, scale: float, unit: str) -> ClaimEstimate:
    ends = sorted((parameter.lo * scale, parameter.hi * scale))
    return ClaimEstimate(label, parameter.default * scale, unit, low=ends[0], high=ends[1],
                         note="16th to 84th percentile of the elasticity, not a confidence interval")
