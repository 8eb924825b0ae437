"""A coefficient with honest uncertainty: HAC errors, a wild bootstrap of its t-statistic, the observation it
hangs on.

    y_t = x_t'β + u_t,   V(β) = (X'X)⁻¹ (Γ₀ + Σ_{l≤L} (1 − l/(L+1)) (Γ_l + Γ_l')) (X'X)⁻¹ · n/(n − k)

(Newey and West 1987, by statsmodels).  The interval is that of the symmetric percentile-t wild bootstrap:
residuals times Rademacher signs that are constant over blocks of L + 1 periods (Davidson and Flachaire 2008;
blocks as in Shao 2010), each draw re-estimated with its own HAC error.  One-sided p-values at any bound θ₀
come from the same draws.  A row that is left out (an influential observation, a sub-sample) becomes a row of
zeros, so that the periods beside it stay at their true distance.  Influence is the exact change of the
coefficient without the row.

A statistic that is no regression coefficient (a share, an R²) gets the moving-block bootstrap (Künsch 1989).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm

DRAWS = 1999
CONFIDENCE = 0.95
FEWEST = 8
"""Observations per coefficient's test below which no interval is given: at least this many more than
coefficients."""


class TooShort(Exception):
    """Fewer observations than a test can be taken from."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A number and how uncertain it is.

    draws : (B,) t-statistics of the bootstrap under the estimated model (or None: exact numbers).
    """

    value: float
    se: float
    low: float
    high: float
    n: int
    draws: np.ndarray | None = None

    def p_above(self, bound: float) -> float:
        """p-value of 'the truth is ≤ bound': small when the estimate lies clearly above."""
        if bound == -np.inf:
            return 0.0
        if bound == np.inf:
            return 1.0
        t = (self.value - bound) / self.se if self.se > 0 else np.sign(self.value - bound) * np.inf
        if self.draws is None:
            return 0.0 if t > 0 else 1.0
        tail = (1.0 + float((np.abs(self.draws) >= abs(t)).sum())) / (len(self.draws) + 1.0) / 2.0
        return min(tail, 0.5) if t > 0 else 1.0 - min(tail, 0.5)

    def p_below(self, bound: float) -> float:
        """p-value of 'the truth is ≥ bound'."""
        if bound == np.inf:
            return 0.0
        if bound == -np.inf:
            return 1.0
        return 1.0 - self.p_above(bound) if self.draws is not None else float(self.value >= bound)


@dataclass(frozen=True, slots=True)
class Regression:
    """y (T,) on X (T, k), the tested coefficient at column ``of``; rows with NaN are left out, time keeps
    counting.

    periods : (T,) numbers of months, quarters or days in order.  lags : L of the HAC error (0: White).
    names : (k,).  seed : of the bootstrap, from the claim's id.
    """

    y: np.ndarray
    X: np.ndarray
    periods: np.ndarray
    lags: int
    names: tuple[str, ...]
    of: int = 1
    seed: int = 0

    @property
    def rows(self) -> np.ndarray:
        """(T,) rows without a missing value."""
        return np.isfinite(self.y) & np.isfinite(self.X).all(axis=1)

    def fit(self, keep: np.ndarray | None = None, of: int | None = None, draws: int = DRAWS) -> Measured:
        """The coefficient on the rows *keep* (all complete ones without it); TooShort when there are too
        few."""
        rows = self.rows if keep is None else self.rows & keep
        y, X, n, k = self._cut(rows)
        of = self.of if of is None else of
        if n < k + FEWEST:
            raise TooShort(f"{n} observations for {k} coefficients")
        if np.linalg.matrix_rank(X) < k:
            raise TooShort("the regressors are collinear on this sample")
        model = sm.OLS(y, X)
        fitted = model.fit(cov_type="HAC", cov_kwds={"maxlags": self.lags, "use_correction": False})
        value = float(fitted.params[of])
        se = float(fitted.bse[of]) * np.sqrt(n / (n - k))
        t_draws = _wild_t(X, fitted.params, fitted.resid, of, self.lags, n, self.seed, draws)
        reach = float(np.quantile(np.abs(t_draws), CONFIDENCE)) * se
        return Measured(value, se, value - reach, value + reach, n, t_draws)

    def r_squared(self, keep: np.ndarray | None = None) -> float:
        """Share of the variance explained."""
        rows = self.rows if keep is None else self.rows & keep
        return float(sm.OLS(self.y[rows], self.X[rows]).fit().rsquared)

    def residuals(self) -> np.ndarray:
        """(T,) residuals, NaN on incomplete rows."""
        rows = self.rows
        out = np.full(len(self.y), np.nan)
        out[rows] = sm.OLS(self.y[rows], self.X[rows]).fit().resid
        return out

    def most_influential(self) -> tuple[int, float]:
        """Row whose omission moves the coefficient most, and the coefficient without it."""
        rows = self.rows
        X, y = self.X[rows], self.y[rows]
        inverse = np.linalg.inv(X.T @ X)
        beta = inverse @ X.T @ y
        leverage = np.einsum("ij,jk,ik->i", X, inverse, X)
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = (X @ inverse[:, self.of]) * (y - X @ beta) / (1.0 - leverage)
        shift = np.where(np.isfinite(shift), shift, 0.0)
        at = int(np.argmax(np.abs(shift)))
        return int(np.flatnonzero(rows)[at]), float(beta[self.of] - shift[at])

    def partial(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(rows, x, y): the tested regressor and y, both without what the other regressors explain (plus
        means)."""
        rows = np.flatnonzero(self.rows)
        X, y = self.X[rows], self.y[rows]
        others = np.delete(X, self.of, axis=1)
        if others.shape[1]:
            def clean(v: np.ndarray) -> np.ndarray:
                return v - others @ np.linalg.lstsq(others, v, rcond=None)[0]
        else:
            def clean(v: np.ndarray) -> np.ndarray:
                return v
        x = X[:, self.of]
        return rows, clean(x) + x.mean(), clean(y) + y.mean()

    def _cut(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, int]:
        """From the first to the last kept row, rows left out as zeros."""
        n, k = int(rows.sum()), self.X.shape[1]
        if n == 0:
            return np.empty(0), np.empty((0, k)), 0, k
        first, last = np.flatnonzero(rows)[[0, -1]]
        inside = slice(first, last + 1)
        kept = rows[inside]
        return np.where(kept, self.y[inside], 0.0), np.where(kept[:, None], self.X[inside], 0.0), n, k


