"""VaR, ES and their standard errors against closed forms, a simulation study and degenerate input."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from riskengine.base.errors import InputError, ModelError
from riskengine.measures.tail_risk import clustered_error, measure_tail, rank_of_level, variance_share

LEVELS = (0.95, 0.975, 0.99)


def _draw_index(paths: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    blocks = [rng.permutation(draws) for _ in range(paths // draws)]
    return np.concatenate(blocks).astype(np.int32)


@pytest.mark.parametrize(
    ("paths", "level", "k", "expected"),
    [
        (100_352, 0.99, 1004, 1003.52),
        (100_352, 0.975, 2509, 2508.8),
        (1_000, 0.99, 10, 10.0),
        (1_000, 0.95, 50, 50.0),
        (1_000_000, 0.999, 1_000, 1_000.0),
        (100, 0.999, 1, 0.1),
        (700, 0.93, 49, 49.0),
    ],
)
def test_rank_is_the_integer_ceiling_of_the_decimal_level(paths, level, k, expected):
    rank = rank_of_level(paths, level)
    assert (rank.k, rank.expected) == (k, pytest.approx(expected, abs=1e-12))
    assert 1 <= rank.low <= rank.k <= rank.high <= paths and rank.low < rank.high



def test_var_and_es_equal_the_definition_with_the_fractional_atom():
    rng = np.random.default_rng(3)
    x = rng.standard_t(4, 1_003 * 2)
    tail = measure_tail(x, _draw_index(2006, 2, rng), 2, LEVELS)
    ordered = np.sort(x)
    for level, var, es in zip(LEVELS, tail.var, tail.es, strict=True):
        mass = x.size * (1 - Fraction(str(level)))
        whole = mass.numerator // mass.denominator
        expected = -(ordered[:whole].sum() + float(mass - whole) * ordered[whole]) / float(mass)
        assert es == pytest.approx(expected, rel=1e-13)
        assert var == -ordered[whole]
        assert es >= var


@pytest.mark.parametrize("distribution", [stats.norm(), stats.t(4)], ids=["normal", "student_t"])
def test_closed_forms_within_four_standard_errors(distribution):
    rng = np.random.default_rng(11)
    paths, draws = 131_072, 256
    x = distribution.rvs(paths, random_state=rng)
    tail = measure_tail(x, _draw_index(paths, draws, rng), draws, LEVELS)
    for i, level in enumerate(LEVELS):
        p = 1 - level
        q = distribution.ppf(p)
        if distribution.dist.name == "norm":
            es = stats.norm.pdf(q) / p
        else:
            es = stats.t.pdf(q, 4) / p * (4 + q * q) / 3
        assert abs(tail.var[i] + q) < 4 * tail.se_var[i]
        assert abs(tail.es[i] - es) < 4 * tail.se_es[i]
        exact = math.sqrt(p * (1 - p) / paths) / distribution.pdf(q)
        assert tail.se_var_given_draws[i] == pytest.approx(exact, rel=0.2)
        # without parameter uncertainty the clustered error is the i.i.d. one, up to its own noise
        assert tail.se_var[i] == pytest.approx(tail.se_var_given_draws[i], rel=0.25)
        assert tail.se_es[i] == pytest.approx(tail.se_es_given_draws[i], rel=0.25)
    assert abs(tail.mean) < 4 * tail.se_mean
    assert tail.sd == pytest.approx(distribution.std(), rel=0.03)


def _repetition(rng, paths, draws, share):
    draw_of_path = _draw_index(paths, draws, rng)
    parameter = math.sqrt(share) * rng.standard_normal(draws)
    return parameter[draw_of_path] + math.sqrt(1 - share) * rng.standard_normal(paths), draw_of_path


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_clustered_errors_equal_the_true_spread_over_repeated_draws(share):
    """The i.i.d. formula misses the parameter draws; the clustered one is within 15% of the truth."""
    rng = np.random.default_rng(5)
    paths, draws, repetitions = 8_192, 128, 500
    tails = [measure_tail(*_repetition(rng, paths, draws, share), draws, (0.99,)) for _ in range(repetitions)]
    for estimate in ("var", "es"):
        error, given = f"se_{estimate}", f"se_{estimate}_given_draws"
        truth = np.std([getattr(t, estimate)[0] for t in tails], ddof=1)
        clustered = math.sqrt(np.mean([getattr(t, error)[0] ** 2 for t in tails]))
        iid = math.sqrt(np.mean([getattr(t, given)[0] ** 2 for t in tails]))
        assert clustered == pytest.approx(truth, rel=0.15)
        if share == 0.4:
            assert iid < 0.8 * truth
    truth = np.std([t.mean for t in tails], ddof=1)
    assert math.sqrt(np.mean([t.se_mean**2 for t in tails])) == pytest.approx(truth, rel=0.15)


def test_constant_pnl_has_that_loss_and_no_error():
    tail = measure_tail(np.full(1024, -3.5), np.arange(1024) % 8, 8, LEVELS)
    assert tail.var == (3.5,) * 3
    assert tail.es == pytest.approx((3.5,) * 3)
    for errors in (tail.se_var, tail.se_es, tail.se_var_given_draws, tail.se_es_given_draws):
        assert errors == pytest.approx((0.0,) * 3, abs=1e-12)
    assert (tail.mean, tail.sd, tail.se_mean) == pytest.approx((-3.5, 0.0, 0.0), abs=1e-12)


def test_ties_at_the_quantile_share_the_atom():
    x = np.concatenate([np.full(30, -10.0), np.full(970, 1.0)])
    tail = measure_tail(x, np.arange(1000) % 10, 10, (0.95, 0.975))
    assert tail.var == (-1.0, 10.0)
    assert tail.es == pytest.approx(((30 * 10.0 - 20 * 1.0) / 50, 10.0))


def test_order_of_paths_and_levels_does_not_matter():
    rng = np.random.default_rng(8)
    x, draw_of_path = rng.standard_t(3, 4096), _draw_index(4096, 64, rng)
    shuffle = rng.permutation(4096)
    a = measure_tail(x, draw_of_path, 64, (0.99, 0.95))
    b = measure_tail(x[shuffle], draw_of_path[shuffle], 64, (0.95, 0.99))
    assert a.levels == (0.99, 0.95)
    assert a.var == b.var[::-1]
    assert a.es == pytest.approx(b.es[::-1], rel=1e-13)
    assert a.se_var == pytest.approx(b.se_var[::-1], rel=1e-12)
    assert a.se_es == pytest.approx(b.se_es[::-1], rel=1e-12)


def test_one_path_per_draw_gives_the_iid_error_exactly():
    x = np.random.default_rng(2).standard_normal(512)
    sums = x
    error = clustered_error(sums, np.ones(512, dtype=int))
    assert error == pytest.approx(x.std(ddof=1) / math.sqrt(512), rel=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3])
def test_variance_share_is_unbiased_with_few_paths_per_draw(share):
    rng = np.random.default_rng(17)
    shares = []
    for _ in range(60):
        split = variance_share(*_repetition(rng, 5_120, 512, share), 512)
        assert split["parameters"] + split["markets"] == pytest.approx(1.0, abs=1e-15)
        assert split["parameters"] >= 0.0
        shares.append(split["parameters"])
    # without the within correction a share of 0 would read as 512/5120 = 0.1
    assert np.mean(shares) == pytest.approx(share, abs=0.012)


def test_variance_share_of_pure_parameters_and_of_no_variance():
    draw_of_path = np.arange(64) % 8
    assert variance_share(draw_of_path * 1.0, draw_of_path, 8)["parameters"] == pytest.approx(1.0)
    assert variance_share(np.zeros(64), draw_of_path, 8) == {"parameters": 0.0, "markets": 1.0}


GOOD = np.linspace(-1, 1, 16)
INDEX = np.arange(16) % 4


@pytest.mark.parametrize(
    ("pnl", "index", "draws", "message"),
    [
        (np.where(INDEX == 2, np.nan, GOOD), INDEX, 4, "not finite on 4 of 16 paths, first path 2"),
        (np.where(GOOD == 1, np.inf, GOOD), INDEX, 4, "not finite"),
        (GOOD[:-1], INDEX, 4, "one integer per path"),
        (GOOD, INDEX.astype(float), 4, "one integer per path"),
        (GOOD.reshape(4, 4), INDEX, 4, "vector"),
        (GOOD, INDEX, 1, "at least two parameter draws"),
        (GOOD, INDEX, 3, "must lie in 0 … 2"),
        (GOOD, INDEX, 5, "1 of 5 parameter draws have no path"),
    ],
)
def test_bad_arrays_are_refused(pnl, index, draws, message):
    with pytest.raises(ModelError, match=message):
        measure_tail(pnl, index, draws)
    with pytest.raises(ModelError, match=message):
        variance_share(pnl, index, draws)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 95.0])
def test_a_level_outside_the_unit_interval_is_refused(level):
    with pytest.raises(InputError, match="level"):
        measure_tail(GOOD, INDEX, 4, (level,))
