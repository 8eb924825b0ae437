"""Conditioning: who follows whom, with what uncertainty, and the noise left when factors are pinned."""

from dataclasses import replace

import numpy as np
import pytest

from riskengine.base.errors import InputError, ModelError
from riskengine.base.sampling import Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.impact.response import ResponseDraws
from riskengine.simulation import condition, fixing_map, simulate_noise
from test_simulation_noise import make_model

FACTORS, CORE = 12, 5
HORIZON = Horizon(4, 5)
SPEC = RunSpec(paths=4096, draws=64, seed=11)


def make_core_model(coefficients=0, seed=1):
    """Factors 0 … 4 are the core, the rest follow."""
    rng = np.random.default_rng(seed)
    loadings = np.zeros((FACTORS, FACTORS))
    loadings[:CORE, :CORE] = np.eye(CORE)
    loadings[CORE:, :CORE] = rng.standard_normal((FACTORS - CORE, CORE))
    spread = None
    if coefficients:
        spread = np.zeros((FACTORS, FACTORS, coefficients))
        spread[CORE:, :CORE] = 0.2 * rng.standard_normal((FACTORS - CORE, CORE, coefficients))
    core = np.arange(FACTORS) < CORE
    return replace(make_model(FACTORS), loadings=loadings, loadings_draw_factor=spread, core=core)


def make_response(model, path=None, pinned=(), channels=("flow", "exchange_rate")):
    if path is None:
        path = np.zeros((SPEC.draws, HORIZON.steps, FACTORS))
        path[:, :, :CORE] = np.random.default_rng(2).standard_normal((SPEC.draws, HORIZON.steps, CORE)) * 0.01
    by_channel = np.array([0.25 * path[:, -1], 0.75 * path[:, -1]])
    return ResponseDraws(model.axis, HORIZON, path, channels, by_channel, model.core,
                         np.isin(np.arange(FACTORS), pinned))


def test_zero_times_a_negative_loading_is_plain_zero():
    model = make_core_model()
    loadings = np.zeros((FACTORS, FACTORS))
    loadings[0, 0], loadings[1:, 0] = 1.0, -2.0
    model = replace(model, core=np.arange(FACTORS) < 1, loadings=loadings)
    shock = condition(make_response(model, np.zeros((SPEC.draws, HORIZON.steps, FACTORS))), model, SPEC)
    assert not np.any(shock.path) and not np.any(np.signbit(shock.path))


def test_zero_response_is_exactly_zero_everywhere():
    model = make_core_model(coefficients=3)
    shock = condition(make_response(model, np.zeros((SPEC.draws, HORIZON.steps, FACTORS))), model, SPEC)
    assert np.array_equal(shock.path, np.zeros_like(shock.path))
    assert not np.any(np.signbit(shock.path))
    assert np.array_equal(shock.by_channel, np.zeros_like(shock.by_channel))
    assert shock.noise_map is None


def test_core_is_untouched_and_the_rest_follow_their_loadings():
    model = make_core_model()
    response = make_response(model)
    shock = condition(response, model, SPEC)
    assert np.array_equal(shock.path[:, :, :CORE], response.path[:, :, :CORE])
    for d in (0, 17, 63):
        for t in range(HORIZON.steps):
            assert np.allclose(shock.path[d, t], model.loadings @ response.path[d, t], rtol=1e-13, atol=0)


def test_channels_add_up_and_followers_move_through_co_movement_only():
    model = make_core_model(coefficients=2)
    for channels in (("flow", "exchange_rate"), ("flow", "co_movement")):
        response = make_response(model, channels=channels)
        if channels[1] == "co_movement":
            end = response.path[:, -1]
            response = replace(response, by_channel=np.array([end, 0 * end]))
        shock = condition(response, model, SPEC)
        assert shock.channels.count("co_movement") == 1
        assert np.allclose(shock.by_channel.sum(axis=0), shock.path[:, -1], rtol=1e-14, atol=0)
        place = shock.channels.index("co_movement")
        assert np.array_equal(shock.by_channel[place][:, CORE:], shock.path[:, -1, CORE:])
        assert not np.any(shock.by_channel[place][:, :CORE])
        assert not np.any(np.delete(shock.by_channel, place, axis=0)[:, :, CORE:])


def test_doubling_the_response_doubles_every_factor():
    model = make_core_model(coefficients=2)
    response = make_response(model)
    twice = replace(response, path=2 * response.path, by_channel=2 * response.by_channel)
    one, two = condition(response, model, SPEC), condition(twice, model, SPEC)
    assert np.allclose(two.path, 2 * one.path, rtol=1e-13)


