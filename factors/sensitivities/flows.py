"""Do foreign purchases move the term premium, the dollar and equities? Local projections on TIC flows.

    Treasuries bought, % of outstanding                →  ACM term premium, ACM expected path, 10-year, bp
    all long-term securities, share of yearly GDP      →  broad dollar, log
    equity bought, share of the market                 →  S&P 500, log

each for official, private and all buyers.  TIC long-term securities (Bertaut and Tryon 2007, Bertaut and
Judson 2014 to 2020, SLT since; most flows of 2021–22 were not published).  Private = total − official, from
2011. Custody in London or Brussels hides official buyers.

The published priors come from instruments or events.  These projections have no instrument, so a coefficient
here is as much an answer of flows to prices as an effect on them: the rows are marked as not identified.
"""

from __future__ import annotations

import numpy as np

from factors.sensitivities.observations import Observations, moves
from factors.sensitivities.prior import Findings
from factors.sensitivities.projections import CONTROL_LAGS, Projection, project
from riskengine.base.sensitivity import LocalProjection
from riskengine.data.market_stocks import foreign_share_of_equity, stock_outstanding

START = "1990-01"
CLASSES = ("treas", "agcy", "corp", "stk")
CAVEAT = "no instrument: flows also answer prices"
SINGLE = "an association, no instrument"


def flow_rows(found: Findings) -> None:
    """Projections and the coefficients at the horizons that the engine's parameters speak of."""
    for holders in ("official", "private", "total"):
        for response in ("premium", "path", "yield"):
            found.attempt(f"flow.{response}.{holders}", "flows",
                          lambda h=holders, r=response: _treasury(found, h, r))
        found.attempt(f"flow.dollar.{holders}", "flows", lambda h=holders: _dollar(found, h))
        found.attempt(f"flow.equity.{holders}", "flows", lambda h=holders: _equity(found, h))


def purchases(seen: Observations, holders: str, classes: tuple[str, ...]) -> np.ndarray:
    """(T,) net purchases of long-term US securities, USD bn a month; NaN where any class is missing."""
    if holders == "private":
        return purchases(seen, "total", classes) - purchases(seen, "official", classes)
    return sum(seen.average(f"tic.flows.{holders}.{c}_net") for c in classes) / 1000.0


