"""China's exit from Treasuries: who bought instead, and did yields notice?

    Δ₃ H(others) = a + b Δ₃ H(China) + c Δ₃ y10 + e       quarters of three months, USD bn, end of period

The controls take out the common valuation of holdings at market prices.  b = −1: other foreigners bought what
China sold; b = 0: residents did.  Accounting of the exit: the change of every holder from China's largest
holding to the last month; the sum of the parts is the change of the total.
"""

from __future__ import annotations

import numpy as np

from factors.claims.drafts import Draft, Wording, attempt, exact, from_regression, signed, variant
from factors.claims.regressions import Regression, regress
from factors.claims.saving import difference
from factors.claims.series import Evidence, Monthly, SeriesMissing, align, period_label, period_number
from factors.claims.verdicts import Region

SECOND = "news article on foreigners' USD 27.6 tn (early 2026)"
PREFIX = "tic.holders."
CUSTODY = {"united_kingdom": "United Kingdom", "belgium": "Belgium", "ireland": "Ireland",
           "luxembourg": "Luxembourg", "switzerland": "Switzerland", "cayman_islands": "Cayman Islands"}
EUROPE = ("united_kingdom", "belgium", "ireland")
SHOWN = {"japan": "Japan", "taiwan": "Taiwan", "india": "India", "canada": "Canada", "france": "France",
         "brazil": "Brazil", "hong_kong": "Hong Kong", "norway": "Norway", "singapore": "Singapore"}
EXIT = "2011-09"
CUSTODY_CAVEATS = (
    "Custody: TIC records where a security is held. China's own bonds may sit in Belgium or London, so part "
    "of the offset can be China itself; the coefficient cannot tell.",
    "Holdings are at market value and jump at annual benchmark surveys (June); the ten-year yield takes out "
    "part of the valuation.",
    "Agency bonds and dollars outside Treasuries are not seen.")

REPLACED = Wording(
    "D8-offset", "Holders", "Others filled the void China left",
    "China cut its Treasuries and other foreigners, European centres first, took its place.", SECOND,
    "Δ₃ H(all others) = a + b Δ₃ H(China) + c Δ₃ y10 + e", "b below −0.3 (others replace at least a third)",
    "b −0.6 to −1, custody effects included", CUSTODY_CAVEATS)
EUROPEAN = Wording(
    "D8-europe", "Holders", "Britain, Belgium and Ireland were the ones",
    "The British, Belgian and Irish holdings rose as the Chinese fell.", SECOND,
    "Δ₃ H(UK + Belgium + Ireland) = a + b Δ₃ H(China) + c Δ₃ y10 + e", "b below 0",
    "b below 0, through custody at Euroclear and London", CUSTODY_CAVEATS)
NO_SPIKE = Wording(
    "D8-yields", "Holders", "China's sales did not move yields",
    "China reduced its Treasuries without a spike of yields.", SECOND,
    "Δ₃ (y10 − b̂ y2) = a + b Δ₃ H(China)/outstanding + e",
    "b within ±2 bp per 1% of outstanding", "b −2 to −20",
    (*CUSTODY_CAVEATS[:1], "Valuation runs the other way: a higher yield lowers the measured holding, which "
                           "makes b more negative than the flow effect.",
     "China sold while others and the Federal Reserve bought: a net effect of zero is not an elasticity of "
     "zero."))


def test_holders(evidence: Evidence) -> list[Draft]:
    """The three claims about China's exit."""
    return [attempt(REPLACED, replaced, evidence), attempt(EUROPEAN, europeans, evidence),
            attempt(NO_SPIKE, china_and_yields, evidence)]


def replaced(evidence: Evidence) -> Draft:
    """By month where the holders are imported, else by annual survey."""
    try:
        return all_others(evidence)
    except SeriesMissing as missing:
        return by_survey(evidence, missing.ids)


def holdings(evidence: Evidence, *names: str) -> list[Monthly]:
    """Treasury holdings by month, USD bn."""
    ids = [PREFIX + n for n in names]
    evidence.need(*ids)
    return [evidence.monthly(i) for i in ids]


