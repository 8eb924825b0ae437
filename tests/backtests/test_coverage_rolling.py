"""Rolling forecasts: no look-ahead, parts on disk, models against slow ones and on data they describe."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from backtests.coverage import rolling
from backtests.coverage.books import Book, Holdings, Moves, night_books, standard_books
from backtests.coverage.court import daily_columns, hold_court
from backtests.coverage.judgement import judge_book
from backtests.coverage.models import (MODELS, Year, YearForecast, at_probability, fit_student, put_normal,
                                       put_samples, put_student)
from backtests.coverage.rolling import forecast_daily
from riskengine.base.errors import InputError


def simulate(days: int, seed: int, nu: float = 6.0, columns: int = 2) -> np.ndarray:
    """(days, columns) GARCH(1,1)-t moves, correlated .5."""
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(0.5 * np.eye(columns) + 0.5)
    z = (rng.standard_normal((days, columns)) @ root.T) * np.sqrt((nu - 2) / rng.chisquare(nu, days))[:, None]
    h, x = np.ones(columns), np.empty((days, columns))
    for t in range(days):
        x[t] = np.sqrt(h) * z[t]
        h = 0.02 + 0.08 * x[t] ** 2 + 0.90 * h
    return 0.006 * x


def holdings(x: np.ndarray, start: str = "2015-01-01", name: str = "made") -> Holdings:
    """Two singles and their half-half book on made-up moves."""
    dates = np.datetime64(start) + np.arange(len(x))
    panel = Moves(name, dates, x, ("A", "B"))
    weights = {"A": (1.0, 0.0), "B short": (0.0, -1.0), "both": (0.5, 0.5)}
    return Holdings(tuple(Book(n, "made", name, w, n) for n, w in weights.items()), {name: panel})


@pytest.fixture(scope="module")
def made():
    return holdings(simulate(1700, 1))


@pytest.fixture(scope="module")
def daily(made, tmp_path_factory):
    return forecast_daily(made, workers=1, folder=tmp_path_factory.mktemp("parts"))


def test_the_future_is_not_seen(made, daily, tmp_path):
    panel = made.panels["made"]
    first = daily[0].dates[0]
    t = int(np.searchsorted(panel.dates, first)) + 150
    poisoned = panel.values.copy()
    poisoned[t:] = 0.37 * np.cos(np.arange(len(poisoned) - t))[:, None]
    other = forecast_daily(holdings(poisoned), workers=1, folder=tmp_path)
    for a, b in zip(daily, other, strict=True):
        known = a.dates <= panel.dates[t]
        assert known.sum() == 151
        for field in ("var", "es", "high", "tail"):
            np.testing.assert_array_equal(getattr(a, field)[known], getattr(b, field)[known])
        assert not np.array_equal(a.pnl, b.pnl)


def test_a_day_more_changes_nothing_before(made, daily, tmp_path):
    shorter = holdings(made.panels["made"].values[:-40])
    for a, b in zip(daily, forecast_daily(shorter, workers=1, folder=tmp_path), strict=True):
        np.testing.assert_array_equal(a.var[:len(b.var)], b.var)


def test_a_killed_run_goes_on(made, daily, tmp_path, monkeypatch):
    class Killed(Exception):
        pass

    def kill(stage, done, total):
        if done == 1:
            raise Killed

    with pytest.raises(Killed):
        forecast_daily(made, workers=1, folder=tmp_path, progress=kill)
    assert len(list(tmp_path.glob("made-*.npz"))) == 1
    computed = []
    original = rolling.compute_part
    monkeypatch.setattr(rolling, "compute_part", lambda part: computed.append(part.number) or original(part))
    again = forecast_daily(made, workers=1, folder=tmp_path)
    years = sorted({int(str(d)[:4]) for d in daily[0].dates})
    assert sorted(computed) == years[1:]
    for a, b in zip(daily, again, strict=True):
        np.testing.assert_array_equal(a.var, b.var)
        np.testing.assert_array_equal(a.tail, b.tail)
    computed.clear()
    forecast_daily(made, workers=1, folder=tmp_path)
    assert computed == []
    forecast_daily(made, workers=1, folder=tmp_path, resume=False)
    assert sorted(computed) == years
    part = next(tmp_path.glob("made-*.npz"))
    part.write_bytes(part.read_bytes()[:1000])
    computed.clear()
    forecast_daily(made, workers=1, folder=tmp_path)
    assert len(computed) == 1


def test_processes_give_the_same_bits(made, daily, tmp_path, monkeypatch):
    monkeypatch.setattr(rolling, "FEW_PARTS", 0)
    for a, b in zip(daily, forecast_daily(made, workers=2, folder=tmp_path), strict=True):
        np.testing.assert_array_equal(a.es, b.es)


def test_historical_simulation_day_by_day(daily):
    one = next(d for d in daily if d.model == "historical_500" and d.book.name == "both")
    x = holdings(simulate(1700, 1)).panels["made"]
    pnl = x.values @ np.array([0.5, 0.5])
    for row in (0, 77, len(one.dates) - 1):
        at = int(np.searchsorted(x.dates, one.dates[row]))
        window = np.sort(pnl[at - 500:at])
        assert one.var[row, 0] == pytest.approx(0.5 * (window[4] + window[5]))
        assert one.es[row, 0] == pytest.approx(window[:5].mean())
        assert one.es[row, 1] == pytest.approx((window[:12].sum() + 0.5 * window[12]) / 12.5)
        assert one.pit[row] == pytest.approx(((window < pnl[at]).sum() + 0.5) / 501, abs=1e-3)


def test_risk_metrics_day_by_day(daily):
    one = next(d for d in daily if d.model == "ewma_normal" and d.book.name == "A")
    pnl = holdings(simulate(1700, 1)).panels["made"].values[:, 0]
    h = np.mean(pnl[:250] ** 2)
    for x in pnl[:len(pnl) - len(one.dates)]:
        h = 0.94 * h + 0.06 * x * x
    assert one.var[0, 0] == pytest.approx(norm.ppf(0.01) * np.sqrt(h))
    assert one.es[0, 1] == pytest.approx(-norm.pdf(norm.ppf(0.025)) / 0.025 * np.sqrt(h))


def test_shapes_of_normal_student_and_samples():
    days, levels = 3, (0.99, 0.975)
    year = Year(np.zeros((days, 1)), 0, np.ones((1, 1)), levels)
    sd, pnl = np.array([1.0, 2.0, 0.5]), np.array([-1.0, 0.0, 1.0])
    rng = np.random.default_rng(0)
    for put, draw, cdf in (
        (lambda o: put_normal(o, 0, year, pnl, sd), rng.standard_normal(2_000_000), norm.cdf),
        (lambda o: put_student(o, 0, year, pnl, sd, 5.0), np.sqrt(0.6) * rng.standard_t(5, 2_000_000),
         lambda z: student.cdf(z / np.sqrt(0.6), 5)),
        (lambda o: put_student(o, 0, year, pnl, sd, np.full(3, 5.0)), np.sqrt(0.6)
         * rng.standard_t(5, 2_000_000), lambda z: student.cdf(z / np.sqrt(0.6), 5)),
    ):
        out = YearForecast.empty(1, days, 2)
        put(out)
        for i, a in enumerate((0.01, 0.025)):
            q = np.quantile(draw, a)
            np.testing.assert_allclose(out.var[0, :, i], sd * q, rtol=0.01)
            np.testing.assert_allclose(out.es[0, :, i], sd * draw[draw <= q].mean(), rtol=0.02)
            np.testing.assert_allclose(out.high[0, :, i], -out.var[0, :, i])
            assert (np.diff(out.tail[0, 0, i].astype(float)) <= 0).all()
        np.testing.assert_allclose(out.pit[0], cdf(pnl / sd), atol=1e-12)
        samples = np.sort(draw[:6000].reshape(3, 2000), axis=1)
        put_samples(out, 0, slice(None), samples, pnl, levels)
        assert out.es[0, 0, 0] == pytest.approx(samples[0, :20].mean())
    assert at_probability(np.arange(10.0), np.array([0.05, 0.1, 0.95])).tolist() == [0.0, 0.5, 9.0]


def test_student_scale_and_degrees_of_freedom_are_found():
    scale, nu = fit_student(0.02 * np.random.default_rng(2).standard_t(5, 50_000))
    assert scale == pytest.approx(0.02, rel=0.02) and nu == pytest.approx(5, rel=0.08)


def test_verdicts_on_data_that_the_engine_describes(tmp_path):
    """Moves made by the engine's own model: it is not refuted, RiskMetrics and the short sample are worse."""
    made = holdings(simulate(7000, 6, nu=5.0), start="2000-01-01")
    daily = forecast_daily(made, 2014, ("garch_t", "garch_fhs", "ewma_normal", "historical_500"), workers=1,
                           folder=tmp_path)
    both = [d for d in daily if d.book.name == "both"]
    cells = {(c.model, c.level): c for c in judge_book(both)}
    good = cells["garch_fhs", 0.99]
    for model in ("garch_fhs", "garch_t"):
        c = cells[model, 0.99]
        assert c.kupiec_p > 0.01 and c.duration_p > 0.01 and c.z2_p > 0.01 and c.berkowitz_p > 0.001
        assert c.days_red == 0
    assert good.fz0_difference == 0
    assert cells["ewma_normal", 0.99].kupiec_p < 0.01 and cells["ewma_normal", 0.99].z2_p < 0.01
    for rival in ("ewma_normal", "historical_500"):
        assert cells[rival, 0.975].fz0_difference > 0
    assert cells["ewma_normal", 0.975].dm_t > 2
    assert sum(n for n, _ in good.by_year.values()) == good.observations == sum(good.pit_counts)
    assert sum(x for _, x in good.by_year.values()) == good.exceptions