def on_months(seen: Observations, dates: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(T,) log-linear interpolation of year-end stocks; the last known one carried on, NaN before the
    first."""
    ends = (seen.months + 1).astype("datetime64[D]").astype(np.int64) - 1
    at = dates.astype(np.int64)
    out = np.exp(np.interp(ends, at, np.log(values)))
    return np.where(ends >= at[0], out, np.nan)


def _treasury(found: Findings, holders: str, response: str) -> None:
    seen = found.observations
    stock = on_months(seen, *stock_outstanding("treasury", seen.as_of))
    x = 100.0 * purchases(seen, holders, ("treas",)) / stock
    if response == "yield":
        y, words = 100.0 * seen.ten_year("month_end"), "10-year yield"
    else:
        path = seen.month_end("acm.ACMRNY10")
        premium = seen.month_end("acm.ACMY10") - path
        y, words = (100.0 * premium, "ACM 10-year term premium") if response == "premium" else (
            100.0 * path, "ACM expected path, 10 years")
    extra = moves(seen.ten_year("month_end", "2Y"))[:, None] if response == "premium" else None
    name = f"purchases of Treasuries, {holders}"
    got = project(y, seen.since(seen.months, x, START), seen.months, [words, name, "2-year"], extra)
    controls = f"{CONTROL_LAGS} lags of both" + (", the 2-year of the month" if extra is not None else "")
    _keep(found, f"flow.{response}.{holders}", got, words, f"{name}, 1% of outstanding", holders, "bp",
          controls)
    if response != "premium":
        return
    official = holders == "official"
    for h, row, prior, parameter in ((0, "ust_impact", "parameter.ust_impact_per_1pct_outstanding",
                                      "ust_impact_per_1pct_outstanding"),
                                     (12, "ust_long_run", "flow_long_run.official", "")):
        found.add(f"{row}.{holders}", got.fits[h], group="flows", sign=-1.0,
                  dependent=f"{words}, {'month of the flow' if h == 0 else 'twelve months on'}, sign turned",
                  regressor=f"{name}, 1% of outstanding", unit="bp per 1% of outstanding",
                  prior=prior if official else "",
                  engine="prior" if official and parameter else "diagnostic",
                  used_as=parameter if official else "",
                  note=CAVEAT if official else SINGLE, method="local projection", identified=False,
                  checks=h == 0,
                  keep_fit="bp" if official and h == 0 else "")


def _dollar(found: Findings, holders: str) -> None:
    seen = found.observations
    log_dollar, dollar = seen.broad_dollar("month_end")
    gdp = _monthly_gdp(seen)
    x = purchases(seen, holders, CLASSES) / gdp
    name = f"purchases of long-term securities, {holders}"
    got = project(-log_dollar, seen.since(seen.months, x, START), seen.months, [f"{dollar} dollar", name])
    _keep(found, f"flow.dollar.{holders}", got, f"{dollar} dollar, + = it rises",
          f"{name}, 1% of yearly GDP", holders, "%",
          f"{CONTROL_LAGS} lags of both")
    total = holders == "total"
    found.add(f"dollar_flow.{holders}", got.fits[3], group="flows",
              dependent=f"{dollar} dollar, three months on",
              regressor=f"{name}, share of yearly GDP", dollar=dollar, unit="log points per unit of GDP",
              prior="parameter.gamma_broad_per_gdp" if total else "",
              engine="prior" if total else "diagnostic",
              used_as="gamma_broad_per_gdp" if total else "", note=CAVEAT if total else SINGLE,
              method="local projection", identified=False,
              keep_fit="log" if total else "")


def _equity(found: Findings, holders: str) -> None:
    seen = found.observations
    position = seen.month_end("tic.flows.total.stk_pos") / 1000.0
    years = seen.months.astype(np.int64) / 12.0 + 1970.0
    market = position / foreign_share_of_equity(years)
    before = np.r_[np.nan, market[:-1]]  # the stock of the month before: not moved by the return of the month
    x = purchases(seen, holders, ("stk",)) / before
    name = f"purchases of equity, {holders}"
    got = project(seen.sp500("month_end"), seen.since(seen.months, x, START), seen.months, ["S&P 500", name])
    _keep(found, f"flow.equity.{holders}", got, "S&P 500", f"{name}, 1% of the market", holders, "%",
          f"{CONTROL_LAGS} lags of both")
    total = holders == "total"
    found.add(f"equity_flow.{holders}", got.fits[3], group="flows", dependent="S&P 500, three months on",
              regressor=f"{name}, share of the market", unit="log price per share of the market",
              prior="parameter.equity_multiplier" if total else "", engine="prior" if total else "diagnostic",
              used_as="equity_multiplier" if total else "", note=CAVEAT if total else SINGLE,
              method="local projection", identified=False)


def _monthly_gdp(seen: Observations) -> np.ndarray:
    """(T,) nominal GDP, USD bn a year: the quarter's figure for each of its months, the last known carried
    on."""
    gdp = seen.vector("panel:external_saving_quarterly.GDP", "quarter_end")
    known = np.flatnonzero(np.isfinite(gdp))
    at = (np.arange(len(seen.months)) // 3).clip(known[0], known[-1])
    return np.where(np.arange(len(seen.months)) // 3 >= known[0], gdp[at], np.nan)


def _keep(found: Findings, row_id: str, got: Projection, response: str, impulse: str, holders: str, unit: str,
          controls: str) -> None:
    """unit '%': responses in log per share of 1 are the same number in % per 1%."""
    found.projections.append(LocalProjection(
        row_id, response, impulse, holders, unit, tuple(got.horizons), tuple(float(v) for v in got.beta),
        tuple(float(v) for v in got.se), tuple(int(v) for v in got.lags), tuple(int(v) for v in got.n),
        str(got.first), str(got.last), controls, SINGLE))