def test_loadings_vary_over_draws_with_the_estimated_covariance():
    spec = RunSpec(paths=16_384, draws=16_384, seed=4)
    model = make_core_model(coefficients=6)
    path = np.zeros((spec.draws, HORIZON.steps, FACTORS))
    path[:, :, 2] = 0.01
    response = ResponseDraws(model.axis, HORIZON, path, ("flow",), path[None, :, -1], model.core,
                             np.zeros(FACTORS, bool))
    moved = condition(response, model, spec).path[:, -1, CORE:] / 0.01
    expected = model.loadings_draw_factor[CORE:, 2] @ model.loadings_draw_factor[CORE:, 2].T
    error = np.sqrt(2 / spec.draws) * np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert np.all(np.abs(np.cov(moved.T) - expected) < 4.5 * error)
    assert np.all(np.abs(moved.mean(axis=0) - model.loadings[CORE:, 2])
                  < 4.5 * np.sqrt(np.diag(expected) / spec.draws))
    known = condition(response, model, replace(spec, parameter_uncertainty=False)).path[:, -1, CORE:]
    assert np.allclose(known, 0.01 * model.loadings[CORE:, 2], rtol=1e-13)
    other = condition(response, model, replace(spec, seed=5)).path[:, -1, CORE:] / 0.01
    assert not np.array_equal(other, moved)


def test_a_factor_never_moves_twice():
    model = make_core_model()
    path = make_response(model).path.copy()
    path[3, 1, CORE + 2] = 1e-6
    with pytest.raises(ModelError, match=f"F{CORE + 2}"):
        condition(make_response(model, path), model, SPEC)
    core = model.core.copy()
    core[CORE + 2] = True
    response = replace(make_response(model, path), core=core)
    assert np.array_equal(condition(response, model, SPEC).path[:, :, CORE + 2], path[:, :, CORE + 2])


def test_pinned_noise_is_zero_and_the_rest_conditional():
    model = make_core_model()
    pinned, free = [1, 4, 8], [k for k in range(FACTORS) if k not in (1, 4, 8)]
    shock = condition(make_response(model, pinned=pinned), model, SPEC)
    sigma = model.horizon_covariance(HORIZON.steps)
    left = shock.noise_map @ sigma @ shock.noise_map.T
    conditional = sigma[np.ix_(free, free)] - sigma[np.ix_(free, pinned)] @ np.linalg.solve(
        sigma[np.ix_(pinned, pinned)], sigma[np.ix_(pinned, free)])
    assert np.allclose(left[np.ix_(free, free)], conditional, rtol=1e-9, atol=1e-18)
    assert np.abs((shock.noise_map @ sigma)[np.ix_(free, pinned)]).max() < 1e-17
    noise, _ = simulate_noise(model, HORIZON, SPEC, Chunk(0, 4096))
    for some in (pinned, [0, 1, 2, 3, 5, 6, 7, 9, 11], list(range(FACTORS))):
        known = condition(make_response(model, pinned=some), model, SPEC).noise_map
        assert np.array_equal((known @ noise)[some], np.zeros((len(some), 4096)))
    assert np.allclose(shock.noise_map @ shock.noise_map, shock.noise_map, atol=1e-12), "a projection"


def test_fixings_bridge_to_the_pinned_end():
    model = make_core_model()
    shock = condition(make_response(model, pinned=[2]), model, SPEC)
    fixings = [(2, 1), (2, 3), (9, 0)]
    carry = fixing_map(shock, model, fixings)
    assert carry.shape == (3, FACTORS)
    assert np.allclose(carry[1], np.eye(FACTORS)[2], atol=1e-12), "at the end the pinned factor is known"
    early = model.horizon_covariance(2)[2, 2]
    assert carry[0, 2] == pytest.approx(early / model.horizon_covariance(4)[2, 2], rel=1e-12)
    spec = RunSpec(paths=65_536, noise="gaussian")
    noise, fixed = simulate_noise(model, HORIZON, spec, Chunk(0, spec.paths), fixings)
    bridge = fixed - carry @ noise
    correlation = np.array([np.corrcoef(bridge[0], noise[2])[0, 1], np.corrcoef(bridge[2], noise[2])[0, 1]])
    assert np.abs(correlation).max() < 4.5 / np.sqrt(spec.paths)
    expected = early * (1 - early / model.horizon_covariance(4)[2, 2])
    assert abs(bridge[0].var() / expected - 1) < 4.5 * np.sqrt(2 / spec.paths)
    free = condition(make_response(model), model, SPEC)
    assert not np.any(fixing_map(free, model, fixings))


def test_singular_pins_and_misfits_are_refused():
    model = make_core_model()
    correlation = model.correlation.copy()
    correlation[1] = correlation[0]
    correlation[:, 1] = correlation[:, 0]
    correlation[:2, :2] = 1.0
    twins = replace(model, correlation=correlation, vol_now=np.full(FACTORS, 0.01),
                    vol_long_run=np.full(FACTORS, 0.01), persistence=np.zeros(FACTORS))
    with pytest.raises(ModelError, match="F0, F1"):
        condition(make_response(model, pinned=[0, 1]), twins, SPEC)
    with pytest.raises(InputError, match="step"):
        condition(make_response(model), replace(model, step_days=1), SPEC)
    with pytest.raises(InputError, match="path"):
        condition(make_response(model), model, replace(SPEC, draws=128))
    path = make_response(model).path.copy()
    path[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="finite"):
        condition(make_response(model, path), model, SPEC)


def test_results_are_read_only():
    shock = condition(make_response(make_core_model(), pinned=[0]), make_core_model(), SPEC)
    for array in (shock.path, shock.by_channel, shock.noise_map):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0
