"""Figures that others printed, re-obtained by the laboratory's own functions, to the digits they print.

Newey–West: Stata's ``newey g_realinv g_realgdp L.realint, lag(4)`` and R's sandwich::NeweyWest(lag = 4,
prewhite = FALSE) on the US macro data shipped with statsmodels.  Local projections: R's lm with
sandwich::NeweyWest on the same data.  Quantiles: R's quantreg on Engel's data (Koenker and Hallock 2001). 
GARCH: documentation of ``arch``, S&P 500.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from factors.sensitivities.projections import project
from factors.sensitivities.quantiles import quantile_slopes
from factors.sensitivities.regression import regress
from factors.sensitivities.stability import hac_least_squares

LOCAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "local"


@pytest.fixture(scope="module")
def macro():
    sm = pytest.importorskip("statsmodels.api")
    return sm.datasets.macrodata.load_pandas().data


def test_newey_west_of_stata_and_of_r(macro):
    y = 400 * np.diff(np.log(macro["realinv"].to_numpy()))
    x = np.column_stack([400 * np.diff(np.log(macro["realgdp"].to_numpy())),
                         macro["realint"].to_numpy()[:-1]])
    fit = regress(y, x, np.arange(len(y)), 4, ["g_realinv", "g_realgdp", "L.realint"])
    assert fit.n == 202 and fit.r2 == pytest.approx(0.6769775594319388, abs=1e-12)
    assert fit.slopes == pytest.approx([4.3742216647032, -0.61399696947899], abs=1e-10)
    # R: without the small-sample factor
    assert fit.covariance == pytest.approx(np.array([[0.108101169035130618, 0.000389440793564339],
                                                     [0.000389440793564336, 0.086211852740503622]]),
                                                     abs=1e-12)
    # Stata multiplies by n / (n − k) = 202 / 199
    assert fit.errors * np.sqrt(202 / 199) == pytest.approx([0.33125644884286, 0.29582347593197], abs=1e-9)


def test_the_fast_path_of_the_break_tests_is_the_same_newey_west(macro):
    y = 400 * np.diff(np.log(macro["realinv"].to_numpy()))
    x = np.column_stack([400 * np.diff(np.log(macro["realgdp"].to_numpy())),
                         macro["realint"].to_numpy()[:-1]])
    beta, covariance = hac_least_squares(y, np.column_stack([np.ones(len(y)), x]), 4)
    assert beta == pytest.approx([-9.4816727746549, 4.3742216647032, -0.61399696947899], abs=1e-9)
    assert covariance[0, 0] == pytest.approx(1.3855512908840137, abs=1e-10)
    assert covariance[1, 2] == pytest.approx(0.000389440793564339, abs=1e-12)


def test_local_projections_of_r(macro):
    growth = np.diff(np.log(macro[["realgdp", "realcons", "realinv"]].to_numpy()), axis=0)
    gdp, cons, inv = growth.T
    lag = [np.r_[np.full(k, np.nan), inv[:-k]] for k in (1, 2)]
    shock = np.r_[gdp[:-4], np.full(4, np.nan)]  # R keeps the rows on which all five horizons are observed
    got = project(cons, shock, np.arange(len(gdp)), ["realcons", "realgdp", "realinv 1", "realinv 2"],
                  np.column_stack(lag), horizons=range(5), controls=2, cumulative=False, newey_west=4)
    assert got.beta == pytest.approx([0.52364991703, 0.09970743380, 0.07627130443, 0.07068916493,
                                      -0.05310649472],
                                     abs=1e-10)
    assert got.se == pytest.approx([0.06609432437, 0.06672041817, 0.05843115593, 0.06149871824,
                                    0.06632669683],
                                   abs=1e-10)


@pytest.mark.parametrize(("tau", "intercept", "slope"), [
    (0.05, 124.88004, 0.34336), (0.25, 95.48354, 0.47410), (0.5, 81.48225, 0.56018),
    (0.75, 62.39659, 0.64401),
    (0.95, 64.10396, 0.70907)])
def test_quantile_regression_of_r_on_engels_data(tau, intercept, slope):
    sm = pytest.importorskip("statsmodels.api")
    data = sm.datasets.engel.load_pandas().data
    fit = regress(data["foodexp"].to_numpy(), data["income"].to_numpy(), np.arange(len(data)), 0,
                  ["food", "income"])
    assert fit.slopes[0] == pytest.approx(0.48518, abs=5e-6)  # least squares, the same source
    slopes, errors = quantile_slopes(fit, [tau])
    assert slopes[0, 0] == pytest.approx(slope, abs=2e-5)
    residual = fit.y - slopes[0, 0] * fit.x[:, 0]
    assert np.quantile(residual, tau) == pytest.approx(intercept,
                                                       abs=0.6)  # the line passes through the quantile
    assert 0.005 < errors[0, 0] < 0.06


def test_garch_of_the_arch_documentation():
    """Constant mean, GARCH(1,1), normal, 1999–2018: μ .0564 (.01149), ω .0175 (.004683), α .1022 (.01301),
    β .8852 (.01380), log-likelihood −6936.72 (printed in the guide to univariate volatility models)."""
    arch = pytest.importorskip("arch")
    from arch.data import sp500

    returns = 100 * sp500.load()["Adj Close"].pct_change().dropna()
    fit = arch.arch_model(returns).fit(disp="off")
    assert fit.loglikelihood == pytest.approx(-6936.72, abs=0.005)
    assert fit.params.to_numpy() == pytest.approx([0.0564, 0.0175, 0.1022, 0.8852], abs=6e-5)
    assert fit.std_err.to_numpy() == pytest.approx([0.01149, 0.004683, 0.01301, 0.01380], abs=6e-6)


def test_garch_of_the_laboratory_against_arch():
    """The laboratory's own estimator (zero mean, Student-t) finds the maximum that arch finds."""
    arch = pytest.importorskip("arch")
    from arch.data import sp500
    from factors.volatility import fit_garch

    returns = sp500.load()["Adj Close"].pct_change().dropna().to_numpy()[-2500:]
    own = fit_garch(returns)
    other = arch.arch_model(100 * returns, mean="Zero", dist="t").fit(disp="off")
    assert own.alpha == pytest.approx(other.params["alpha[1]"], abs=0.02)
    assert own.beta == pytest.approx(other.params["beta[1]"], abs=0.02)
    assert own.nu == pytest.approx(other.params["nu"], rel=0.1)


