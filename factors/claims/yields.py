"""Do yields follow the expected policy path, or foreign demand? Levels of the evidence: path, premium,
placebo.

    Δy10 = a + b Δy2 + u                       how much of the ten-year is the expected path (proxy: 2-year)
    Δ₁₂TP = a + b (12-month flow / outstanding) + c'z + e    flows and the term premium (ACM, New York Fed)

z: changes of unemployment and of inflation over the same 12 months.  b in bp per 1% of Treasuries
outstanding; a purchase that lowers the premium has b < 0.  Overlapping years: HAC lag 18 months.
"""

from __future__ import annotations

import numpy as np

from factors.claims.drafts import (
    Draft, Wording, attempt, exact, from_regression, from_statistic, scatter_of, signed, variant,
)
from factors.claims.regressions import regress
from factors.claims.saving import difference
from factors.claims.series import (
    Evidence, Monthly, SeriesMissing, align, period_label, period_number,
)
from factors.claims.verdicts import Region

MATERIAL = 2.0
"""bp per 1% of outstanding: the smallest published long-run effect (IMF WP/17/174); 'no effect' means within
it."""
YEAR = 12
LAGS = 18
REPORT = "policy report on a Mar-a-Lago accord (late 2024)"
ENDOGENEITY = ("Flows answer to yields and to the same news: safe-haven buying and falling premia come "
               "together, reserve managers lean against their currency. The coefficient is a conditional "
               "correlation.")
TIC_BREAKS = ("TIC series break in June 2002 and June 2011 and have no flows from January 2021 to January "
              "2023.",
              "Purchases through London or Belgium count as private: official flows are measured with "
              "error, which pulls b towards 0.")

PATH = Wording(
    "D7-path", "Yields", "Treasury yields are the expected policy path",
    "The path of the policy rate, not foreign demand, determines most of what Treasury yields do.", REPORT,
    "Δy10 = a + b Δy2 + u, monthly;  R² of the path above one half", "R² above 0.5",
    "R² 0.6–0.75 on average, large residuals in the tail (2013, March 2020)",
    ("The 2-year holds a term premium too, and the 10-year's premium moves with the path: R² is an upper "
     "bound of the path's "
     "share.", "A high R² leaves room for flows in the residual; it does not show that flows do nothing."))
OFFICIAL = Wording(
    "D7-official", "Yields", "Official purchases do not move the term premium",
    "Foreign demand does not determine Treasury yields: less official buying would leave the premium where "
    "it is.",
    REPORT, "Δ₁₂TP10 = a + b (official net purchases, 12 months)/outstanding + c₁ Δ₁₂u + c₂ Δ₁₂π + e",
    f"b within ±{MATERIAL:g} bp per 1% of outstanding",
    "b −2 to −20 (Beltran et al., Ahmed and Rebucci, IMF)",
    (ENDOGENEITY, *TIC_BREAKS, "The ACM premium is itself an estimate and is revised."))
PRIVATE = Wording(
    "D7-private", "Yields", "Private purchases do not move the term premium",
    "The same for private foreigners, who are the larger buyers since about 2012.", REPORT,
    "Δ₁₂TP10 = a + b (private net purchases, 12 months)/outstanding + c₁ Δ₁₂u + c₂ Δ₁₂π + e",
    f"b within ±{MATERIAL:g} bp per 1% of outstanding", "b 0 to half of the official one (Sierra 2014)",
    (ENDOGENEITY, TIC_BREAKS[0], "Private includes hedge funds in Cayman that buy cash against futures: "
                                 "their purchases have a short side that TIC does not see."))
JAPAN = Wording(
    "D7-japan", "Yields", "Japan: foreigners' behaviour left its yields alone (placebo)",
    "Japanese yields stayed low in spite of decades of reduced foreign buying, because the Bank of Japan "
    "set them.",
    REPORT, "Δ₁₂y10(Japan) = a + b (official purchases of US Treasuries, 12 months)/outstanding + c "
            "Δ₁₂y10(Germany) + e",
    f"placebo: b within ±{MATERIAL:g} bp", "placebo: b within ±2 bp, else the US estimate picks up a world "
                                           "factor",
    ("No series of foreign holdings of Japanese bonds is at hand, and the premise is doubtful: the foreign "
     "share rose from 2005 to 2020 (recalled). A net creditor whose bonds are held at home is no test of a "
     "net debtor.",
     "What is tested is whether US official flows 'explain' a yield they should not move."))
