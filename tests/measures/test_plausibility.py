"""Mahalanobis distance: closed forms, calibrated probability, conditioning policy, partial scenarios."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.base.errors import InputError, ModelError
from riskengine.measures.plausibility import complete_partial_scenario, independent_subset, mahalanobis

LABELS = ("FX_EUR", "UST_10Y", "EQ_SP500", "FX_JPY")
SD = np.array([0.07, 0.009, 0.18, 0.1])
CORRELATION = np.array([[1, 0.1, 0.3, 0.5], [0.1, 1, -0.2, -0.3], [0.3, -0.2, 1, 0.1], [0.5, -0.3, 0.1, 1]])
COVARIANCE = CORRELATION * np.outer(SD, SD)


def test_one_factor_is_the_two_sided_normal():
    result = mahalanobis(np.array([0.0196]), np.array([[1e-4]]), ["EQ_SP500"])
    assert result.distance == pytest.approx(1.96)
    assert result.probability == pytest.approx(0.0499958, abs=1e-7)
    assert (result.dimension, result.condition) == (1, 1.0)


def test_two_independent_factors_have_the_exponential_tail():
    result = mahalanobis(np.array([0.03, 0.04]), np.diag([1e-4, 1e-4]), ["FX_EUR", "FX_JPY"])
    assert result.distance == pytest.approx(5.0)
    assert result.probability == pytest.approx(np.exp(-12.5))


def test_distance_equals_the_quadratic_form_and_ignores_units():
    move = np.array([0.1, 0.01, -0.2, 0.05])
    result = mahalanobis(move, COVARIANCE, LABELS)
    assert result.distance**2 == pytest.approx(move @ np.linalg.solve(COVARIANCE, move))
    scale = np.array([1.0, 1e4, 100.0, 1.0])
    assert mahalanobis(move * scale, COVARIANCE * np.outer(scale, scale), LABELS).distance == pytest.approx(
        result.distance)


@pytest.mark.parametrize("dof", [None, 5.0])
def test_probability_is_uniform_under_its_own_model(dof):
    rng = np.random.default_rng(2)
    moves = rng.standard_normal((2_000, 4)) @ np.linalg.cholesky(COVARIANCE).T
    if dof:
        moves *= np.sqrt((dof - 2) / rng.chisquare(dof, (2_000, 1)))
    p = np.array([mahalanobis(m, COVARIANCE, LABELS, dof=dof).probability for m in moves])
    for level in (0.01, 0.1, 0.5, 0.9):
        assert np.mean(p < level) == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 2_000))


def test_subset_matches_its_own_dimension():
    move = np.array([0.1, 0.01, -0.2, 0.05])
    part = mahalanobis(move, COVARIANCE, LABELS, subset=("EQ_SP500", "FX_EUR"))
    assert (part.dimension, part.factors) == (2, ("EQ_SP500", "FX_EUR"))
    assert part.distance < mahalanobis(move, COVARIANCE, LABELS).distance


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.sets(st.sampled_from(LABELS), min_size=1))
def test_conditional_mean_completes_a_scenario_without_adding_distance(scores, chosen):
    specified = {label: z * sd for label, z, sd in zip(LABELS, scores, SD, strict=True) if label in chosen}
    full = complete_partial_scenario(specified, COVARIANCE, LABELS)
    assert [full[LABELS.index(k)] for k in specified] == list(specified.values())
    whole = mahalanobis(full, COVARIANCE, LABELS).distance
    assert whole == pytest.approx(mahalanobis(full, COVARIANCE, LABELS, tuple(specified)).distance, abs=1e-9)
    nudged = full + 0.01 * SD * np.array([label not in specified for label in LABELS])
    assert mahalanobis(nudged, COVARIANCE, LABELS).distance >= whole - 1e-12


def test_near_dependent_factors_are_refused_by_name_and_a_subset_is_offered():
    noise = 1e-6
    column = COVARIANCE[:, 1:2]
    covariance = np.block([[COVARIANCE, column], [column.T, column[1:2] * (1 + noise)]])
    labels = (*LABELS, "UST_7Y")
    move = np.array([0.0, 0.01, 0.0, 0.0, 0.0101])
    with pytest.raises(ModelError, match=r"nearly dependent: UST_(10|7)Y, UST_(10|7)Y"):
        mahalanobis(move, covariance, labels)
    subset = independent_subset(covariance, labels, first=("UST_7Y", "UST_10Y"))
    assert subset == ("FX_EUR", "EQ_SP500", "FX_JPY", "UST_7Y")
    assert mahalanobis(move, covariance, labels, subset).condition < 10


def test_a_factor_without_variance_is_named_not_divided_by():
    covariance = COVARIANCE.copy()
    covariance[3, :] = covariance[:, 3] = 0.0
    with pytest.raises(ModelError, match="no variance.*FX_JPY"):
        mahalanobis(np.zeros(4), covariance, LABELS)
    assert independent_subset(covariance, LABELS, first=("FX_JPY",)) == LABELS[:3]


def test_bad_input_is_refused():
    with pytest.raises(ModelError, match="do not fit"):
        mahalanobis(np.zeros(3), COVARIANCE, LABELS)
    with pytest.raises(ModelError, match="finite"):
        mahalanobis(np.array([np.nan, 0, 0, 0]), COVARIANCE, LABELS)
    with pytest.raises(ModelError, match="symmetric"):
        mahalanobis(np.zeros(4), COVARIANCE + np.triu(COVARIANCE, 1), LABELS)
    with pytest.raises(InputError, match="unknown factor"):
        mahalanobis(np.zeros(4), COVARIANCE, LABELS, subset=("FX_EURO",))
    with pytest.raises(InputError, match="once each"):
        mahalanobis(np.zeros(4), COVARIANCE, LABELS, subset=("FX_EUR", "FX_EUR"))
    with pytest.raises(ModelError, match="two degrees of freedom"):
        mahalanobis(np.zeros(4), COVARIANCE, LABELS, dof=2.0)