# -- rows marked O of the evidence, on the data at hand -----------------------------------------------------


def test_ten_year_on_two_year_since_2010_on_embedded_data():
    """Published: .87 (.06), R² .59, 2010–25.  The embedded monthly averages to December 2025 give .885
    (.063), .59: a quarter of a standard error away, since the published sample ends earlier in 2025."""
    row = _embedded("2026-01-05")["path_beta.10Y"]
    assert row.n == 192 and row.first == "2010-01" and row.last == "2025-12"
    assert row.estimate == pytest.approx(0.87, abs=0.02)
    assert row.se == pytest.approx(0.06, abs=0.005)
    assert row.r2 == pytest.approx(0.59, abs=0.005)


def test_ten_year_on_two_year_since_1976_on_embedded_data():
    """Published: .68 (.04), R² .75, 1976–2025."""
    row = _embedded("2026-01-05")["path_beta_long.10Y"]
    assert (row.estimate, row.se, row.r2) == (pytest.approx(0.68, abs=0.015), pytest.approx(0.04, abs=0.005),
                                              pytest.approx(0.75, abs=0.012))


def test_currency_betas_on_the_h10_dollar_agree_with_the_published_ones():
    """The dollar is built from the H.10 currencies with fixed weights, not DTWEXBGS: within half a standard
    error."""
    found = _embedded("2025-10-05")
    for name in ("KRW", "EUR", "CNY", "JPY", "TWD", "SGD", "AUD", "BRL", "MXN", "GBP"):
        row = found[f"currency_beta.{name}"]
        assert row.prior is not None and row.dollar == "H.10 broad"
        assert abs(row.estimate - row.prior.value) < 0.75 * row.prior.se, name
        assert row.se == pytest.approx(row.prior.se, rel=0.25), name


