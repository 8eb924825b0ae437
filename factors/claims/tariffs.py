"""Tariffs: do they lift the dollar, and did they shrink the deficit?

Event study: the dollar's move over the two trading days around each announcement (from the close before to
the close after the first trading day on which it was known), less the average two-day move of the years
around.  The placebo is the same average over as many dates drawn from the same years, 9,999 times; windows do
not overlap.

Deficit: goods and services balance over GDP on a dummy for the tariff period; a single episode.
"""

from __future__ import annotations

import numpy as np

from factors.claims.drafts import Draft, Wording, attempt, estimate_of, exact, from_regression, variant
from factors.claims.regressions import CONFIDENCE, Measured, TooShort, regress, seed_of
from factors.claims.saving import NIPA, shares
from factors.claims.series import Evidence, period_number
from factors.claims.verdicts import Region
from factors.claims.yields import REPORT

ESCALATIONS = {
    "2018-01-23": "safeguard tariffs on washers and solar cells",
    "2018-03-01": "steel and aluminium announced",
    "2018-03-22": "section 301 memorandum", "2018-04-03": "list of 50 bn published",
    "2018-06-15": "25% on 50 bn decided", "2018-07-11": "list of 200 bn published",
    "2018-09-18": "10% on 200 bn decided", "2019-05-06": "10% to 25% on 200 bn announced",
    "2019-05-31": "tariff on Mexico announced", "2019-08-01": "10% on 300 bn announced",
    "2019-08-23": "all rates raised after retaliation",
}
RELIEFS = {"2018-12-03": "truce of Buenos Aires", "2019-07-01": "truce of Osaka",
           "2019-10-11": "phase one agreed",
           "2019-12-13": "phase one announced"}
"""First trading day on which each was known. Dates recalled from the public record (mark R)."""
YEARS = ("2017-01-01", "2019-12-31")
PLACEBOS = 9999
FEWEST_EVENTS = 8

DOLLAR = Wording(
    "D6-dollar", "Tariffs", "Tariffs strengthen the dollar",
    "Tariffs raise the dollar, through safe-haven flows and easier money abroad, and so defeat themselves.",
    REPORT, "mean over announcements of [s(+1) − s(−1)] − mean of all two-day moves, % (dollar up = +)",
    "above 0",
    "sign unstable: 2018 +7.5% on the DXY over nine months, other episodes the opposite; at most a fifth of "
    "the dollar's rise (Jeanne and Son)",
    ("Eleven announcements of one trade war; the Federal Reserve tightened in the same years.",
     "A two-day window misses what was expected before and what followed slowly.",
     "January 2018: the Treasury Secretary's words for a weak dollar fell into the first window (recalled).",
     "Dates are recalled; what the market expected on each is not controlled for."))
DEFICIT = Wording(
    "D6-deficit", "Tariffs", "Tariffs left the deficit larger",
    "The tariffs of 2018–19 did not reduce the trade deficit; it rose.", REPORT,
    "NX/GDP = a + b 1[2018Q3 … 2019Q4] + e, 2016Q1–2019Q4", "b below 0",
    "b about 0: the balance moves with S − I",
    ("One episode: the tax cut of 2018 lowered government saving at the same time, which alone predicts b < "
     "0.",
     "The bilateral balance with China did shrink; the total is what the claim is about."))


def test_tariffs(evidence: Evidence) -> list[Draft]:
    """The two claims about tariffs."""
    return [attempt(DOLLAR, announcements, evidence), attempt(DEFICIT, deficit, evidence)]


def daily_dollar(evidence: Evidence) -> tuple[np.ndarray, np.ndarray, str]:
    """Trading days, log of the dollar (up = the dollar rose), and its name."""
    if evidence.has("DTWEXBGS"):
        dates, values = evidence.read("DTWEXBGS")
        return dates, np.log(values), "DTWEXBGS"
    names = [c for c, w in evidence.weights.items() if w > 0]
    read = {c: evidence.read(f"fx_daily.{c}") for c in names}
    dates = read["EUR"][0]
    for days, _ in read.values():
        dates = np.intersect1d(dates, days)
    level = np.zeros(len(dates))
    for c in names:
        days, values = read[c]
        level -= evidence.weights[c] * np.log(values[np.searchsorted(days, dates)])
    return dates, level, "fixed-weight basket of H.10 noon rates"


