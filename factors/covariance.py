"""How do factors of different histories move together?

Stambaugh (1997): with histories of different length the likelihood factorises; the short series are
regressed on the long ones over the common sample, and the coefficients carry the information of the long
sample over:

    V_22 = Ω + B V_11 B',   V_21 = B V_11,   B, Ω from the regression of 2 on 1 on the common sample.

That is exact when the missing observations are nested (monotone).  Here they are not quite: equities end in
2018, the renminbi begins in 2015, the 30-year bond pauses in 2002–06.  ``stambaugh_moments`` therefore
starts from the sequential regressions and iterates the EM algorithm of the normal likelihood with missing
data (Little and Rubin 2002, ch. 11), of which Stambaugh's formula is the fixed point in the monotone case
(tested).

Correlations drift, so the long block (currencies and yields, which reach the as-of date) is estimated with
exponential weights and the short histories keep their coefficients of the whole common sample:
``update_long_block`` is Stambaugh's formula once more, with the weighted V_11.

Shrinkage: Ledoit and Wolf (2004) towards the identity (for standardised series: zero correlation); the
intensity is reported.
"""

from __future__ import annotations

import numpy as np

EM_TOLERANCE = 1e-5
EM_ITERATIONS = 200


def stambaugh_moments(x: np.ndarray, weights: np.ndarray | None = None, tolerance: float = EM_TOLERANCE,
                      iterations: int = EM_ITERATIONS) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean (N,), covariance (N, N) of *x* (T, N) with NaN, and the number of EM iterations.

    Maximum likelihood of the normal distribution with every observation used, each row's likelihood raised
    to its weight (T,) > 0 when *weights* are given.  Stops when no element of the correlation matrix moves
    by more than *tolerance*.
    """
    mean, cov = regress_in_order(x)
    statistics = pattern_statistics(x, np.ones(len(x)) if weights is None else weights)
    for n in range(1, iterations + 1):
        new_mean, new_cov = _em_step(statistics, mean, cov)
        moved = np.abs(to_correlation(new_cov) - to_correlation(cov)).max()
        mean, cov = new_mean, new_cov
        if moved < tolerance:
            break
    return mean, cov, n


def regress_in_order(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stambaugh's sequential regressions, longest history first: mean (N,) and covariance (N, N).

    Each series is regressed on the longer ones over the rows where all of them are observed; a longer
    series that would leave fewer than half of the rows is left out of that regression (its partial
    covariance starts at 0).
    """
    present = np.isfinite(x)
    order = np.argsort(-present.sum(axis=0), kind="stable")
    n = x.shape[1]
    mean, cov = np.zeros(n), np.zeros((n, n))
    done: list[int] = []
    for j in order:
        rows = present[:, j]
        use: list[int] = []
        for i in done:
            both = rows & present[:, i]
            if both.sum() >= 0.5 * present[:, j].sum():
                use.append(i)
                rows = both
        y = x[rows, j]
        if not use:
            mean[j], cov[j, j] = y.mean(), y.var()
        else:
            longer = x[np.ix_(rows, use)]
            centre = longer.mean(axis=0)
            longer = longer - centre
            b = np.linalg.solve(longer.T @ longer, longer.T @ (y - y.mean()))
            omega = np.mean((y - y.mean() - longer @ b) ** 2)
            mean[j] = y.mean() + b @ (mean[use] - centre)
            cov[j, done] = cov[done, j] = b @ cov[np.ix_(use, done)]
            cov[j, j] = omega + b @ cov[np.ix_(use, use)] @ b
        done.append(int(j))
    return mean, cov


def pattern_statistics(x: np.ndarray, weights: np.ndarray
                       ) -> list[tuple[np.ndarray, float, np.ndarray, np.ndarray]]:
    """[(observed (N,) bool, total weight, weighted sums (o,), cross products (o, o))], one per pattern of
    missing observations; weights (T,)."""
    present = np.isfinite(x)
    kinds, which = np.unique(present, axis=0, return_inverse=True)
    which = which.reshape(-1)
    out = []
    for i, seen in enumerate(kinds):
        if seen.any():
            part, w = x[which == i][:, seen], weights[which == i]
            out.append((seen, float(w.sum()), w @ part, (part * w[:, None]).T @ part))
    return out