def test_the_court_reports_plain_data(made, tmp_path, monkeypatch):
    monkeypatch.setenv("RISKENGINE_CACHE", str(tmp_path))
    report, daily = hold_court("2020-01-01", models=("garch_fhs", "ewma_normal"), holdings=made, workers=1)
    assert len(report.cells) == 3 * 2 * 2 and {w.asset_class for w in report.winners} == {"made", "all"}
    assert report.default_model == "garch_fhs" and report.conclusion
    assert asdict(report)["cells"][0]["book"] == "A"
    columns = daily_columns(daily)
    assert len(columns["date"]) == 3 * 2 * 2 * len(daily[0].dates)
    assert set(columns["book"].unique()) == {"A", "B short", "both"}
    assert (columns["es"] >= columns["var"] - 1e-15).all()
    assert (columns["exceeded"] == (columns["pnl"] < -columns["var"])).all()


def test_wrong_names_and_levels_are_refused(made):
    with pytest.raises(InputError, match="unknown model"):
        hold_court("2020-01-01", models=("garch",), holdings=made)
    with pytest.raises(InputError, match="unknown book"):
        hold_court("2020-01-01", books=("C",), holdings=made)
    for levels in ((), (0.5,), (0.99, 0.99)):
        with pytest.raises(InputError, match="levels"):
            hold_court("2020-01-01", levels=levels, holdings=made)
    with pytest.raises(InputError, match="too little history"):
        hold_court("2020-01-01", first_year=2050, holdings=made)


def test_embedded_books_reach_back_to_the_sixties():
    held = standard_books("2024-09-24")
    assert {b.asset_class for b in held.books} == {"currencies", "Treasuries", "equities", "total"}
    assert str(held.panels["treasuries"].dates[0]) < "1962-02"
    assert str(held.panels["majors"].dates[0])[:4] == "1973"
    for b in held.books:
        assert len(b.weights) == len(held.panels[b.panel].labels)
    early = standard_books("1986-06-30")
    assert max(p.dates[-1] for p in early.panels.values()) <= np.datetime64("1986-06-30")
    only = held.choose(("Treasuries", "FX JPY"))
    assert {b.asset_class for b in only.books} == {"Treasuries", "currencies"} and set(only.panels) == {
        "treasuries", "majors"}
    assert len(night_books("2024-09-24").books) == 9
    assert set(MODELS) == set(rolling.check_models(None))
