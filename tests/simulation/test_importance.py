"""Importance sampling of the far tail: closed forms, agreement with plain paths, weights, gains."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from test_simulation_noise import make_model

from riskengine.base.errors import InputError, ModelError
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.execution import Threads
from riskengine.simulation import importance_tail
from riskengine.simulation.weighted_tail import estimate_tail

LEVELS = (0.99, 0.999)


def make_book(factors=40, seed=8):
    """One-day model and a book long in most factors and short gamma."""
    model = make_model(factors, step_days=1)
    rng = np.random.default_rng(seed)
    delta = rng.normal(0.3, 1.0, factors) * 1e4 / model.vol_now
    return model, delta, rng.normal(-0.3, 1.0, factors) * 3e3 / model.vol_now**2


@pytest.mark.parametrize(("noise", "law"), [
    ("gaussian", stats.norm()), ("student_t", stats.t(5.0, scale=np.sqrt(3 / 5))),
])
def test_a_linear_book_has_its_closed_form(noise, law):
    model, delta, _ = make_book()
    spread = delta * model.vol_now
    sd = np.sqrt(spread @ model.correlation @ spread)
    spec = RunSpec(paths=32_768, noise=noise)
    tail = importance_tail(model, Horizon(1, 1), spec, delta, np.zeros(40), LEVELS)
    for i, level in enumerate(LEVELS):
        quantile = law.ppf(level)
        shortfall = law.expect(lambda x: x, lb=quantile) / (1 - level)
        assert abs(tail.twisted.var[i] - sd * quantile) < 4 * tail.twisted.var_se[i]
        assert abs(tail.twisted.es[i] - sd * shortfall) < 4 * tail.twisted.es_se[i]
        assert tail.twisted.es_se[i] < 0.006 * tail.twisted.es[i]


@pytest.mark.parametrize(("noise", "steps", "curvature", "gain"), [
    ("student_t", 1, 1.0, 20.0), ("gaussian", 1, 1.0, 20.0), ("gaussian", 7, 1.0, 20.0), ("student_t", 7, 1.0, 8.0),
    ("filtered_historical", 7, 0.3, 20.0),
    ("filtered_historical", 7, 1.0, 0.5),  # loses both ways in most factors: rows cannot be twisted to both
])
def test_agrees_with_plain_paths_within_errors_and_beats_them(noise, steps, curvature, gain):
    model, delta, gamma = make_book()
    gamma = curvature * gamma
    scores, weights = [], []
    for seed in (1, 2, 3):
        spec = RunSpec(paths=32_768, noise=noise, seed=seed)
        tail = importance_tail(model, Horizon(steps, 1), spec, delta, gamma, LEVELS)
        scores.append((tail.twisted.es[0] - tail.plain.es[0])
                      / np.hypot(tail.twisted.es_se[0], tail.plain.es_se[0]))
        scores.append((tail.twisted.var[1] - tail.plain.var[1])
                      / np.hypot(tail.twisted.var_se[1], tail.plain.var_se[1]))
        weights.append((tail.mean_weight - 1) / tail.mean_weight_se)
        assert np.all(tail.variance_reduction_es > gain), tail.variance_reduction_es
        assert gain < 1 or np.all(tail.twisted.effective_sample > tail.plain.effective_sample)
    assert np.abs(scores).max() < 4 and abs(np.mean(scores[::2])) < 3 / np.sqrt(3)
    assert np.abs(weights).max() < 4 and abs(np.mean(weights)) < 3 / np.sqrt(3)


def test_one_historical_day_has_the_tail_of_its_days_written_out():
    """Every day has the same probability: VaR and ES are sums over the sorted days, without any path."""
    model, delta, gamma = make_book()
    days = (model.residuals - model.residuals.mean(axis=0)).T
    moves = model.step_volatilities(1)[0][:, None] * days
    loss = np.sort(-(delta @ moves) - 0.5 * gamma @ moves**2)[::-1]
    for seed in (1, 2):
        spec = RunSpec(paths=32_768, noise="filtered_historical", seed=seed, precision="float64")
        tail = importance_tail(model, Horizon(1, 1), spec, delta, gamma, (0.985, 0.996))
        for i, level in enumerate(tail.levels):
            beyond = loss.size * (1 - level)
            whole = int(beyond)
            shortfall = (loss[:whole].sum() + (beyond - whole) * loss[whole]) / beyond
            assert np.abs(tail.twisted.var[i] / loss[whole - 1 : whole + 2] - 1).min() < 1e-9, "a day, next to it at most"
            assert abs(tail.twisted.es[i] - shortfall) < 4 * tail.twisted.es_se[i]
        assert np.all(tail.variance_reduction_es > 20)
        assert abs(tail.mean_weight - 1) < 4 * tail.mean_weight_se


@pytest.mark.parametrize("noise", ["student_t", "filtered_historical"])
def test_moves_at_fixings_keep_their_law(noise):
    """A P&L read off fixings at the second and fourth of five steps: twisted and plain paths agree."""
    model, delta, gamma = make_book(6)
    fixings = ((0, 1), (3, 3), (0, 3))
    seen = []

    def revalue(moves, fixed):
        seen.append((moves, fixed))
        return 1e6 * (fixed[0] + fixed[1] + 0.5 * fixed[2]) + 1e-3 * (delta @ moves)

    scores = []
    for seed in range(4):
        spec = RunSpec(paths=16_384, noise=noise, seed=seed)
        tail = importance_tail(model, Horizon(5, 1), spec, delta, gamma, (0.9, 0.95), revalue, fixings=fixings)
        both = np.hypot(tail.twisted.es_se, tail.plain.es_se)
        scores.append((tail.twisted.es - tail.plain.es) / both)
    assert np.abs(scores).max() < 4 and abs(np.mean(scores)) < 3 / np.sqrt(4)
    assert all(fixed.shape == (3, moves.shape[1]) for moves, fixed in seen)


def test_a_threshold_beyond_all_days_still_gives_laws_that_weigh_back():
    """A loss that delta and gamma do not see: the twist is as strong as it may be, or none, and nothing is biased."""
    model, delta, gamma = make_book(6)
    spec = RunSpec(paths=16_384, noise="filtered_historical")

    def revalue(moves, fixed):
        return 1e3 * (delta @ moves)

    tail = importance_tail(model, Horizon(3, 1), spec, 1e-3 * delta, 0.0 * gamma, (0.99,), revalue)
    assert np.isfinite(tail.theta).all() and np.isfinite(tail.jump).all()
    assert abs(tail.twisted.es[0] - tail.plain.es[0]) < 4 * np.hypot(tail.twisted.es_se[0], tail.plain.es_se[0])
    assert abs(tail.mean_weight - 1) < 5 * tail.mean_weight_se


def test_the_stated_error_is_the_spread_over_seeds():
    model, delta, gamma = make_book(12)
    runs = [importance_tail(model, Horizon(1, 1), RunSpec(paths=4096, seed=seed, noise="student_t"), delta, gamma, (0.99,))
            for seed in range(60)]
    for name in ("var", "es"):
        values = np.array([getattr(r.twisted, name)[0] for r in runs])
        stated = np.mean([getattr(r.twisted, f"{name}_se")[0] for r in runs])
        assert 0.6 < values.std(ddof=1) / stated < 1.35, "laws in turn err at most like independent ones"


def test_cross_gamma_equals_the_same_book_in_turned_factors():
    """δ'x + ½x'Γx of correlated factors; the closed mean ½ tr(ΓΣ) checks weights and moves together."""
    model, delta, _ = make_book(9)
    rng = np.random.default_rng(3)
    gamma = rng.standard_normal((9, 9)) / np.outer(model.vol_now, model.vol_now) * 4e3
    gamma = gamma + gamma.T
    seen = []

    def revalue(moves, fixed):
        pnl = delta @ moves + 0.5 * np.einsum("kn,kl,ln->n", moves, gamma, moves)
        seen.append(pnl)
        return pnl

    spec = RunSpec(paths=16_384, noise="student_t")
    full = importance_tail(model, Horizon(3, 1), spec, delta, gamma, LEVELS, revalue=revalue)
    fast = importance_tail(model, Horizon(3, 1), spec, delta, gamma, LEVELS)
    assert np.allclose(full.twisted.es, fast.twisted.es, rtol=1e-9)
    assert np.allclose(full.plain.var, fast.plain.var, rtol=1e-9)
    assert sum(map(len, seen)) == 2 * spec.paths


def test_a_book_far_from_its_gamma_is_still_unbiased():
    """A digital loss the twist knows nothing of: P(x₀ < −2.5 sd) must come out of the weights."""
    model, delta, gamma = make_book(6)
    edge = -2.5 * model.vol_now[0]

    def revalue(moves, fixed):
        return np.where(moves[0] < edge, -1.0, 0.0) - 1e-9 * moves[1]

    spec = RunSpec(paths=65_536, noise="gaussian")
    tail = importance_tail(model, Horizon(1, 1), spec, delta, gamma, (0.95,), revalue)
    lost = stats.norm.cdf(-2.5)
    assert abs(0.05 * tail.twisted.es[0] - lost) < 4 * 0.05 * tail.twisted.es_se[0]


@pytest.mark.parametrize("noise", ["student_t", "filtered_historical"])
def test_bits_do_not_depend_on_threads(noise):
    model, delta, gamma = make_book(12)
    spec = RunSpec(paths=20_480, noise=noise)
    one = importance_tail(model, Horizon(2, 1), spec, delta, gamma, LEVELS)
    with Threads(2) as two:
        other = importance_tail(model, Horizon(2, 1), spec, delta, gamma, LEVELS, executor=two)
    assert np.array_equal(one.twisted.es, other.twisted.es) and one.mean_weight == other.mean_weight
    moved = importance_tail(model, Horizon(2, 1), replace(spec, seed=5), delta, gamma, LEVELS)
    assert moved.twisted.es[0] != one.twisted.es[0]


def test_weighted_estimates_with_unit_weights_are_the_plain_ones():
    pnl = np.random.default_rng(1).permutation(np.arange(1.0, 1001.0))
    tail = estimate_tail(pnl, np.ones(1000), (0.95, 0.99))
    assert tail.var.tolist() == [-50.0, -10.0]
    assert np.allclose(tail.es, [-25.5, -5.5])
    assert tail.effective_sample.tolist() == pytest.approx([50, 10])
    assert tail.var_se[1] == pytest.approx(np.sqrt(1000 * 0.01 * 0.99), rel=0.1), "density 1/1000 per unit"


def test_what_does_not_fit_is_refused():
    model, delta, gamma = make_book(6)
    spec = RunSpec(paths=1024, noise="student_t")
    with pytest.raises(InputError) as error:
        importance_tail(model, Horizon(2, 5), spec, delta[:4], gamma, (1.0,))
    assert len(error.value.problems) == 3
    with pytest.raises(InputError, match="needs residuals"):
        importance_tail(replace(model, residuals=np.empty((0, 6))), Horizon(2, 1),
                        replace(spec, noise="filtered_historical"), delta, gamma)
    with pytest.raises(InputError, match="no tail"):
        importance_tail(model, Horizon(2, 1), spec, np.zeros(6), np.zeros(6))
    with pytest.raises(InputError, match="symmetric"):
        importance_tail(model, Horizon(2, 1), spec, delta, np.triu(np.ones((6, 6))))
    with pytest.raises(ModelError, match="finite"):
        importance_tail(model, Horizon(1, 1), spec, delta, gamma,
                        revalue=lambda moves, fixed: np.full(moves.shape[1], np.nan))