def _offset(evidence: Evidence, others: Monthly, china: Monthly, claim: str) -> Regression:
    ten = evidence.monthly("rates_monthly.GS10").map(lambda v: 1e2 * v)
    number, (y, x, rate) = align(others.change(3), china.change(3), ten.change(3))
    rows = number % 3 == 2  # quarter ends: no overlap
    return regress(y[rows], [x[rows], rate[rows]], number[rows] // 3, 2, ["Δ China", "Δ y10"], claim)


def _since_exit(regression: Regression) -> np.ndarray:
    return regression.periods >= period_number(EXIT, "M") // 3


def all_others(evidence: Evidence) -> Draft:
    """Everybody but China against China, since its holdings stopped rising."""
    china, total = holdings(evidence, "china_mainland", "grand_total")
    number, (c, t) = align(china, total)
    rest = Monthly(int(number[0]), t - c)
    full = _offset(evidence, rest, china, REPLACED.id)
    late = _since_exit(full)
    main = _only(full, late)
    good = np.isfinite(c) & np.isfinite(t)
    peak = int(np.nanargmax(np.where(good, c, np.nan)))
    last = int(np.flatnonzero(good)[-1])
    span = f"{period_label(number[peak], 'M')} to {period_label(number[last], 'M')}"
    parts = []
    for name, words in {**CUSTODY, **SHOWN}.items():
        if evidence.has(PREFIX + name):
            held = evidence.monthly(PREFIX + name).on(int(number[0]), int(number[-1]) + 1)
            if np.isfinite(held[peak]) and np.isfinite(held[last]):
                parts.append((words, float(held[last] - held[peak])))
    left, came = float(c[last] - c[peak]), float(t[last] - t[peak])
    listed = sum(v for _, v in parts)
    rows = [("China, Mainland", left), *sorted(parts, key=lambda p: -p[1])]
    rows.append(("all other holders", came - left - listed))
    others = (exact("China since its largest holding", left, "USD bn", span),
              exact("all foreigners over the same months", came, "USD bn", span),
              *(exact(words, value, "USD bn", span) for words, value in rows[1:4]),
              *variant("full sample", full, "USD per USD", "Q"))
    return from_regression(
        REPLACED, main, Region(high=-0.3), "USD per USD", ("Δ China, USD bn a quarter", "Δ others, USD bn"),
        "Q",
        series=(PREFIX + "china_mainland", PREFIX + "grand_total", "rates_monthly.GS10"), others=others,
        pandemic=True,
        words=f"From {span} China's holding changed by {signed(left)} bn and all foreigners' by "
              f"{signed(came)} bn.",
    ).plus(chart={"kind": "bars", "unit": "USD bn", "decimals": 0, "title": f"Change of holdings, {span}",
                  "rows": [(name, round(v, 1), None, None) for name, v in rows]})


def europeans(evidence: Evidence) -> Draft:
    """The three centres named, and Luxembourg, Switzerland and Cayman beside them."""
    china, *three = holdings(evidence, "china_mainland", *EUROPE)
    number, columns = align(*three)
    main = _offset(evidence, Monthly(int(number[0]), np.sum(columns, axis=0)), china, EUROPEAN.id)
    late = _only(main, _since_exit(main))
    others = []
    for name in (*EUROPE, "luxembourg", "japan"):
        if evidence.has(PREFIX + name):
            one = _offset(evidence, evidence.monthly(PREFIX + name), china, EUROPEAN.id)
            others += variant({**CUSTODY, **SHOWN}[name], one, "USD per USD", "Q", keep=_since_exit(one))
    return from_regression(
        EUROPEAN, late, Region(high=0.0), "USD per USD",
        ("Δ China, USD bn a quarter", "Δ UK + Belgium + Ireland"), "Q",
        series=tuple(PREFIX + n for n in ("china_mainland", *EUROPE)), others=tuple(others), pandemic=True)


def china_and_yields(evidence: Evidence) -> Draft:
    """The ten-year beyond its usual answer to the two-year, on China's change over Treasuries outstanding."""
    from factors.claims.yields import MATERIAL, outstanding

    (china,) = holdings(evidence, "china_mainland")
    number, (two, ten) = align(evidence.monthly("rates_monthly.GS2"), evidence.monthly("rates_monthly.GS10"))
    x, y = 1e4 * difference(two), 1e4 * difference(ten)
    u = regress(y, [x], number, 3, ["Δy2"], NO_SPIKE.id).residuals()
    level = Monthly(int(number[0]), np.cumsum(np.nan_to_num(u)))
    months, (dy, dx, stock) = align(level.change(3), china.change(3), outstanding(evidence).lag(3))
    rows = months % 3 == 2
    main = regress(dy[rows], [100 * dx[rows] / stock[rows]], months[rows] // 3, 2, ["Δ China"], NO_SPIKE.id)
    late = _only(main, _since_exit(main))
    unit = "bp per 1% of outstanding"
    return from_regression(
        NO_SPIKE, late, Region(-MATERIAL, MATERIAL), unit,
        ("Δ China, % of outstanding a quarter", "Δ ten-year beyond the two-year, bp"), "Q",
        series=(PREFIX + "china_mainland", "rates_monthly.GS2", "rates_monthly.GS10", "configs/markets.toml"),
        others=variant("full sample", main, unit, "Q"), pandemic=True)


def by_survey(evidence: Evidence, wanted: tuple[str, ...]) -> Draft:
    """The same identity on the embedded annual surveys (long-term Treasuries, end of June)."""
    table: dict[str, dict[int, float]] = {}
    for row in evidence.table("survey_holdings"):
        if row["survey"].endswith("-06") and row["treasury_usd_bn"] is not None:
            table.setdefault(row["area"], {})[int(row["survey"][:4])] = row["treasury_usd_bn"]
    china, total = table.get("China", {}), table.get("Total", {})
    years = np.arange(min(total, default=0), max(total, default=-1) + 1)
    c = np.array([china.get(int(y), np.nan) for y in years])
    t = np.array([total.get(int(y), np.nan) for y in years])
    ten = evidence.monthly("rates_monthly.GS10")
    rate = np.array([1e2 * ten.on(m, m + 1)[0] for m in (period_number(f"{y}-06", "M") for y in years)])
    if (np.isfinite(c) & np.isfinite(t)).sum() < 14:
        return Draft(REPLACED, missing=wanted)
    main = regress(difference(t - c), [difference(c), difference(rate)], years, 1, ["Δ China", "Δ y10"],
                   REPLACED.id)
    peak, last = int(np.nanargmax(c)), int(np.flatnonzero(np.isfinite(c))[-1])
    span = f"June {years[peak]} to June {years[last]}"
    parts = [(area, rows[int(years[last])] - rows[int(years[peak])]) for area, rows in table.items()
             if area not in ("China", "Total") and int(years[last]) in rows and int(years[peak]) in rows]
    left, came = float(c[last] - c[peak]), float(t[last] - t[peak])
    rows = [("China", left), *sorted(parts, key=lambda p: -p[1])]
    rows.append(("all other holders", came - left - sum(v for _, v in parts)))
    return from_regression(
        REPLACED, main, Region(high=-0.3), "USD per USD", ("Δ China, USD bn a year", "Δ others, USD bn"), "Y",
        series=("configs/foreign_holdings_by_survey.csv", "rates_monthly.GS10"),
        others=(exact("China since its largest holding", left, "USD bn", span),
                exact("all foreigners over the same years", came, "USD bn", span)),
        caveats=("Annual surveys, long-term Treasuries: few observations. Monthly holders: "
                 + ", ".join(wanted) + ".",),
    ).plus(chart={"kind": "bars", "unit": "USD bn", "decimals": 0, "title": f"Change of holdings, {span}",
                  "rows": [(name, round(float(v), 1), None, None) for name, v in rows]})


def _only(regression: Regression, keep: np.ndarray) -> Regression:
    """The regression on the rows *keep* alone."""
    return Regression(regression.y[keep], regression.X[keep], regression.periods[keep], regression.lags,
                      regression.names, regression.of, regression.seed)
