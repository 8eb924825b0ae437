"""Does the dollar move most against Asia?

    mean Asian move − mean other move = a + b (move of the broad dollar) + e,
    monthly, log points, dollar up = +

b > 0: Asian currencies move more than the others when the dollar moves.  Each currency's own beta stands
beside it. A currency is part of the index it is regressed on, which lifts the betas of large weights (EUR,
CNY, MXN, CAD).
"""

from __future__ import annotations

import numpy as np

from factors.claims.drafts import Draft, Wording, attempt, exact, from_regression, variant
from factors.claims.regressions import TooShort, regress
from factors.claims.series import Evidence, align, broad_dollar, period_number
from factors.claims.verdicts import Region
from factors.claims.yields import REPORT

ASIA = ("CNY", "JPY", "KRW", "TWD", "SGD", "THB", "MYR", "INR")
OTHERS = ("EUR", "GBP", "CHF", "CAD", "AUD", "NZD", "NOK", "SEK", "MXN", "BRL", "ZAR")
START = "2006-02"
FLOATS = {"CNY": "2005-08", "MYR": "2005-08"}
"""First month after a peg; earlier months are left out."""
PLAZA = ("1985-09", "1987-02")

WORDING = Wording(
    "D9", "Dollar", "A falling dollar falls mostly against Asia",
    "When inflows to the United States shrink, the dollar depreciates, and more so against Asian currencies.",
    REPORT,
    "mean Δ(Asia) − mean Δ(others) = a + b Δ(broad dollar) + e", "b above 0",
    "b below 0: managed Asian currencies move less than the dollar (betas below 1 except Korea)",
    ("Unconditional co-movement: an agreement that aims at Asian currencies is another experiment.",
     "Asian currencies are managed; that they moved little is policy, not a law.",
     "The Hong Kong dollar (pegged) is left out of both groups."))


def test_dollar(evidence: Evidence) -> list[Draft]:
    """The claim about the dollar and Asia."""
    return [attempt(WORDING, asia_against_others, evidence)]


def asia_against_others(evidence: Evidence) -> Draft:
    """The difference regression, every beta, falls alone, and Plaza."""
    dollar, source = broad_dollar(evidence)
    moves = {c: evidence.monthly(f"fx_monthly.{c}").log().change().map(lambda v: -v) for c in ASIA + OTHERS}
    moves = {c: m.since(FLOATS[c]) if c in FLOATS else m for c, m in moves.items()}
    number, (x, *columns) = align(dollar.change().since(START), *moves.values())
    table = dict(zip(moves, columns, strict=True))
    asia = _mean(table, ASIA)
    other = _mean(table, OTHERS)
    main = regress(asia - other, [x], number, 3, ["Δ broad dollar"], WORDING.id)
    bars = []
    for name in (*ASIA, *OTHERS):
        one = regress(table[name], [x], number, 3, ["Δ broad dollar"], WORDING.id + name)
        try:
            beta = one.fit(draws=499)
        except TooShort:
            continue
        bars.append((name + (" (Asia)" if name in ASIA else ""), round(beta.value, 3), round(beta.low, 3),
                     round(beta.high, 3)))
    bars.sort(key=lambda b: -b[1])
    falls = np.where(x < 0, x, np.nan)
    others = (
        *variant("mean Asian beta", regress(asia, [x], number, 3, ["Δ"], WORDING.id), "ratio"),
        *variant("mean beta of the others", regress(other, [x], number, 3, ["Δ"], WORDING.id), "ratio"),
        *variant("months of a falling dollar only",
                 regress(asia - other, [falls], number, 3, ["Δ"], WORDING.id), "ratio"),
        *_plaza(evidence))
    return from_regression(
        WORDING, main, Region(low=0.0), "ratio", ("Δ broad dollar", "Δ Asia − Δ others"), series=(
            "DTWEXBGS" if source == "DTWEXBGS" else "index weights of configs/impact/currencies.toml",
            *(f"fx_monthly.{c}" for c in (*ASIA, *OTHERS))), others=others, pandemic=True,
        words=f"The dollar is {source}.",
    ).plus(chart={"kind": "bars", "unit": "% per 1% of the broad dollar", "decimals": 2, "rows": bars,
                  "title": "Beta to the broad dollar"})


def _mean(table: dict[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray:
    block = np.array([table[n] for n in names])
    counts = np.isfinite(block).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.where(counts >= len(names) - 2, np.nansum(block, axis=0) / np.maximum(counts, 1), np.nan)


def _plaza(evidence: Evidence) -> list:
    """How far the dollar fell between the Plaza and the Louvre, by currency: an accord's own
    cross-section."""
    first, last = (period_number(m, "M") for m in PLAZA)
    rows = []
    for name in ("JPY", "CHF", "KRW", "TWD", "CNY"):
        level = evidence.monthly(f"fx_monthly.{name}").log()
        rows.append((name, -float(level.on(last, last + 1)[0] - level.on(first, first + 1)[0])))
    return [exact(f"Plaza to Louvre, dollar against {name}", 100.0 * np.expm1(v), "%",
                  f"{PLAZA[0]} to {PLAZA[1]}")
            for name, v in rows if np.isfinite(v)]
