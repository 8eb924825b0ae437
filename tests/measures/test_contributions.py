"""Components add up, errors hold in repetition, ES is coherent on shared paths, costs are split fairly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from riskengine.base.errors import ModelError
from riskengine.measures.contributions import (
    allocate_aumann_shapley,
    allocate_homogeneous,
    component_es,
    component_es_error,
    incremental_risk,
    marginal_es,
    quantile_paths,
    tail_paths,
)
from riskengine.measures.tail_risk import measure_tail

WEIGHTS = np.array([3.0, 1.0, 0.5, -1.0])
COVARIANCE = np.array([[1, 0.5, 0.2, 0.3], [0.5, 2, 0.1, 0.4], [0.2, 0.1, 1, 0], [0.3, 0.4, 0, 1.5]])


def _parts(rng, paths):
    return WEIGHTS[:, None] * (np.linalg.cholesky(COVARIANCE) @ rng.standard_normal((4, paths)))


matrices = st.tuples(st.integers(1, 4), st.integers(2, 70)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(-50, 50).map(lambda i: i / 4))
)
levels = st.sampled_from([0.75, 0.9, 0.95, 0.975, 0.99])


@settings(max_examples=60, deadline=None)
@given(matrices, levels)
def test_components_sum_to_the_es_with_ties_and_fractional_atoms(parts, level):
    total = parts.sum(axis=0)
    paths = tail_paths(total, level)
    expected = measure_tail(total, np.arange(total.size) % 2, 2, (level,)).es[0]
    assert paths.weights.sum() == pytest.approx(1.0, abs=1e-12) and (paths.weights > 0).all()
    assert (np.diff(paths.indices) > 0).all()
    component = component_es(parts[:, paths.indices], paths)
    assert component.sum() == pytest.approx(expected, abs=1e-10)
    assert paths.loss == pytest.approx(expected, abs=1e-10)


@settings(max_examples=60, deadline=None)
@given(matrices, levels, st.sampled_from([0.25, 2.0, 1000.0]))
def test_es_is_coherent_on_shared_paths(parts, level, scale):
    draws = np.arange(parts.shape[1]) % 2

    def tail(x):
        return measure_tail(x, draws, 2, (level,))

    total, whole = tail(parts.sum(axis=0)), [tail(x) for x in parts]
    assert total.es[0] <= sum(t.es[0] for t in whole) + 1e-9, "subadditive"
    for row, t in zip(parts, whole, strict=True):
        assert t.es[0] >= t.var[0]
        assert tail(scale * row).es[0] == pytest.approx(scale * t.es[0], rel=1e-12, abs=1e-9)
        assert tail(row + 7.0).es[0] == pytest.approx(t.es[0] - 7.0, abs=1e-9)
        assert tail(row + np.abs(parts[0])).es[0] <= t.es[0] + 1e-9, "monotone"


def test_var_is_not_subadditive_where_es_is():
    """Two bonds that each default on different 3% of the paths: the textbook failure of VaR at 95%."""
    a, b = np.zeros(100), np.zeros(100)
    a[:3], b[3:6] = -100.0, -100.0
    draws = np.arange(100) % 2
    var_a, var_b, both = (measure_tail(x, draws, 2, (0.95,)) for x in (a, b, a + b))
    assert both.var[0] > var_a.var[0] + var_b.var[0]
    assert both.es[0] <= var_a.es[0] + var_b.es[0]


def test_components_match_the_normal_closed_form_and_their_errors_hold():
    rng = np.random.default_rng(21)
    paths, draws, level = 8_192, 64, 0.975
    sd = math.sqrt(WEIGHTS @ COVARIANCE @ WEIGHTS)
    q = 1.959963984540054
    factor = math.exp(-q * q / 2) / math.sqrt(2 * math.pi) / 0.025
    exact = WEIGHTS * (COVARIANCE @ WEIGHTS) / sd * factor
    draw_of_path = np.tile(np.arange(draws), paths // draws)
    components, errors = [], []
    for _ in range(300):
        parts = _parts(rng, paths)
        tail = tail_paths(parts.sum(axis=0), level)
        rows = parts[:, tail.indices]
        components.append(component_es(rows, tail))
        errors.append(component_es_error(rows, tail, draw_of_path, draws))
    components = np.array(components)
    truth = components.std(axis=0, ddof=1)
    assert np.all(np.abs(components.mean(axis=0) - exact) < 4 * truth / math.sqrt(300) + 2e-3 * abs(exact))
    assert np.sqrt(np.mean(np.square(errors), axis=0)) == pytest.approx(truth, rel=0.12)


def test_errors_of_components_are_clustered_by_parameter_draw():
    """A component driven by the parameter draw alone has an error that more paths do not reduce."""
    rng = np.random.default_rng(6)
    draws, paths = 64, 8_192
    draw_of_path = np.concatenate([rng.permutation(draws) for _ in range(paths // draws)])
    components, errors = [], []
    for _ in range(300):
        parts = np.vstack([rng.standard_normal(draws)[draw_of_path], rng.standard_normal(paths)])
        tail = tail_paths(parts.sum(axis=0), 0.95)
        rows = parts[:, tail.indices]
        components.append(component_es(rows, tail))
        errors.append(component_es_error(rows, tail, draw_of_path, draws))
    truth = np.std(components, axis=0, ddof=1)
    assert np.sqrt(np.mean(np.square(errors), axis=0)) == pytest.approx(truth, rel=0.15)


def test_a_component_does_not_hang_on_the_rows_beside_it():
    rng = np.random.default_rng(8)
    parts = rng.standard_normal((21, 4096))
    tail = tail_paths(parts.sum(axis=0), 0.95)
    rows, draw_of_path = parts[:, tail.indices], np.tile(np.arange(64), 64)
    component, error = component_es(rows, tail), component_es_error(rows, tail, draw_of_path, 64)
    for lo, hi in ((0, 1), (7, 9), (3, 21)):
        assert component_es(rows[lo:hi], tail).tobytes() == component[lo:hi].tobytes()
        assert component_es_error(rows[lo:hi], tail, draw_of_path, 64).tobytes() == error[lo:hi].tobytes()


def test_the_error_of_the_total_is_that_of_its_es():
    rng = np.random.default_rng(1)
    total = rng.standard_t(4, 4096)
    draw_of_path = np.tile(np.arange(64), 64)
    tail = tail_paths(total, 0.975)
    error = component_es_error(tail.pnl[None], tail, draw_of_path, 64)[0]
    assert error == pytest.approx(measure_tail(total, draw_of_path, 64, (0.975,)).se_es[0], rel=5e-3)


def test_marginal_es_is_the_derivative_of_es():
    rng = np.random.default_rng(4)
    parts = _parts(rng, 50_000)
    total, trade = parts.sum(axis=0), rng.standard_normal(50_000) + 0.3 * parts[0]
    tail = tail_paths(total, 0.975)
    marginal = marginal_es(trade[None, tail.indices], tail)[0]
    draws, h = np.arange(50_000) % 4, 1e-5
    up, down = (measure_tail(total + s * h * trade, draws, 4, (0.975,)).es[0] for s in (1, -1))
    assert marginal == pytest.approx((up - down) / (2 * h), rel=1e-4)


def test_var_components_use_the_paths_around_the_var():
    parts = _parts(np.random.default_rng(9), 200_000)
    tail = quantile_paths(parts.sum(axis=0), 0.99)
    component = component_es(parts[:, tail.indices], tail)
    exact = WEIGHTS * (COVARIANCE @ WEIGHTS) / math.sqrt(WEIGHTS @ COVARIANCE @ WEIGHTS) * 2.3263
    assert component.sum() == pytest.approx(tail.loss, rel=1e-12)
    assert tail.loss == pytest.approx(-tail.quantile, rel=0.02)
    assert component == pytest.approx(exact, abs=0.15)


def test_incremental_risk_and_the_error_of_the_difference():
    rng = np.random.default_rng(31)
    paths, draws, repetitions = 8_192, 64, 250
    draw_of_path = np.tile(np.arange(draws), paths // draws)
    changes, errors, separate = [], [], []
    for _ in range(repetitions):
        book = rng.standard_normal(paths)
        hedged = book - 0.2 * (0.8 * book + 0.6 * rng.standard_normal(paths))
        step = incremental_risk(book, hedged, draw_of_path, draws, (0.95,))
        changes.append((step.var_change[0], step.es_change[0]))
        errors.append((step.se_var_change[0], step.se_es_change[0]))
        separate.append(measure_tail(book, draw_of_path, draws, (0.95,)).se_es[0])
    truth = np.std(changes, axis=0, ddof=1)
    assert np.sqrt(np.mean(np.square(errors), axis=0)) == pytest.approx(truth, rel=0.15)
    assert truth[1] < 0.5 * np.mean(separate), "common paths must cancel"
    sd = math.sqrt(0.84**2 + 0.12**2)
    assert np.mean(changes, axis=0) == pytest.approx(((sd - 1) * 1.6449, (sd - 1) * 2.0627), abs=4e-3)


def test_no_trade_changes_nothing_and_has_no_error():
    x = np.random.default_rng(1).standard_t(3, 512)
    step = incremental_risk(x, x, np.arange(512) % 8, 8)
    assert step.var_change == step.es_change == step.se_var_change == step.se_es_change == (0.0,) * 3


def _book_cost(size):
    """Two order books: names 0–2 share one, 3 has its own; 2% a day, ADV 50 and 10, Y = 0.75."""
    flow = np.array([size[:3].sum(), size[3]])
    price = 0.75 * 0.02 * np.sign(flow) * np.sqrt(np.abs(flow) / np.array([50.0, 10.0]))
    return float(flow @ price), np.repeat(1.5 * price, [3, 1])


def test_aumann_shapley_closed_form_and_path_version_agree_and_add_up():
    size = np.array([-30.0, 12.0, -5.0, 4.0])
    cost, gradient = _book_cost(size)
    closed = allocate_homogeneous(size, gradient, 1.5)
    path = allocate_aumann_shapley(size, lambda x: _book_cost(x)[1])
    assert closed.sum() == pytest.approx(cost, rel=1e-13)
    assert path == pytest.approx(closed, rel=1e-12)
    assert closed[1] < 0, "buying into one's own selling earns the impact"
    assert (size * gradient).sum() == pytest.approx(1.5 * cost), "Euler would overstate by half"


def test_path_version_handles_a_cost_that_is_not_homogeneous():
    size = np.array([2.0, 3.0])
    share = allocate_aumann_shapley(size, lambda x: 3 * x.sum() ** 2 * np.ones(2) + np.array([1.0, 0.0]))
    assert share == pytest.approx([2 / 5 * 125 + 2, 3 / 5 * 125], rel=1e-12)


def test_wrong_shapes_and_values_are_refused():
    tail = tail_paths(np.arange(100.0), 0.95)
    with pytest.raises(ModelError, match="5 tail paths"):
        component_es(np.zeros((2, 100)), tail)
    with pytest.raises(ModelError, match="first in row 1"):
        component_es(np.array([[0.0] * 5, [np.nan] * 5]), tail)
    with pytest.raises(ModelError, match="one entry per path"):
        component_es_error(np.zeros((2, 5)), tail, np.zeros(5, dtype=int), 2)
    with pytest.raises(ModelError, match="finite vector"):
        tail_paths(np.array([1.0, np.nan]), 0.95)
    with pytest.raises(ModelError, match="degree"):
        allocate_homogeneous(np.ones(2), np.ones(2), 0.0)