_CACHE: dict = {}


def _embedded(as_of: str):
    if as_of not in _CACHE:
        from factors.sensitivities import estimate_sensitivities
        from riskengine.data.local_store import open_store
        from riskengine.data.parameters import load_parameters
        from riskengine.data.priors import load_priors

        _CACHE[as_of] = estimate_sensitivities(as_of, load_priors(load_parameters()), open_store())
    return _CACHE[as_of]


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    if not LOCAL.is_dir():
        pytest.skip("../shared/data/local is not here")
    from factors.sensitivities import estimate_sensitivities
    from riskengine.data.parameters import load_parameters
    from riskengine.data.priors import load_priors
    from riskengine.data.selection import use_store
    from riskengine.workflows.data import import_files

    folder = tmp_path_factory.mktemp("est_replications")
    files = [LOCAL / "fx" / name for name in ("DTWEXBGS.csv", "DTWEXM.csv", "dxy_krw_jpy_mxn_close.csv")]
    files += [LOCAL / "equity" / "SP500.csv", LOCAL / "equity" / "etf_close.csv",
              LOCAL / "treasury" / "DGS10.csv",
              LOCAL / "treasury" / "DGS2.csv"]
    import_files(files, folder)
    with use_store(folder) as store:
        return estimate_sensitivities("2024-12-31", load_priors(load_parameters()), store)


@pytest.mark.parametrize("name",
                         ["KRW", "MYR", "SGD", "INR", "THB", "TWD", "JPY", "CNY", "EUR", "GBP", "CHF", "CAD",
                                  "AUD", "NOK", "MXN", "BRL"])
def test_currency_betas_on_the_published_broad_dollar(imported, name):
    """Same regression, DTWEXBGS, ten months fewer (the published sample ends in September 2025): within .45
    s.e."""
    row = imported[f"currency_beta.{name}"]
    assert row.dollar == "broad"
    assert abs(row.estimate - row.prior.value) < 0.45 * row.prior.se
    assert row.se == pytest.approx(row.prior.se, abs=0.011)


def test_the_equity_index_on_the_dollar_before_and_after_2008(imported):
    """Published with DXY: −.02 (.11) before, −.95 (.14) after.  Before 2008 only the Federal Reserve's major
    currencies index reaches back to 1973 here: −.13 (.13), R² .00, no relation either.  After: DXY from
    February 2008 to 2024 instead of 2026, one year of it less negative: −1.04 (.13), R² .25, .6 s.e. away."""
    before, after = imported["spx_on_dollar.before_2008"], imported["spx_on_dollar.since_2008"]
    assert before.dollar == "major" and after.dollar == "DXY"
    assert before.r2 < 0.01 and abs(before.estimate) < 1.5 * before.se and before.conflict < 1
    assert after.estimate == pytest.approx(-0.95, abs=0.14) and after.se == pytest.approx(0.14, abs=0.02)
    assert after.estimate < before.estimate - 3 * after.se


def test_listed_real_estate_and_sectors(imported):
    """Published 2000–26: market .97 (.11), −4.7% (1.2) per 100 bp; energy +7.0 (1.6), technology on the
    dollar +.19."""
    assert imported["reit_market.IYR"].estimate == pytest.approx(0.97, abs=0.03)
    assert imported["reit_rates.IYR"].estimate == pytest.approx(-4.7, abs=0.4)
    assert imported["sector_rates.XLE"].estimate == pytest.approx(7.0, abs=0.8)
    assert imported["sector_dollar.XLK"].estimate == pytest.approx(0.19, abs=0.07)


def test_the_broad_dollar_and_dxy_on_the_two_year(imported):
    """Published: DXY +3.0% (.65) per 100 bp, R² .09; the broad dollar .75 (.90): two different dollars."""
    broad, dxy = imported["dollar_on_2y.broad"], imported["dollar_on_2y.DXY"]
    assert (broad.estimate, broad.se) == (pytest.approx(0.75, abs=0.02), pytest.approx(0.90, abs=0.02))
    assert abs(dxy.estimate - 3.0) < 0.65 + 0.2 and dxy.r2 == pytest.approx(0.09, abs=0.02)
