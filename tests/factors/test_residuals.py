"""Rows of filtered historical simulation: unit variance, co-movement kept, gaps drawn with the right law."""

from __future__ import annotations

import numpy as np

from factors.residuals import fill_rows

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