def regress(y: np.ndarray, columns: Sequence[np.ndarray], periods: np.ndarray, lags: int,
            names: Sequence[str], claim: str, constant: bool = True) -> Regression:
    """A regression of *y* on a constant and *columns*; the first column is the tested one."""
    X = np.column_stack([*([np.ones(len(y))] if constant else []), *columns])
    return Regression(np.asarray(y, float), X, np.asarray(periods), lags,
                      (*(("constant",) if constant else ()), *names), int(constant), seed_of(claim))


def seed_of(claim: str) -> int:
    """A seed that depends on the claim's id alone."""
    return zlib.crc32(claim.encode())


def newey_west_lags(n: int) -> int:
    """⌊4 (n/100)^(2/9)⌋, at least one."""
    return max(1, int(4 * (n / 100.0) ** (2.0 / 9.0)))


def _wild_t(X: np.ndarray, beta: np.ndarray, resid: np.ndarray, of: int, lags: int, n: int, seed: int,
            draws: int) -> np.ndarray:
    """(B,) t-statistics (β* − β)/se* of column *of*, signs constant over blocks of lags + 1 periods."""
    rng = np.random.default_rng(seed)
    T, k = X.shape
    inverse = np.linalg.inv(X.T @ X)
    weight = X @ inverse[:, of]
    blocks = T // (lags + 1) + 2
    out = np.empty(draws)
    chunk = max(1, min(draws, 2_000_000 // max(T, 1)))
    for start in range(0, draws, chunk):
        count = min(chunk, draws - start)
        offset = rng.integers(0, lags + 1)
        signs = rng.integers(0, 2, (blocks, count)) * 2.0 - 1.0
        u = resid[:, None] * np.repeat(signs, lags + 1, axis=0)[offset:offset + T]
        shift = inverse @ (X.T @ u)
        score = weight[:, None] * (u - X @ shift)
        variance = np.einsum("tb,tb->b", score, score)
        for lag in range(1, min(lags, T - 1) + 1):
            variance += 2.0 * (1.0 - lag / (lags + 1.0)) * np.einsum("tb,tb->b", score[lag:], score[:-lag])
        se = np.sqrt(np.maximum(variance, 1e-300) * n / (n - k))
        out[start:start + count] = shift[of] / se
    return out


def bootstrap_statistic(statistic: Callable[[np.ndarray], float], n: int, block: int, claim: str,
                        draws: int = DRAWS) -> Measured:
    """A statistic of row numbers (n,) with its moving-block bootstrap; the interval is symmetric around the
    value."""
    if n < FEWEST + 2:
        raise TooShort(f"{n} observations")
    value = float(statistic(np.arange(n)))
    rng = np.random.default_rng(seed_of(claim))
    block = max(1, min(block, n // 3))
    need = -(-n // block)
    drawn = np.empty(draws)
    for b in range(draws):
        starts = rng.integers(0, n - block + 1, need)
        drawn[b] = statistic((starts[:, None] + np.arange(block)).ravel()[:n])
    drawn = drawn[np.isfinite(drawn)]
    se = float(drawn.std(ddof=1))
    t = (drawn - value) / se if se > 0 else np.zeros(len(drawn))
    reach = float(np.quantile(np.abs(t), CONFIDENCE)) * se
    return Measured(value, se, value - reach, value + reach, n, t)


def influential_row(statistic: Callable[[np.ndarray], float], n: int) -> tuple[int, float]:
    """Row whose omission moves *statistic* most, and the statistic without it."""
    full, rows = float(statistic(np.arange(n))), np.arange(n)
    values = np.array([statistic(np.delete(rows, i)) for i in range(n)])
    at = int(np.nanargmax(np.abs(values - full)))
    return at, float(values[at])
