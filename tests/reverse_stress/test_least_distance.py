"""The nearest move that loses an amount: the closed form, a second optimiser, brute force, blocks, out of reach."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from riskengine.base.errors import ModelError
from riskengine.reverse_stress.least_distance import block_factor, linear_answer, nearest_move, whole_factor

K = 6


def covariance(seed):
    a = np.random.default_rng(seed).standard_normal((K, K))
    return a @ a.T / K + 0.05 * np.eye(K)


def quadratic(seed, size=0.3):
    rng = np.random.default_rng(seed)
    w, g = rng.standard_normal(K), rng.standard_normal((K, K))
    g = size * (g + g.T)
    return lambda x: w @ x + 0.5 * np.einsum("kn,kl,ln->n", x, g, x)


def rival(loss, factor, amount, seed, starts=40):
    """SLSQP from many random starts: the least distance it finds."""
    rng, best = np.random.default_rng(seed), np.inf
    for _ in range(starts):
        found = minimize(
            lambda u: 0.5 * u @ u, 2.0 * rng.standard_normal(factor.shape[1]), jac=lambda u: u, method="SLSQP",
            constraints=[{"type": "ineq", "fun": lambda u: float(loss((factor @ u)[:, None])[0]) - amount}])
        if found.success and loss((factor @ found.x)[:, None])[0] > amount * (1 - 1e-6):
            best = min(best, float(np.linalg.norm(found.x)))
    return best


@pytest.mark.parametrize("seed", range(4))
def test_a_linear_loss_gives_the_closed_form(seed):
    sigma, w = covariance(seed), np.random.default_rng(seed + 50).standard_normal(K)
    found = nearest_move(lambda x: w @ x, whole_factor(sigma), 3.0)
    assert found.reached and found.loss == pytest.approx(3.0, rel=1e-9)
    assert found.move == pytest.approx(linear_answer(w, sigma, 3.0), rel=1e-6, abs=1e-9)
    assert found.distance == pytest.approx(3.0 / np.sqrt(w @ sigma @ w), rel=1e-9)
    assert found.distance == pytest.approx(np.sqrt(found.move @ np.linalg.solve(sigma, found.move)), rel=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_a_curved_loss_is_no_farther_than_a_second_optimiser_finds(seed):
    factor, loss = whole_factor(covariance(seed)), quadratic(seed)
    found = nearest_move(loss, factor, 2.0)
    assert found.loss == pytest.approx(2.0, rel=1e-3)
    assert found.distance <= rival(loss, factor, 2.0, seed) * (1 + 1e-4)


def test_brute_force_in_two_dimensions_with_an_option_like_loss():
    sigma = np.array([[1.0, 0.5], [0.5, 2.0]])

    def loss(x):  # short a strangle on the first, long the second
        return 4.0 * np.maximum(np.abs(x[0]) - 1.0, 0.0) ** 1.5 - 0.5 * x[1]

    factor = whole_factor(sigma)
    angle, radius = np.meshgrid(np.linspace(0, 2 * np.pi, 721), np.linspace(0.01, 6, 1200))
    u = np.stack([(radius * np.cos(angle)).ravel(), (radius * np.sin(angle)).ravel()])
    brute = float(radius.ravel()[loss(factor @ u) >= 3.0].min())
    found = nearest_move(loss, factor, 3.0)
    assert found.loss == pytest.approx(3.0, rel=1e-3) and found.distance == pytest.approx(brute, abs=0.01)


def test_a_block_leads_and_the_others_stand_at_their_conditional_mean():
    sigma, w = covariance(3), np.arange(1.0, K + 1)
    found = nearest_move(lambda x: w @ x, block_factor(sigma, [1, 4]), 2.0)
    own = sigma[np.ix_([1, 4], [1, 4])]
    assert found.move == pytest.approx(sigma[:, [1, 4]] @ np.linalg.solve(own, found.move[[1, 4]]), rel=1e-9)
    assert found.distance == pytest.approx(
        np.sqrt(found.move[[1, 4]] @ np.linalg.solve(own, found.move[[1, 4]])), rel=1e-9)
    whole = nearest_move(lambda x: w @ x, whole_factor(sigma), 2.0)
    assert whole.distance <= found.distance, "fewer free factors are never nearer"


def test_out_of_reach_says_the_most_that_can_be_lost():
    sigma = covariance(1)
    capped = nearest_move(lambda x: np.minimum(x[0], 0.7), whole_factor(sigma), 2.0)
    assert not capped.reached and capped.loss == pytest.approx(0.7)
    far = nearest_move(lambda x: x[0], whole_factor(sigma), 1e6)
    assert not far.reached and far.loss == pytest.approx(8.0 * np.sqrt(sigma[0, 0]), rel=1e-6)
    with pytest.raises(ModelError, match="does not depend"):
        linear_answer(np.zeros(K), sigma, 1.0)


def test_directions_without_variance_are_left_out():
    sigma = covariance(2)
    sigma[:, 5] = sigma[:, 0]
    sigma[5, :] = sigma[0, :]
    sigma[5, 5] = sigma[0, 0]
    factor = whole_factor(sigma)
    assert factor.shape == (K, K - 1) and factor @ factor.T == pytest.approx(sigma, abs=1e-9)
