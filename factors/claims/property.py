"""Are gateway cities more exposed to foreign capital than the rest?

China tightened personal purchases of foreign exchange from 1 January 2017; Chinese buyers concentrate in
gateway cities.  Difference in differences over the Case–Shiller metros:

    D_i = [ln p_i(t0 + 24) − ln p_i(t0)] − [ln p_i(t0) − ln p_i(t0 − 24)],
    b = mean D(gateway) − mean D(others)

with t0 = December 2016.  b < 0: gateways lost more momentum.  Inference: all ways of calling as many metros
'gateway' (Fisher's permutation test); placebo: the same b at every other month with four years of data around
it.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from factors.claims.drafts import Draft, Wording, attempt, estimate_of, exact
from factors.claims.regressions import CONFIDENCE, Measured, TooShort
from factors.claims.series import Evidence, align, period_label, period_number
from factors.claims.verdicts import Region
from factors.claims.yields import REPORT

GATEWAYS = ("los_angeles", "san_francisco", "new_york", "miami")
WIDER = (*GATEWAYS, "boston", "washington", "seattle", "san_diego")
OTHERS = ("atlanta", "boston", "charlotte", "chicago", "cleveland", "dallas", "denver", "detroit",
          "las_vegas",
          "minneapolis", "phoenix", "portland", "san_diego", "seattle", "tampa", "washington")
EVENT, SPAN = "2016-12", 24
MOST_PERMUTATIONS = 20_000

WORDING = Wording(
    "D11", "Property", "Gateway cities lose most when foreign buyers leave",
    "Property in the large cities that drew foreign money comes under more pressure when the money stops.",
    REPORT,
    "b = mean ΔΔ ln p(gateway metros) − mean ΔΔ ln p(other metros), 24 months around December 2016",
    "b below 0", "b below 0, of the order of 0.27% per 1% of foreign capital in exposed zip codes (Gorback "
                 "and Keys); near 0 for whole metros",
    ("A metro is not the exposed neighbourhood: the effect is diluted (foreign buyers are a few per cent of "
     "sales).",
     "The tax law of December 2017 capped deductions in the same expensive metros: a confounder with the "
     "same sign.",
     "Supply, not origin, separates gateways from the rest in every cycle; the placebo months show how "
     "often.",
     "Residential only: commercial property has no metro series here."))


def test_property(evidence: Evidence) -> list[Draft]:
    """The claim about gateway cities."""
    return [attempt(WORDING, gateways, evidence)]


def gateways(evidence: Evidence) -> Draft:
    """Permutation test of the difference in differences, placebo months, one metro left out at a time."""
    names = (*GATEWAYS, *OTHERS)
    ids = [f"case_shiller.{n}" for n in names]
    evidence.need(*ids)
    number, columns = align(*(evidence.monthly(i).log() for i in ids))
    level = 100.0 * np.array(columns)
    at = int(period_number(EVENT, "M") - number[0])
    bend = bends(level, at)
    if bend is None or not np.isfinite(bend).all():
        raise TooShort("not every metro has two years on each side")
    treated = np.arange(len(names)) < len(GATEWAYS)
    measured = permuted(bend, treated)
    placebo = []
    for t in range(SPAN, level.shape[1] - SPAN):
        other = bends(level, t)
        if other is not None and np.isfinite(other).all() and abs(t - at) > SPAN:
            placebo.append(other[treated].mean() - other[~treated].mean())
    shifts = [permuted(np.delete(bend, i), np.delete(treated, i)) for i in range(len(names))]
    most = int(np.argmax([abs(s.value - measured.value) for s in shifts]))
    wide = np.array([n in WIDER for n in names])
    label = names[most].replace("_", " ").title()
    index = level - level[:, at][:, None]
    window = np.arange(at - SPAN, at + SPAN + 1)
    from factors.claims.saving import lines_of
    return Draft(
        WORDING, tuple(ids), Region(high=0.0), measured, "%", f"24 months each side of {EVENT}, "
                                                              f"{len(names)} metros",
        others=(estimate_of("wider list (with Boston, Washington, Seattle, San Diego)", permuted(bend, wide),
                            "%"),
                exact("placebo months with a b as low", np.mean(np.array(placebo) <= measured.value), "share",
                      n=len(placebo), note="every month with four years around it, outside the window"),
                exact("bend of the gateways", bend[treated].mean(), "%"), exact("bend of the others",
                                                                               bend[~treated].mean(), "%")),
        influential=label, without=((f"without {label}", shifts[most]),),
        chart=lines_of(number[window], "M", f"log price, {period_label(number[at], 'M')} = 0, %",
                       ("gateways", index[treated][:, window].mean(axis=0)),
                       ("others", index[~treated][:, window].mean(axis=0))))


def bends(level: np.ndarray, at: int) -> np.ndarray | None:
    """(N,) growth over the SPAN months after less that over the SPAN before; None outside the sample."""
    if at - SPAN < 0 or at + SPAN >= level.shape[1]:
        return None
    return level[:, at + SPAN] - 2 * level[:, at] + level[:, at - SPAN]


def permuted(bend: np.ndarray, treated: np.ndarray) -> Measured:
    """Difference of means with its distribution over all relabellings (a random 20,000 when there are
    more)."""
    n, k = len(bend), int(treated.sum())
    value = float(bend[treated].mean() - bend[~treated].mean())
    total = bend.sum()
    every = list(combinations(range(n), k)) if _choose(n, k) <= MOST_PERMUTATIONS else None
    if every is None:
        rng = np.random.default_rng(n * 1000 + k)
        sums = np.array([bend[rng.permutation(n)[:k]].sum() for _ in range(MOST_PERMUTATIONS)])
    else:
        sums = bend[np.array(every)].sum(axis=1)
    means = sums / k - (total - sums) / (n - k)
    se = float(means.std())
    reach = float(np.quantile(np.abs(means), CONFIDENCE))
    return Measured(value, se, value - reach, value + reach, n, means / se)


def _choose(n: int, k: int) -> int:
    out = 1
    for i in range(k):
        out = out * (n - i) // (i + 1)
    return out
