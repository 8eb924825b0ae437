"""Published coverage tests to the printed digit; the default model on currencies; no look-ahead."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from backtests import coverage
from backtests.coverage import BOOK, HISTORICAL, STUDENT, judge
from backtests.scoring import (christoffersen, conditional_coverage, kupiec, pinball, plus_factor,
                               traffic_light, transitions)
from riskengine.base.errors import InputError

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors" / "var_backtests" / "expected"
AS_OF = "2024-09-24"


def read(name: str) -> list[dict]:
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"published vectors are not there: {name}")
    with path.open(newline="") as f:
        return list(csv.DictReader(f))


def same_digits(value: float, printed: str) -> bool:
    digits = len(printed.partition(".")[2])
    return f"{value:.{digits}f}" == f"{float(printed):.{digits}f}"


def test_published_tests_to_the_printed_digit():
    rows = read("published.csv")
    for row in rows:
        rate = kupiec(int(row["N"]), int(row["x"]), float(row["p"]))
        assert same_digits(rate.lr, row["LR_pof"]) and same_digits(rate.p_value, row["p_pof"]), row["case"]
        if row["n00"]:
            independence = christoffersen(*(int(row[k]) for k in ("n00", "n01", "n10", "n11")))
            both = conditional_coverage(rate, independence)
            assert same_digits(independence.lr, row["LR_cci"])
            assert same_digits(independence.p_value, row["p_cci"])
            assert same_digits(both.lr, row["LR_cc"]) and same_digits(both.p_value, row["p_cc"])
    assert len(rows) == 3


def test_basel_zones():
    for row in read("basel_traffic_light_250.csv"):
        zone, cumulative = traffic_light(250, int(row["exceptions"]), 0.01)
        assert zone == row["zone"] and f"{cumulative:.6f}" == row["cum_prob_below_or_equal"]
        assert plus_factor(int(row["exceptions"])) == float(row["plus_factor"])


def test_edges():
    assert kupiec(100, 1, 0.01).lr == pytest.approx(0.0, abs=1e-12)
    assert kupiec(250, 0, 0.01).lr == pytest.approx(-2 * 250 * np.log(0.99))
    assert transitions(np.array([0, 1, 1, 0, 0], dtype=bool)) == (1, 1, 1, 1)
    assert christoffersen(*transitions(np.zeros(10, dtype=bool))).lr == 0.0
    for bad in ((0, 0, 0.01), (10, 11, 0.01), (10, 1, 1.0)):
        with pytest.raises(InputError):
            kupiec(*bad)


def test_pinball_prefers_the_true_quantile():
    y = np.random.default_rng(1).standard_normal(200_000)
    score = {q: pinball(y, np.full(len(y), q), 0.01).mean() for q in (-2.6, -2.326, -2.0)}
    assert min(score, key=score.get) == -2.326


@pytest.fixture(scope="module")
def forecasts():
    return {(f.series, f.model): f for f in coverage.forecast(AS_OF, years=10)}


@pytest.fixture(scope="module")
def results(forecasts):
    return {key: judge(f) for key, f in forecasts.items()}


@pytest.mark.parametrize("series", ["FX_EUR", "FX_JPY", "FX_GBP", "FX_AUD", "FX_KRW", "UST_2Y", "UST_10Y",
                                    BOOK])
def test_default_model_covers_ten_years(results, series):
    r = results[series, STUDENT]
    assert r.observations > 2400
    assert r.kupiec_p > 0.01 and r.traffic_light != "red"
    assert r.extra["christoffersen_p"] > 0.01
    assert r.extra["pinball_against_flat_normal"] < 1.0
    assert sum(r.extra["exceptions_by_year"].values()) == r.exceptions


def test_the_skewed_peso_is_not_covered_by_a_symmetric_tail(results):
    """A carry currency falls faster than it rises: the Student t is rejected, past rows come much nearer."""
    symmetric, historical = results["FX_MXN", STUDENT], results["FX_MXN", HISTORICAL]
    assert symmetric.kupiec_p < 0.01 and symmetric.extra["other_tail_exceptions"] < symmetric.exceptions / 2
    assert historical.exceptions < 0.8 * symmetric.exceptions and historical.traffic_light != "red"


def test_too_small_a_var_is_caught(forecasts):
    f = forecasts["FX_EUR", STUDENT]
    halved = coverage.Forecasts(f.series, f.model, f.level, f.dates, f.pnl, f.low / 2, f.high / 2)
    verdict = judge(halved)
    assert verdict.traffic_light == "red" and verdict.kupiec_p < 1e-6


def test_run_coverage_is_the_judged_forecasts(monkeypatch, forecasts, results):
    monkeypatch.setattr(coverage, "forecast", lambda *_: list(forecasts.values()))
    assert coverage.run_coverage(AS_OF) == tuple(results.values())


def test_forecasts_see_no_future():
    whole = coverage.forecast(AS_OF, years=1)
    earlier = coverage.forecast("2024-06-28", years=1)
    n = len(earlier[0].dates)
    for a, b in zip(whole, earlier, strict=True):
        np.testing.assert_array_equal(a.dates[:n], b.dates)
        np.testing.assert_allclose(a.low[:n], b.low, rtol=1e-9)
    with pytest.raises(InputError):
        coverage.forecast(AS_OF, years=25)