def _em_step(statistics, mean, cov):
    """One expectation and maximisation over all patterns."""
    n = len(mean)
    total, first, second = 0.0, np.zeros(n), np.zeros((n, n))
    for seen, rows, sums, products in statistics:
        gap = ~seen
        fill = np.zeros((int(seen.sum()), n))
        fill[:, seen] = np.eye(len(fill))
        b = np.linalg.solve(cov[np.ix_(seen, seen)], cov[np.ix_(seen, gap)])
        fill[:, gap] = b
        shift = np.zeros(n)
        shift[gap] = mean[gap] - mean[seen] @ b
        moved = sums @ fill
        total += rows
        first += moved + rows * shift
        second += fill.T @ products @ fill + np.outer(moved, shift) + np.outer(shift, moved)
        second += rows * np.outer(shift, shift)
        second[np.ix_(gap, gap)] += rows * (cov[np.ix_(gap, gap)] - cov[np.ix_(gap, seen)] @ b)
    new_mean = first / total
    new_cov = second / total - np.outer(new_mean, new_mean)
    return new_mean, 0.5 * (new_cov + new_cov.T)


def expected_moments(x: np.ndarray, prior_correlation: np.ndarray) -> np.ndarray:
    """(N, N) second moment of rows *x* with NaN, the missing parts expected under *prior_correlation* (zero
    mean, unit variance): one EM step from the prior, which leaves what is not observed where the prior has
    it."""
    zero = np.zeros(x.shape[1])
    mean, cov = _em_step(pattern_statistics(x, np.ones(len(x))), zero, prior_correlation)
    return cov + np.outer(mean, mean)


def update_long_block(cov: np.ndarray, long: np.ndarray, long_cov: np.ndarray) -> np.ndarray:
    """(N, N) covariance in which the *long* columns (N,) bool have covariance *long_cov* and the others
    keep their regression on them: V_21 = B V_11, V_22 = Ω + B V_11 B', B and Ω from *cov*."""
    short = ~long
    b = np.linalg.solve(cov[np.ix_(long, long)], cov[np.ix_(long, short)]).T
    omega = cov[np.ix_(short, short)] - b @ cov[np.ix_(long, short)]
    out = np.empty_like(cov)
    out[np.ix_(long, long)] = long_cov
    out[np.ix_(short, long)] = b @ long_cov
    out[np.ix_(long, short)] = (b @ long_cov).T
    out[np.ix_(short, short)] = omega + b @ long_cov @ b.T
    return 0.5 * (out + out.T)


def decay_weights(rows: int, half_life: float) -> np.ndarray:
    """(rows,) weights halving every *half_life* rows towards the past, mean 1."""
    w = 0.5 ** ((rows - 1 - np.arange(rows)) / half_life)
    return w / w.mean()


def ledoit_wolf_intensity(x: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Shrinkage intensity in [0, 1] of the second moment of *x* (T, N), complete rows, towards *target* (N,
    N).

    δ = min(b²/d², 1),  d² = |S − F|²,  b² = Σ_t w_t |x_t x_t' − S|² / n   (Ledoit and Wolf 2004, eq. 14)

    with n the number of rows or, for weights w summing to 1, the effective one 1/Σw².
    """
    w = np.full(len(x), 1.0 / len(x)) if weights is None else weights / weights.sum()
    s = (x * w[:, None]).T @ x
    distance = float(((s - target) ** 2).sum())
    fourth = float(w @ np.einsum("ti,ti->t", x, x) ** 2)
    noise = (fourth - float((s**2).sum())) * float((w**2).sum())
    return float(min(max(noise / distance, 0.0), 1.0)) if distance > 0 else 1.0


def shrink(matrix: np.ndarray, target: np.ndarray, intensity: float) -> np.ndarray:
    """(1 − δ) matrix + δ target."""
    return (1.0 - intensity) * matrix + intensity * target


def to_correlation(covariance: np.ndarray) -> np.ndarray:
    """Unit-diagonal, exactly symmetric correlation of a covariance matrix."""
    sd = np.sqrt(np.diag(covariance))
    r = covariance / np.outer(sd, sd)
    r = 0.5 * (r + r.T)
    np.fill_diagonal(r, 1.0)
    return r


def complete_rows(x: np.ndarray) -> np.ndarray:
    """Rows of *x* without NaN."""
    return x[np.isfinite(x).all(axis=1)]
