"""Saving, investment and the external balance: identity, offset between sectors, oil, who adjusts first.

All from the national accounts (annual rates over GDP), embedded.  CA = S − I + residual: gross saving
includes government saving, but the investment at hand (GPDI) is private, so the residual is minus government
investment plus the statistical discrepancy and capital transfers.
"""

from __future__ import annotations

import numpy as np

from factors.claims.drafts import Draft, Wording, attempt, exact, from_regression, signed, variant
from factors.claims.regressions import regress
from factors.claims.series import Evidence, Monthly, align, period_label, period_number
from factors.claims.verdicts import Region

NIPA = "external_saving_quarterly."
RESIDUAL_TOLERANCE = 1.0
"""Per cent of GDP: statistical discrepancies of the size the accounts publish."""
KLITGAARD = "Klitgaard (2025), New York Fed"

IDENTITY = Wording(
    "D4", "Accounts", "Saving less investment is the current account",
    "The current account and the gap between domestic saving and investment are one number measured twice; "
    "they differ by statistical error only.", KLITGAARD,
    "CA = S − I + residual (sd of the residual ≤ 1% of GDP);  Δₕ(CA/GDP) = a + b Δₕ((S − I)/GDP) + e",
    "residual of the size of a statistical error; b = 1",
    "residual = −(government investment) + discrepancy; b below 1 at short horizons (error on both sides)",
    ("The investment at hand is private, so the residual contains government investment; its sign is "
     "negative by construction.", "NIPA balance (NETFI), not the ITA current account.",
     "An identity says nothing about what moves what."))
OFFSET = Wording(
    "D5", "Saving", "Household and government saving offset each other",
    "When government saving falls, household saving tends to rise, so that total saving moves less than its "
    "parts.",
    KLITGAARD, "Δ(S household/GDP) = a + b Δ(S government/GDP) + e",
    "b below 0", "−0.5 to −1, most of it from 2020–21 (transfers were deficit and saving at once); Ricardian "
    "estimates of normal times −0.2 to −0.5",
    ("A transfer is government dissaving and household income at once: b is accounting before it is "
     "behaviour.",
     "Revised data; both sides come from the same accounts, so an error in one is in the other."))
OIL = Wording(
    "D6-oil", "Saving", "Closing the oil deficit does not close the deficit",
    "The balance of a single item does not determine the total: the oil deficit of about 330 bn in 2011 was "
    "gone by 2019 and the current account was where it had been.", KLITGAARD,
    "Δ(CA/GDP) = a + b Δ(oil balance/GDP) + e", "b about 0 (composition does not move the total)",
    "about 0 in the long run, positive for a while (terms of trade)")
INVESTMENT_FIRST = Wording(
    "D4-adjust", "Saving", "Deficits shrink through lower investment first",
    "When the deficit narrows, lower investment does it at first, higher saving later.", KLITGAARD,
    "−Δ₄(I/GDP) = a + b Δ₄(CA/GDP) + e, quarters in which CA/GDP improved over the year",
    "b above 0.5 (investment does more than half within a year)",
    "above 0.5 in recessions (2001, 2008–09)",
    ("CA, S and I obey an identity: b and the share of saving add to one, up to the residual.",
     "Recessions lower investment and imports together; no causality."))


def test_saving(evidence: Evidence) -> list[Draft]:
    """The four claims about saving and investment."""
    return [attempt(IDENTITY, saving_identity, evidence), attempt(OFFSET, sector_offset, evidence),
            attempt(OIL, oil_balance, evidence), attempt(INVESTMENT_FIRST, investment_first, evidence)]


