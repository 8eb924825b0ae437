"""The nightly table: ten years of the engine's noise on its own factors, no look-ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backtests.coverage.books import NIGHT_BOOK
from backtests.coverage.nightly import forecast_night, judge, run_nightly
from backtests.scoring import christoffersen, kupiec, pinball, transitions
from riskengine.base.errors import InputError

AS_OF = "2024-09-24"
STUDENT, HISTORICAL = "garch_t", "garch_fhs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("parts")


@pytest.fixture(scope="module")
def forecasts(folder):
    return {(d.book.name, d.model): d for d in forecast_night(AS_OF, folder=folder)}


@pytest.fixture(scope="module")
def results(forecasts):
    return {key: judge(d) for key, d in forecasts.items()}


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


@pytest.mark.parametrize("series", ["FX_EUR", "FX_JPY", "FX_GBP", "FX_AUD", "FX_KRW", "UST_2Y", "UST_10Y",
                                    NIGHT_BOOK])
def test_the_noise_models_cover_ten_years(results, series):
    for model in (STUDENT, HISTORICAL):
        r = results[series, model]
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
    d = forecasts["FX_EUR", STUDENT]
    verdict = judge(replace(d, var=d.var / 2))
    assert verdict.traffic_light == "red" and verdict.kupiec_p < 1e-6


def test_run_nightly_is_the_judged_forecasts(results, folder):
    assert run_nightly(AS_OF, folder=folder) == tuple(results.values())


def test_forecasts_see_no_future(forecasts, folder):
    earlier = forecast_night("2024-06-28", years=1, folder=folder)
    for b in earlier:
        a = forecasts[b.book.name, b.model]
        rows = np.searchsorted(a.dates, b.dates)
        np.testing.assert_array_equal(a.dates[rows], b.dates)
        np.testing.assert_allclose(a.var[rows], b.var, rtol=1e-9)
    with pytest.raises(InputError):
        forecast_night("2024-09-24", years=25, folder=folder)
