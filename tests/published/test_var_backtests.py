"""Published coverage tests and Basel zones to the printed digit; critical values of Acerbi and Szekely."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.special import stdtrit
from scipy.stats import norm

from backtests.es_tests import simulate_null
from backtests.scoring import christoffersen, conditional_coverage, kupiec, plus_factor, traffic_light
from backtests.var_tests import zone_limits

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors" / "var_backtests" / "expected"


def read(name: str) -> list[dict]:
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"published vectors are not there: {name}")
    with path.open(newline="") as f:
        return list(csv.DictReader(f))


def same_digits(value: float, printed: str) -> bool:
    digits = len(printed.partition(".")[2])
    return f"{value:.{digits}f}" == f"{float(printed):.{digits}f}"


def test_likelihood_ratios():
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
    rows = read("basel_traffic_light_250.csv")
    for row in rows:
        zone, cumulative = traffic_light(250, int(row["exceptions"]), 0.01)
        assert zone == row["zone"] and f"{cumulative:.6f}" == row["cum_prob_below_or_equal"]
        assert plus_factor(int(row["exceptions"])) == float(row["plus_factor"])
    counts = {z: [int(r["exceptions"]) for r in rows if r["zone"] == z] for z in ("green", "yellow", "red")}
    assert zone_limits(250, 0.01) == (counts["yellow"][0], counts["red"][0])


def test_acerbi_szekely_critical_value_at_250_days():
    """About −0.70 at 5% and 2.5% ES whatever the tail from 5 degrees of freedom up (Acerbi and Szekely 2014)."""
    fine = 0.025 * (np.arange(200) + 0.5) / 200
    for quantiles in (norm.ppf(fine), stdtrit(10.0, fine), stdtrit(5.0, fine)):
        tail = np.tile(quantiles / quantiles.mean(), (250, 1))
        _, second = simulate_null(tail, 0.025, 20_000, seed=7)
        assert np.quantile(second, 0.05) == pytest.approx(-0.72, abs=0.04)
    assert np.quantile(simulate_null(np.tile(norm.ppf(fine), (250, 1)), 0.025, 40_000, 8)[1], 1e-4
                       ) == pytest.approx(-1.8, abs=0.25)
