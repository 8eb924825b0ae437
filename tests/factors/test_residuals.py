"""Rows of filtered historical simulation: unit variance, co-movement kept, gaps drawn with the right law."""

from __future__ import annotations

import numpy as np
import pytest

from factors.residuals import carry_correlation, fill_rows
from riskengine.base.errors import ModelError

TRUTH = np.array([[1.0, 0.5, 0.6, 0.2], [0.5, 1.0, 0.3, 0.4], [0.6, 0.3, 1.0, 0.1], [0.2, 0.4, 0.1, 1.0]])
NU = 6.0


def sample(rows: int = 12000):
    rng = np.random.default_rng(11)
    mixing = np.sqrt((NU - 2) / rng.chisquare(NU, rows))
    z = rng.standard_normal((rows, 4)) @ np.linalg.cholesky(TRUTH).T * mixing[:, None]
    dates = np.datetime64("2006-02-10") + np.arange(rows)
    return z, dates


def test_complete_rows_are_only_rescaled():
    z, dates = sample()
    rows, drawn, flags = fill_rows(z, dates, TRUTH, NU)
    np.testing.assert_allclose(rows, (z - z.mean(axis=0)) / z.std(axis=0), rtol=1e-12, atol=1e-12)
    assert drawn.max() == 0 and not flags.any()


def test_filled_rows_keep_correlation_variance_and_joint_tails():
    z, dates = sample()
    gappy = z.copy()
    gappy[6000:, 2] = np.nan
    gappy[:, 3] = np.nan
    rows, drawn, flags = fill_rows(gappy, dates, TRUTH, NU)
    np.testing.assert_allclose(rows.std(axis=0), 1.0, atol=1e-12)
    np.testing.assert_allclose(rows.mean(axis=0), 0.0, atol=1e-12)
    assert np.abs(np.corrcoef(rows.T) - TRUTH).max() < 0.04
    assert list(flags) == [False, False, True, True] and drawn[2] == 0.5 and drawn[3] == 1.0
    big = np.abs(rows[:, 0]) > 4
    quiet = np.abs(rows[:, 0]) < 0.5
    assert big.sum() > 30
    # a t shares its mixing: what is left of the drawn factor after regression is wilder on wild days
    left = rows[:, 3] - rows[:, :2] @ np.linalg.solve(TRUTH[:2, :2], TRUTH[:2, 3])
    assert left[big].std() > 1.4 * left[quiet].std()


def test_fixed_seed_and_window():
    z, dates = sample(5000)
    z[:, 3] = np.nan
    early = np.concatenate([[np.datetime64("2001-01-01")], dates[1:]])
    a, b = fill_rows(z, early, TRUTH, NU)[0], fill_rows(z, early, TRUTH, NU)[0]
    np.testing.assert_array_equal(a, b)
    assert len(a) == 4999
    assert len(fill_rows(z[:500], early[:500], TRUTH, NU)[0]) == 500


def test_rows_carry_the_correlation_asked_for():
    z, dates = sample()
    z[:, 3] = np.nan
    rows = fill_rows(z, dates, TRUTH, NU)[0]
    today = TRUTH.copy()
    today[0, 1:3] = today[1:3, 0] = 0.2, 0.8
    turned = carry_correlation(rows, today)
    np.testing.assert_allclose(np.corrcoef(turned.T), today, atol=1e-12)
    np.testing.assert_allclose(turned.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(turned.std(axis=0), 1.0, atol=1e-12)
    np.testing.assert_allclose(carry_correlation(0.9 * rows + 0.1, today), 0.9 * turned, rtol=1e-9, atol=1e-9)
    # a row stays the day it was, with its tail
    assert min(np.corrcoef(rows[:, k], turned[:, k])[0, 1] for k in range(4)) > 0.97
    fat = (rows**4).mean(axis=0)
    np.testing.assert_allclose((turned**4).mean(axis=0), fat, rtol=0.15)


def test_unchanged_correlation_leaves_the_rows_alone_and_no_map_moves_them_less():
    z, _ = sample(6000)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    own = np.corrcoef(z.T)
    np.testing.assert_allclose(carry_correlation(z, own), z, atol=1e-10)
    today = 0.5 * own + 0.5 * np.eye(4)
    moved = ((carry_correlation(z, today) - z) ** 2).mean()
    triangular = z @ (np.linalg.cholesky(today) @ np.linalg.inv(np.linalg.cholesky(own))).T
    np.testing.assert_allclose(np.corrcoef(triangular.T), today, atol=1e-10)
    assert moved < ((triangular - z) ** 2).mean()


def test_rows_that_span_too_few_directions_are_refused():
    z = sample(100)[0]
    with pytest.raises(ModelError, match="fewer"):
        carry_correlation(np.column_stack([z, z[:, 0] + z[:, 1]]), np.eye(5))
    with pytest.raises(ModelError, match="fewer"):
        carry_correlation(z[:3], TRUTH)
