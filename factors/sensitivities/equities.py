"""Equity index, sectors and baskets on the market, the dollar and rates; earnings on the dollar.

    r_SPX = a + b d + e                      d = log change of the dollar, + = the dollar rises
    r_SPX = a + β_path Δ2y − λ u + e         u = remainder of the 10-year (factors.sensitivities.rates)
    r_i   = a + b r_SPX + c d + g Δ10y + e   sectors and baskets, month-end closes
    Δ₄ ln EPS = a + c_0 s_t + c_1 s_{t−4} + f Δ₄ ln GDP + e   earnings channel, s = depreciation over a year

Dollar–equity betas are diagnostics: the engine moves equity by flow, earnings and discounting and adds none
of them (METHOD 7).  λ is confounded: premia rise with growth as well as with sales.
"""

from __future__ import annotations

import numpy as np

from factors.definitions import BROAD_DOLLAR_WEIGHTS, HAC_LAGS_MONTHLY
from factors.sensitivities.observations import DXY, change_over, lagged, log_of, moves, stack
from factors.sensitivities.prior import Findings, posterior_row
from factors.sensitivities.quantiles import TAUS, quantile_slopes
from factors.sensitivities.regression import QUARTERLY_MINIMUM, regress
from riskengine.base.sensitivity import QuantileFit

SECTORS = {"XLB": "materials", "XLC": "communication", "XLE": "energy", "XLF": "financials",
           "XLI": "industrials",
           "XLK": "technology", "XLP": "staples", "XLRE": "real estate", "XLU": "utilities",
           "XLV": "health care",
           "XLY": "discretionary"}
BASKETS = {"EXPORTERS": ("XLK", "XLB", "XLI"), "IMPORTERS": ("XLY", "XLP"), "DOMESTIC": ("XLU", "XLF")}
"""Equally weighted sector funds standing for the engine's baskets (assumption: sectors with the largest
foreign sales; consumer sectors that import; regulated and domestic sectors)."""
SECTOR_START = "2005-01"
EARNINGS = ("fredqd.s_and_p_500", "fredqd.s_and_p_pe_ratio")


def equity_rows(found: Findings) -> None:
    """Index, sectors, baskets, earnings and tails."""
    for name, first, last, ids in (("before_2008", "1973-02", "2007-12", ("DTWEXM",)),
                                   ("since_2008", "2008-02", None, DXY)):
        found.attempt(f"spx_on_dollar.{name}", "equity",
                      lambda n=name, a=first, b=last, i=ids: _index_on_dollar(found, n, a, b, i))
    found.attempt("spx_on_dollar.broad", "equity",
                  lambda: _index_on_dollar(found, "broad", "2006-02", None, None))
    found.attempt("spx_on_premium", "equity", lambda: _index_on_rates(found, "spx_on_premium"))
    found.attempt("spx_on_path", "equity", lambda: _index_on_rates(found, "spx_on_path"))
    found.attempt("earnings_on_dollar", "equity", lambda: _earnings(found))
    for fund, words in SECTORS.items():
        found.attempt(f"sector.{fund}", "equity", lambda f=fund, w=words: _three_rows(
            found, "sector", f, f"{w} ({f})", closes(found, f), "2005-01"))
    for basket, funds in BASKETS.items():
        found.attempt(f"basket.{basket}", "equity", lambda b=basket, f=funds: _three_rows(
            found, "basket", b, f"{b.lower()} basket ({', '.join(f)})", basket_return(found, f), "2005-01"))
    found.attempt("quantiles.spx", "equity", lambda: _tails(found))


def closes(found: Findings, fund: str) -> np.ndarray:
    """(T,) monthly return of a fund, per cent."""
    return moves(log_of(found.observations.month_end(f"etf.{fund}"), fund), 100.0)


def basket_return(found: Findings, funds: tuple[str, ...]) -> np.ndarray:
    """(T,) equally weighted monthly return, per cent; NaN where a fund is missing."""
    return stack([closes(found, f) for f in funds]).mean(axis=1)