SURVEY = ("Foreign share of Treasuries by annual survey (end of June) instead of monthly flows; the "
          "ten-year net of its usual answer to the two-year instead of the ACM premium. Some 20 years: low "
          "power.")


def test_yields(evidence: Evidence) -> list[Draft]:
    """The four claims about yields."""
    return [attempt(PATH, policy_path, evidence), attempt(OFFICIAL, flows_and_premium, evidence),
            attempt(PRIVATE, private_flows, evidence), attempt(JAPAN, japan, evidence)]


def policy_path(evidence: Evidence) -> Draft:
    """R² of the monthly change of the ten-year on that of the two-year."""
    number, (two, ten) = align(evidence.monthly("rates_monthly.GS2"), evidence.monthly("rates_monthly.GS10"))
    x, y = 1e4 * difference(two), 1e4 * difference(ten)
    good = np.isfinite(x) & np.isfinite(y)
    number, x, y = number[good], x[good], y[good]

    def r_squared(rows: np.ndarray) -> float:
        return float(np.corrcoef(x[rows], y[rows])[0, 1] ** 2)

    labels = [period_label(n, "M") for n in number]
    regression = regress(y, [x], number, 3, ["Δy2"], PATH.id)
    spans = (("1990–2007", "1990-01", "2007-12"), ("since 2010", "2010-01", "9998-12"))
    others = [*variant("b", regression, "bp per bp")]
    for words, first, last in spans:
        keep = (number >= period_number(first, "M")) & (number <= period_number(last, "M"))
        if keep.sum() > 40:
            others += variant(f"b, {words}", regression, "bp per bp", keep=keep)
            others.append(exact(f"R², {words}", r_squared(np.flatnonzero(keep)), "share", n=int(keep.sum())))
    u = regression.residuals()
    largest = np.argsort(-np.abs(u))[:3]
    others += [exact(f"residual of {labels[i]}", u[i], "bp", note="among the three largest") for i in largest]
    if evidence.has("acm.ACMY10", "acm.ACMRNY10"):
        months, (all_in, neutral) = align(evidence.monthly("acm.ACMY10"), evidence.monthly("acm.ACMRNY10"))
        da, dn = difference(all_in), difference(neutral)
        ok = np.isfinite(da) & np.isfinite(dn) & (months >= number[0])
        others.append(exact("ACM: share of the 10-year's monthly variance in the expected path",
                            np.cov(da[ok], dn[ok])[0, 1] / da[ok].var(ddof=1), "share", n=int(ok.sum()),
                            note="covariance with the risk-neutral yield: the model's own split"))
    return from_statistic(
        PATH, r_squared, labels, 6, Region(low=0.5), "share of variance", series=("rates_monthly.GS2",
        "rates_monthly.GS10"), others=tuple(others),
        words=f"Largest residual: {signed(u[largest[0]])} bp in {labels[largest[0]]}.",
        chart=scatter_of(regression, ("Δ two-year, bp", "Δ ten-year, bp"), "M",
                         regression.most_influential()[0],
                         regression.fit(draws=1).value))


def outstanding(evidence: Evidence) -> Monthly:
    """Treasuries outstanding by month, USD bn: between the year-ends on a line, after the last one flat."""
    rows = [r for r in evidence.table("market_sizes") if "treasury" in r]
    if len(rows) < 2:
        raise SeriesMissing("markets.toml: Treasuries outstanding")
    december = np.array([period_number(f"{r['year']}-12", "M") for r in rows])
    size = np.array([float(r["treasury"]) for r in rows])
    months = np.arange(december[0], december[-1] + 37)
    return Monthly(int(december[0]), np.interp(months, december, size))