def shares(evidence: Evidence, *labels: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Quarter numbers and the series as per cent of GDP."""
    number, (gdp, *columns) = align(*(evidence.quarterly(NIPA + x) for x in ("GDP", *labels)))
    return number, [100.0 * c / gdp for c in columns]


def difference(values: np.ndarray, periods: int = 1) -> np.ndarray:
    """x(t) − x(t − periods), NaN at the start."""
    out = np.full(len(values), np.nan)
    out[periods:] = values[periods:] - values[:-periods]
    return out


def saving_identity(evidence: Evidence) -> Draft:
    """The residual against its tolerance, and how far the two sides move together at growing horizons."""
    names = ("NETFI", "GSAVE", "GPDI")
    number, (ca, saving, investment) = shares(evidence, *names)
    gap = saving - investment
    residual = ca - gap
    good = np.isfinite(residual)
    last = int(np.flatnonzero(good)[-1])
    recent = good & (number >= period_number("2000", "Q"))
    mean, spread = float(residual[recent].mean()), float(residual[recent].std(ddof=1))
    slopes = tuple(
        one for horizon, words in ((1, "a quarter"), (4, "a year"), (20, "five years"))
        for one in variant(f"b over {words}", regress(
            difference(ca, horizon), [difference(gap, horizon)], number, max(4, horizon), ["Δ(S − I)/GDP"],
            IDENTITY.id), "pp per pp", "Q"))
    words = (f"Residual since 2000: mean {signed(mean, 1)}%, standard deviation {spread:.1f}% of GDP; "
             f"tolerance for the standard deviation {RESIDUAL_TOLERANCE:.0f}% (the published discrepancy's "
             "range).")
    shown = good & (number >= period_number("1980", "Q"))
    return Draft(
        IDENTITY, tuple(NIPA + x for x in ("GDP", *names)), identity=(spread <= RESIDUAL_TOLERANCE, words),
        sample=f"{period_label(number[recent][0], 'Q')} to {period_label(number[last], 'Q')}",
        others=(exact("residual, mean since 2000", mean, "% of GDP", n=int(recent.sum())),
                exact("residual, standard deviation since 2000", spread, "% of GDP"),
                exact("residual, last quarter", residual[last], "% of GDP", period_label(number[last], "Q")),
                *slopes),
        chart=lines_of(number[shown], "Q", "% of GDP", ("CA", ca[shown]), ("S − I", gap[shown]),
                       ("residual", residual[shown])))


def sector_offset(evidence: Evidence) -> Draft:
    """Household on government saving, first differences over GDP."""
    names = ("PSAVE", "GGSAVE", "GPSAVE", "GSAVE")
    number, (household, government, private, total) = shares(evidence, *names)
    business = private - household
    d_household, d_government = difference(household), difference(government)
    regression = regress(d_household, [d_government], number, 4, ["Δ government saving"], OFFSET.id)
    since = number >= period_number("2000", "Q")
    outside = ~((number >= period_number("2020", "Q")) & (number < period_number("2022", "Q")))
    calm = since & outside
    parts = [float(np.nanstd(difference(x)[calm], ddof=1)) for x in (household, business, government)]
    whole = float(np.nanstd(difference(total)[calm], ddof=1))
    others = (
        *variant("since 2000", regression, "pp per pp", "Q", keep=since),
        *variant("since 2000, without 2020–21", regression, "pp per pp", "Q", keep=calm),
        *variant("business saving on government saving", regress(
            difference(business), [d_government], number, 4, ["Δ government saving"], OFFSET.id), "pp per pp",
                 "Q",
            note="placebo: no offset is claimed"),
        exact("volatility of total saving over the root of its parts' squares", whole / np.sqrt(
            sum(p * p for p in parts)), "ratio", "since 2000, without 2020–21", "below 1: the parts offset"))
    return from_regression(OFFSET, regression, Region(high=0.0), "pp per pp", (
        "Δ government saving, % of GDP", "Δ household saving, % of GDP"), "Q", pandemic=True,
        series=tuple(NIPA + x for x in ("GDP", *names)), others=others)


def oil_balance(evidence: Evidence) -> Draft:
    """The oil balance where imported; else the two years the source names, which decide nothing."""
    number, (ca,) = shares(evidence, "NETFI")
    levels = evidence.quarterly(NIPA + "NETFI")
    year = {y: slice(period_number(str(y), "Q") - number[0], period_number(str(y), "Q") - number[0] + 4)
            for y in (2011, 2019)}
    both = all(np.isfinite(ca[s]).sum() == 4 for s in year.values())
    facts: tuple = ()
    words = ""
    if both:
        dollars = {y: float(np.mean(levels.on(number[0], number[-1] + 1)[s])) for y, s in year.items()}
        share = {y: float(ca[s].mean()) for y, s in year.items()}
        facts = (*(exact(f"current account {y}", dollars[y], "USD bn", str(y), "NIPA basis") for y in year),
                 *(exact(f"current account {y}", share[y], "% of GDP", str(y)) for y in year))
        words = (f"In dollars the balance was {signed(dollars[2011])} bn in 2011 and "
                 f"{signed(dollars[2019])} bn in 2019; as a share of GDP it was {signed(share[2011], 1)}% "
                 f"and {signed(share[2019], 1)}%. The dollar figure supports the sentence, the share says "
                 "the deficit did narrow while the oil deficit went: two years decide nothing.")
    shown = np.isfinite(ca) & (number >= period_number("2000", "Q"))
    chart = lines_of(number[shown], "Q", "% of GDP", ("CA", ca[shown]))
    name = "trade.petroleum_balance"
    if not evidence.has(name):
        return Draft(OIL, (NIPA + "GDP", NIPA + "NETFI"), missing=(name,), words=words, others=facts,
                     chart=chart,
                     caveats=("The source calls 441 bn a larger deficit than 455 bn; in dollars it is "
                              "smaller.",))
    quarters, (oil, gdp, total) = align(evidence.quarterly(name, last=False),
                                        evidence.quarterly(NIPA + "GDP"), levels)
    regression = regress(difference(100 * total / gdp), [difference(100 * oil / gdp)], quarters, 4,
                         ["Δ oil balance"], OIL.id)
    return from_regression(OIL, regression, Region(-0.5, 0.5), "pp per pp", (
        "Δ oil balance, % of GDP", "Δ current account, % of GDP"), "Q", pandemic=True, words=words,
        series=(name, NIPA + "GDP", NIPA + "NETFI"), others=facts)


def investment_first(evidence: Evidence) -> Draft:
    """The share of lower investment in a year's improvement of the current account."""
    names = ("NETFI", "GSAVE", "GPDI")
    number, (ca, saving, investment) = shares(evidence, *names)
    improved = difference(ca, 4)
    improved = np.where(improved > 0, improved, np.nan)
    regression = regress(-difference(investment, 4), [improved], number, 8, ["Δ₄ CA/GDP"],
                         INVESTMENT_FIRST.id)
    later = np.full(len(ca), np.nan)
    later[:-4] = difference(saving, 4)[4:]
    others = (
        *variant("higher saving in the same year",
                 regress(difference(saving, 4), [improved], number, 8, ["Δ₄ CA"],
                                                           INVESTMENT_FIRST.id), "pp per pp", "Q"),
        *variant("higher saving in the year after", regress(later, [improved], number, 8, ["Δ₄ CA"],
                                                            INVESTMENT_FIRST.id), "pp per pp", "Q"),
        *variant("since 1980", regression, "pp per pp", "Q", keep=number >= period_number("1980", "Q")))
    return from_regression(INVESTMENT_FIRST, regression, Region(low=0.5), "pp per pp", (
        "improvement of CA over a year, % of GDP", "fall of investment over the year, % of GDP"), "Q",
                           pandemic=True,
        series=tuple(NIPA + x for x in ("GDP", *names)), others=others)


def lines_of(numbers: np.ndarray, time: str, unit: str, *lines: tuple[str, np.ndarray]) -> dict:
    """Chart data of lines over time."""
    per_year = {"M": 12, "Q": 4, "Y": 1}[time]
    base = 0 if time == "Y" else 1970
    return {"kind": "lines", "unit": unit, "x": [round(base + float(n) / per_year, 3) for n in numbers],
            "lines": [(name, [None if not np.isfinite(v) else round(float(v), 4) for v in y])
                      for name, y in lines]}


def as_quarterly(series: Monthly, total: bool) -> Monthly:
    """A monthly series by quarter: the sum of its three months (NaN unless all three), or the last month."""
    first = -(-series.start // 3) * 3
    months = series.on(first, series.end)
    months = months[: len(months) // 3 * 3].reshape(-1, 3)
    return Monthly(first // 3, months.sum(axis=1) if total else months[:, 2], "Q")