def dollar_move(found: Findings) -> tuple[np.ndarray, str]:
    """(T,) monthly % change of the dollar, up = it rises, and its name: DXY where imported, else the broad
    one."""
    seen = found.observations
    held = [d for d in DXY if seen.has(d)]
    if held:
        return moves(log_of(seen.month_end(held[0]), "DXY"), 100.0), "DXY"
    log_dollar, name = seen.broad_dollar("month_end")
    return moves(-log_dollar, 100.0), name


def _index_on_dollar(found: Findings, name: str, first: str, last: str | None,
                     ids: tuple[str, ...] | None) -> None:
    seen = found.observations
    r = moves(seen.sp500("month_end"), 100.0)
    if ids is None:
        log_dollar, dollar = seen.broad_dollar("month_end")
        d = moves(-log_dollar, 100.0)
    else:
        source = seen.first_of(ids)
        d, dollar = moves(log_of(seen.month_end(source), source), 100.0), "major" if ids == ("DTWEXM",
            ) else "DXY"
    fit = regress(seen.since(seen.months, r, first, last), d, seen.months, HAC_LAGS_MONTHLY,
                  ["S&P 500", f"{dollar} dollar"])
    found.add(f"spx_on_dollar.{name}", fit, group="equity", dependent="S&P 500, month end",
              regressor=f"{dollar} dollar",
              dollar=dollar, unit="% per +1% of the dollar", prior=f"spx_on_dollar.{name}",
              note="the published sample used DXY" if dollar == "major" else "",
              keep_fit="%" if name != "before_2008" else "")


def _index_on_rates(found: Findings, row_id: str) -> None:
    seen = found.observations
    r = moves(seen.sp500("month_end"), 100.0)
    d2 = moves(seen.ten_year("month_end", "2Y"))
    d10 = moves(seen.ten_year("month_end"))
    start = "2000-01"
    split = regress(seen.since(seen.months, d10, start), d2, seen.months, HAC_LAGS_MONTHLY,
                    ["10-year", "2-year"])
    u = d10 - split.slopes[0] * d2
    fit = regress(seen.since(seen.months, r, start), stack([u, d2]), seen.months, HAC_LAGS_MONTHLY,
                  ["S&P 500", "remainder of the 10-year", "2-year"])
    if row_id == "spx_on_premium":
        found.add(row_id, fit, group="equity", sign=-1.0, dependent="S&P 500, month end, sign turned",
                  regressor="remainder of the 10-year (2-year held)", unit="% per 100 bp",
                  prior="parameter.equity_flow_term_premium", engine="prior",
                  used_as="equity_flow_term_premium",
                  note="λ: positive = equity falls when the premium rises; the remainder rises with "
                       "growth too", keep_fit="%",
                  identified=False)
    else:
        found.add(row_id, fit, group="equity", slope=1, dependent="S&P 500, month end",
                  regressor="2-year yield",
                  unit="% per 100 bp",
                  note="the engine takes the policy-path beta from the factor model's covariance")


def _three_rows(found: Findings, kind: str, name: str, words: str, r: np.ndarray, first: str) -> None:
    """Market, dollar and rates coefficient of one fund or basket."""
    seen = found.observations
    market = moves(seen.sp500("month_end"), 100.0)
    d, dollar = dollar_move(found)
    d10 = moves(seen.ten_year("month_end"))
    fit = regress(seen.since(seen.months, r, first), stack([market, d, d10]), seen.months, HAC_LAGS_MONTHLY,
                  [name, "S&P 500", f"{dollar} dollar", "10-year"])
    shared = {"group": "equity", "dependent": f"{words}, month end", "dollar": dollar}
    basket = kind == "basket"
    found.add(f"{kind}_market.{name}", fit, regressor="S&P 500", unit="× index",
              prior=f"{kind}_market.{name}",
              engine="prior" if basket else "diagnostic",
              used_as=f"market_inputs: loading.{name}.SP500" if basket else "", **shared)
    found.add(f"{kind}_dollar.{name}", fit, slope=1, regressor=f"{dollar} dollar",
              unit="% per +1% of the dollar",
              prior=f"{kind}_dollar.{name}", **shared)
    found.add(f"{kind}_rates.{name}", fit, slope=2, regressor="10-year yield", unit="% per 100 bp",
              prior=f"{kind}_rates.{name}", **shared)