def purchases(evidence: Evidence, who: str, kind: str = "treas") -> Monthly:
    """Net purchases by month, USD bn: who 'official', 'total' or 'private' (total less official)."""
    if who == "private":
        number, (total, official) = align(purchases(evidence, "total", kind),
                                          purchases(evidence, "official", kind))
        return Monthly(int(number[0]), total - official)
    return evidence.monthly(f"tic.flows.{who}.{kind}_net").map(lambda v: v / 1e3)


def term_premium(evidence: Evidence, years: str = "10") -> Monthly:
    """ACM term premium, bp."""
    number, (fitted, neutral) = align(evidence.monthly(f"acm.ACMY{years}"),
                                      evidence.monthly(f"acm.ACMRNY{years}"))
    return Monthly(int(number[0]), 100.0 * (fitted - neutral))


def _controls(evidence: Evidence) -> tuple[Monthly, Monthly]:
    return (evidence.monthly("macro_monthly.UNRATE").change(YEAR),
            evidence.monthly("macro_monthly.CPIAUCSL").log().change(YEAR).map(lambda v: 100 * v).change(YEAR))


def _flow_regression(evidence: Evidence, flow: Monthly, y: Monthly, claim: str, months: int = YEAR,
                     lags: int = LAGS):
    """y's change over *months* on the flow of those months over the stock before them, in per cent."""
    size = outstanding(evidence).lag(months)
    unemployment, inflation = _controls(evidence)
    number, (dy, total, stock, du, dp) = align(y.change(months), flow.total(months), size, unemployment,
                                               inflation)
    return regress(dy, [100.0 * total / stock, du, dp], number, lags, ["flow", "Δu", "Δπ"], claim)


def flows_and_premium(evidence: Evidence) -> Draft:
    """Official purchases and the premium; by annual survey when flows or premium are not imported."""
    needed = ("tic.flows.official.treas_net", "acm.ACMY10", "acm.ACMRNY10")
    if not evidence.has(*needed):
        return survey_share(evidence)
    flow, premium = purchases(evidence, "official"), term_premium(evidence)
    neutral = evidence.monthly("acm.ACMRNY10").map(lambda v: 100.0 * v)
    main = _flow_regression(evidence, flow, premium, OFFICIAL.id)
    from2003 = main.periods >= period_number("2003-06", "M")
    unit = "bp per 1% of outstanding"
    others = (
        *variant("within the month (impact)", _flow_regression(evidence, flow, premium, OFFICIAL.id, 1, 3),
                 unit),
        *variant("over three months", _flow_regression(evidence, flow, premium, OFFICIAL.id, 3, 6), unit),
        *variant("before June 2003", main, unit, keep=~from2003),
        *variant("since June 2003", main, unit, keep=from2003),
        *variant("expected path instead of the premium",
                 _flow_regression(evidence, flow, neutral, OFFICIAL.id), unit,
                 note="the literature expects about 0"),
        *(variant("five-year premium",
                  _flow_regression(evidence, flow, term_premium(evidence, "05"), OFFICIAL.id), unit)
          if evidence.has("acm.ACMY05", "acm.ACMRNY05") else ()))
    draft = from_regression(
        OFFICIAL, main, Region(-MATERIAL, MATERIAL), unit,
        ("official purchases over 12 months, % of outstanding", "Δ₁₂ term premium, bp"), series=needed + (
            "macro_monthly.UNRATE", "macro_monthly.CPIAUCSL", "configs/markets.toml"), others=others,
            pandemic=True)
    apart = [what for what, number in draft.without if number.low > 0 or number.high < 0]
    return draft.plus(words=f"{apart[-1].capitalize()} the interval excludes 0." if apart else draft.words)


