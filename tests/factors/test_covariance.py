"""Histories of different length: Stambaugh's closed form, its gain, weights, shrinkage."""

from __future__ import annotations

import numpy as np
import pytest

from factors.covariance import (complete_rows, decay_weights, expected_moments, ledoit_wolf_intensity,
                                regress_in_order, stambaugh_moments, to_correlation, update_long_block)

TRUTH = np.array([[1.0, 0.6, 0.5], [0.6, 1.0, 0.3], [0.5, 0.3, 1.0]])


def simulate(seed: int, rows: int, truth: np.ndarray = TRUTH) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, len(truth))) @ np.linalg.cholesky(truth).T


def closed_form(x: np.ndarray, short: int) -> np.ndarray:
    """Stambaugh (1997) for one short series: V_22 = Ω + B V_11 B', V_21 = B V_11."""
    long = [j for j in range(x.shape[1]) if j != short]
    v11 = np.cov(x[:, long].T, bias=True)
    rows = np.isfinite(x[:, short])
    y, z = x[rows, short] - x[rows, short].mean(), x[np.ix_(rows, long)] - x[np.ix_(rows, long)].mean(axis=0)
    b = np.linalg.lstsq(z, y, rcond=None)[0]
    out = np.empty((3, 3))
    out[np.ix_(long, long)] = v11
    out[short, long] = out[long, short] = b @ v11
    out[short, short] = np.mean((y - z @ b) ** 2) + b @ v11 @ b
    return out


def test_monotone_histories_give_stambaughs_closed_form():
    x = simulate(1, 4000)
    x[1200:, 2] = np.nan
    expected = closed_form(x, 2)
    for cov in (regress_in_order(x)[1], stambaugh_moments(x, tolerance=1e-10)[1]):
        np.testing.assert_allclose(cov, expected, rtol=0, atol=1e-9)


def test_known_truth_within_sampling_error_and_better_than_cutting():
    full, cut = [], []
    for seed in range(40):
        x = simulate(100 + seed, 3000)
        x[300:, 2] = np.nan
        full.append(to_correlation(stambaugh_moments(x)[1]) - TRUTH)
        cut.append(np.corrcoef(complete_rows(x).T) - TRUTH)
    full, cut = np.array(full), np.array(cut)
    assert np.abs(full.mean(axis=0)).max() < 4 * full.std(axis=0).max() / np.sqrt(40)
    assert np.sqrt((full[:, 0, 1] ** 2).mean()) < 0.5 * np.sqrt((cut[:, 0, 1] ** 2).mean())
    assert (full[:, 0, 2] ** 2).mean() < (cut[:, 0, 2] ** 2).mean()


def test_not_nested_gaps_recover_the_truth():
    x = simulate(7, 20000)
    x[:9000, 1] = np.nan
    x[11000:, 2] = np.nan
    estimate = to_correlation(stambaugh_moments(x)[1])
    assert np.abs(estimate - TRUTH).max() < 0.04
    assert np.linalg.eigvalsh(estimate)[0] > 0


def test_weights_equal_repeated_rows():
    x = simulate(3, 300)
    x[200:, 2] = np.nan
    w = np.where(np.arange(300) % 3 == 0, 2.0, 1.0)
    repeated = np.vstack([x, x[::3]])
    np.testing.assert_allclose(stambaugh_moments(x, w, 1e-12)[1], stambaugh_moments(repeated, None, 1e-12)[1],
                               atol=1e-8)


def test_decay_weights_halve():
    w = decay_weights(1001, 250)
    assert w.mean() == pytest.approx(1.0)
    assert w[-1] / w[-251] == pytest.approx(2.0)


def test_update_long_block_keeps_regressions():
    cov = np.array([[2.0, 0.5, 0.8], [0.5, 1.0, 0.2], [0.8, 0.2, 3.0]])
    long = np.array([True, True, False])
    np.testing.assert_allclose(update_long_block(cov, long, cov[:2, :2]), cov)
    other = update_long_block(cov, long, np.array([[1.0, 0.9], [0.9, 1.5]]))
    b = [np.linalg.solve(m[:2, :2], m[:2, 2]) for m in (other, cov)]
    np.testing.assert_allclose(b[0], b[1], atol=1e-12)
    assert np.linalg.eigvalsh(other)[0] > 0


def test_ledoit_wolf_matches_the_definition_and_vanishes_with_data():
    x = simulate(5, 250)
    s = x.T @ x / len(x)
    noise = sum(((np.outer(r, r) - s) ** 2).sum() for r in x) / len(x) ** 2
    assert ledoit_wolf_intensity(x, np.eye(3)) == pytest.approx(min(noise / ((s - np.eye(3)) ** 2).sum(), 1))
    assert ledoit_wolf_intensity(simulate(5, 50000), np.eye(3)) < 1e-3


def test_unobserved_stays_at_the_prior():
    x = simulate(9, 500)
    x[:, 2] = np.nan
    m = to_correlation(expected_moments(x, TRUTH))
    b = np.linalg.solve(TRUTH[:2, :2], TRUTH[:2, 2])
    observed = x[:, :2].T @ x[:, :2] / len(x)
    raw = expected_moments(x, TRUTH)
    np.testing.assert_allclose(raw[:2, :2], observed, atol=1e-12)
    np.testing.assert_allclose(raw[2, :2], b @ observed, atol=1e-12)
    assert m[0, 2] == pytest.approx(0.5, abs=0.1)