def _earnings(found: Findings) -> None:
    seen = found.observations
    index, ratio = (seen.vector(name, "quarter_end") for name in EARNINGS)
    earnings = log_of(index, "S&P 500") - log_of(ratio, "price-earnings ratio")
    log_dollar = _quarterly_dollar(found)
    gdp = log_of(seen.vector("panel:external_saving_quarterly.GDP", "quarter_end"), "GDP")
    s = change_over(log_dollar, 4, 1.0)
    y = change_over(earnings, 4, 10.0)  # % per 10% of s, since s is in log points: 100/10
    x = stack([s, lagged(s, 4), change_over(gdp, 4)])
    fit = regress(y, x, seen.quarters, 5, ["earnings", "dollar, this year", "dollar, a year before", "GDP"],
                  QUARTERLY_MINIMUM)
    contrast = np.array([1.0, 1.0, 0.0])
    value, se = float(contrast @ fit.slopes), float(np.sqrt(contrast @ fit.covariance @ contrast))
    found.rows.append(posterior_row(
        "earnings_on_dollar", value, se, found.priors.get("parameter.eps_per_10pct_usd_fall"), group="equity",
        dependent="S&P 500 earnings, log change over four quarters",
        regressor="depreciation, this year and the year before",
        dollar="H.10 broad", unit="% of earnings per 10% fall", lag=fit.lag, first=str(fit.dates[0]),
        last=str(fit.dates[-1]),
        n=fit.n, r2=fit.r2, method=f"OLS, overlapping years, Newey–West ({fit.lag}), sum of two years",
        engine="prior",
        used_as="eps_per_10pct_usd_fall", note="earnings = index / price-earnings ratio; 2008–09 dominates"))


def _quarterly_dollar(found: Findings) -> np.ndarray:
    """(Q,) log H.10 broad dollar with fixed weights from monthly averages: a history before 2006."""
    seen = found.observations
    total = sum(BROAD_DOLLAR_WEIGHTS.values())
    monthly = sum(w / total * np.log(seen.average(f"panel:fx_monthly.{c}")) for c,
                  w in BROAD_DOLLAR_WEIGHTS.items())
    return np.asarray(monthly)[2::3][: len(seen.quarters)]


def _tails(found: Findings) -> None:
    """Weekly S&P 500 on the dollar and the 10-year at quantiles from 1% to 99%."""
    seen = found.observations
    log_dollar, dollar = seen.broad_dollar("week")
    r = moves(seen.sp500("week"), 100.0)
    x = stack([moves(-log_dollar, 100.0), moves(seen.ten_year("week"))])
    fit = regress(seen.since(seen.weeks, r, "1999-01"), x, seen.weeks, 4,
                  ["S&P 500", f"{dollar} dollar", "10-year"], minimum=500)
    slopes, errors = quantile_slopes(fit)
    for j, (key, words, unit, name) in enumerate((
            ("dollar", f"{dollar} dollar", "% per +1% of the dollar", dollar),
            ("10y", "10-year yield", "% per 100 bp", ""))):
        found.quantiles.append(QuantileFit(
            f"spx_quantiles_on_{key}", "S&P 500, weekly (Wednesday)", words, name, unit, TAUS,
            tuple(float(v) for v in slopes[:, j]), tuple(float(v) for v in errors[:, j]),
            float(fit.slopes[j]),
            float(fit.errors[j]), str(fit.dates[0])[:10], str(fit.dates[-1])[:10], fit.n, "weekly"))