def survey_share(evidence: Evidence) -> Draft:
    """Yearly: Δ foreign share of Treasuries outstanding, and the ten-year beyond its answer to the
    two-year."""
    held = {int(r["survey"][:4]): r["treasury_usd_bn"] for r in evidence.table("survey_holdings")
            if r["area"] == "Total" and r["survey"].endswith("-06") and r["treasury_usd_bn"]}
    stock = outstanding(evidence)
    years = np.arange(min(held, default=0), max(held, default=-1) + 1)
    june = [period_number(f"{y}-06", "M") for y in years]
    share = np.array([100.0 * held[y] / stock.on(m, m + 1)[0] if y in held else np.nan
                      for y, m in zip(years, june, strict=True)])
    number, (two, ten) = align(evidence.monthly("rates_monthly.GS2"), evidence.monthly("rates_monthly.GS10"))
    x, y = 1e4 * difference(two), 1e4 * difference(ten)
    u = regress(y, [x], number, 3, ["Δy2"], OFFICIAL.id).residuals()
    level = Monthly(int(number[0]), np.nancumsum(u))
    rest = np.array([level.on(m, m + 1)[0] for m in june])
    if np.isfinite(share).sum() < 14:
        raise SeriesMissing("tic.flows.official.treas_net", "acm.ACMY10", "acm.ACMRNY10")
    main = regress(difference(rest), [difference(share)], years, 1, ["Δ foreign share"], OFFICIAL.id)
    return from_regression(
        OFFICIAL, main, Region(-MATERIAL, MATERIAL), "bp per 1 pp of outstanding",
        ("Δ foreign share of Treasuries outstanding, pp a year", "Δ ten-year beyond the two-year, bp a year"),
        "Y",
        series=("configs/foreign_holdings_by_survey.csv", "configs/markets.toml", "rates_monthly.GS2",
                "rates_monthly.GS10"), caveats=(SURVEY, "All foreigners, not official ones alone; a share "
                                                        "also falls when the Treasury issues "
                                                        "more."), pandemic=True)


def private_flows(evidence: Evidence) -> Draft:
    """Private purchases and the premium, with the official ones beside them."""
    needed = ("tic.flows.official.treas_net", "tic.flows.total.treas_net", "acm.ACMY10", "acm.ACMRNY10")
    evidence.need(*needed)
    flow, premium = purchases(evidence, "private"), term_premium(evidence)
    main = _flow_regression(evidence, flow, premium, PRIVATE.id)
    official = _flow_regression(evidence, purchases(evidence, "official"), premium, PRIVATE.id)
    same = np.isin(official.periods, main.periods[main.rows])
    unit = "bp per 1% of outstanding"
    others = (*variant("official purchases, same months", official, unit, keep=same),
              *variant("within the month (impact)",
                       _flow_regression(evidence, flow, premium, PRIVATE.id, 1, 3), unit))
    return from_regression(
        PRIVATE, main, Region(-MATERIAL, MATERIAL), unit,
        ("private purchases over 12 months, % of outstanding", "Δ₁₂ term premium, bp"), series=needed,
        others=others,
        pandemic=True)


def japan(evidence: Evidence) -> Draft:
    """US official flows on Japan's ten-year, net of Germany's."""
    needed = ("tic.flows.official.treas_net", "sovereign10y.JP", "sovereign10y.DE")
    evidence.need(*needed)
    flow = purchases(evidence, "official")
    number, (dy, total, stock, de) = align(
        evidence.monthly("sovereign10y.JP").map(lambda v: 100 * v).change(YEAR), flow.total(YEAR),
        outstanding(evidence).lag(YEAR),
        evidence.monthly("sovereign10y.DE").map(lambda v: 100 * v).change(YEAR))
    main = regress(dy, [100 * total / stock, de], number, LAGS, ["flow", "Δ Germany"], JAPAN.id)
    us_number, (us, total, stock, de) = align(
        evidence.monthly("rates_monthly.GS10").map(lambda v: 1e4 * v).change(YEAR), flow.total(YEAR),
        outstanding(evidence).lag(YEAR),
        evidence.monthly("sovereign10y.DE").map(lambda v: 100 * v).change(YEAR))
    unit = "bp per 1% of outstanding"
    same = regress(us, [100 * total / stock, de], us_number, LAGS, ["flow", "Δ Germany"], JAPAN.id)
    return from_regression(
        JAPAN, main, Region(-MATERIAL, MATERIAL), unit,
        ("official purchases of US Treasuries over 12 months, % of outstanding", "Δ₁₂ Japan's ten-year, bp"),
        series=needed, others=variant("the same regression for the US ten-year", same, unit))