def announcements(evidence: Evidence) -> Draft:
    """Average abnormal move, placebo dates, and the same for truces."""
    dates, level, source = daily_dollar(evidence)
    inside = (dates >= np.datetime64(YEARS[0])) & (dates <= np.datetime64(YEARS[1]))
    where = np.flatnonzero(inside)
    where = where[(where > 0) & (where < len(dates) - 1)]
    if len(where) < 500:
        raise TooShort("the daily dollar does not cover the tariff years")
    window = np.full(len(dates), np.nan)
    window[1:-1] = 100.0 * (level[2:] - level[:-2])
    average = float(window[where].mean())
    moves = _around(ESCALATIONS, dates, window - average)
    reliefs = _around(RELIEFS, dates, window - average)
    if len(moves) < FEWEST_EVENTS:
        raise TooShort(f"{len(moves)} announcements")
    values = np.array(list(moves.values()))
    measured = against_placebo(values, window[where] - average, DOLLAR.id)
    at = int(np.argmax(np.abs(values - values.mean())))
    name = list(moves)[at]
    rest = against_placebo(np.delete(values, at), window[where] - average, DOLLAR.id)
    first, last = (int(np.searchsorted(dates, np.datetime64(d))) for d in ("2018-03-21", "2018-12-24"))
    eased = () if not reliefs else (estimate_of(
        f"{len(reliefs)} truces",
        against_placebo(np.array(list(reliefs.values())), window[where] - average, DOLLAR.id),
        "%", note="below 0 if tariffs lift the dollar"),)
    ups = int((values > 0).sum())
    rows = [(f"{d} {ESCALATIONS[d]}", round(v, 3), None, None) for d, v in moves.items()]
    return Draft(
        DOLLAR, ("DTWEXBGS",) if source == "DTWEXBGS" else ("fx_daily.*",), Region(low=0.0), measured, "%",
        f"{next(iter(moves))} to {list(moves)[-1]}",
        words=f"The dollar rose in {ups} of {len(values)} windows. The dollar is {source}.",
        others=(exact("windows in which the dollar rose", ups / len(values), "share", n=len(values)),
                *eased,
                exact("dollar from 21 March to 24 December 2018", 100 * (level[last] - level[first]), "%",
                      note="the Federal Reserve raised rates three times in these months")),
        influential=name, without=((f"without {name}", rest),),
        chart={"kind": "bars", "unit": "% over two days, less the average", "decimals": 2, "rows": rows,
               "title": "The dollar around tariff announcements"})


def _around(events: dict[str, str], dates: np.ndarray, window: np.ndarray) -> dict[str, float]:
    """Date → move around it, for the events whose window is over and known."""
    at = {d: int(np.searchsorted(dates, np.datetime64(d))) for d in events}
    return {d: float(window[i]) for d, i in at.items() if i < len(dates) and np.isfinite(window[i])}


def against_placebo(values: np.ndarray, everything: np.ndarray, claim: str) -> Measured:
    """Mean of *values* against means of as many non-overlapping windows drawn from *everything*."""
    rng = np.random.default_rng(seed_of(claim))
    half = len(everything) // 2
    picks = np.argsort(rng.random((PLACEBOS, half)), axis=1)[:, :len(values)] * 2
    placebo = everything[picks].mean(axis=1)
    placebo = placebo - placebo.mean()
    se = float(placebo.std(ddof=1))
    reach = float(np.quantile(np.abs(placebo), CONFIDENCE))
    value = float(values.mean())
    return Measured(value, se, value - reach, value + reach, len(values), placebo / se)


def deficit(evidence: Evidence) -> Draft:
    """Net exports over GDP before and under the tariffs."""
    number, (net,) = shares(evidence, "NETEXP")
    low, high = period_number("2016", "Q"), period_number("2020", "Q")
    rows = (number >= low) & (number < high)
    tariff = (number >= period_number("2018Q3", "Q")).astype(float)
    main = regress(net[rows], [tariff[rows]], number[rows], 2, ["tariff period"], DEFICIT.id)
    _, (saving, investment) = shares(evidence, "GSAVE", "GPDI")
    gap = regress((saving - investment)[rows], [tariff[rows]], number[rows], 2, ["tariff period"], DEFICIT.id)
    return from_regression(
        DEFICIT, main, Region(high=0.0), "% of GDP", ("tariff period (0, 1)", "net exports, % of GDP"), "Q",
        series=(NIPA + "NETEXP", NIPA + "GDP"),
        others=variant("S − I over the same quarters", gap, "% of GDP", "Q"))
