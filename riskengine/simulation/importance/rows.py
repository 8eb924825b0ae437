"""Filtered historical days drawn where losses are large: probabilities of rows instead of densities.

Step t of a plain path is the row r of the standardised residuals with probability 1/R and moves the factors by
x = v_t ∘ e_r.  Beside the other steps of a path in the tail, which move them by m (1 − 1/T), it costs the book

    u_t(r) = −(δ + (1 − 1/T) Γ m)'x − ½ x'Γx        m: mean move of a pilot's paths beyond the threshold a

Laws, θ > 0 (exponential change of measure, Siegmund 1976, Annals of Statistics 4; for sums Glasserman 2003, Monte
Carlo Methods in Financial Engineering, 4.6):

    all steps   q_t(r) = exp(θ u_t(r) − ψ_t(θ))/R,  ψ_t(θ) = ln (1/R) Σ_r exp(θ u_t(r)); Σ_t E_q u_t is the pilot's
                mean of Σ_t u_t beyond a
    one step    a step drawn at random follows q_t with a θ of its own, the others stay plain:
                density ratio (1/T) Σ_t exp(θ u_t(r_t) − ψ_t(θ)); mean_t E_q u_t is the pilot's mean of the largest step

a is the plain estimate of the VaR.  Where the book is far from its quadratic, or loses in several directions, this
costs efficiency, never bias: weights are ratios of the probabilities the rows were drawn with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskengine.base.sampling import (
    BLOCK_BOOTSTRAP, BLOCK_IMPORTANCE, BLOCK_IMPORTANCE_MIXING, Chunk, RunSpec,
)
from riskengine.base.units import Horizon
from riskengine.factor_model import FactorModel
from riskengine.kernels.draws import fill_rows, fill_words
from riskengine.kernels.importance import weigh_rows
from riskengine.kernels.paths import add_residuals
from riskengine.simulation.importance.mixture import PILOT_PATHS, law_of_path, shares
from riskengine.simulation.noise import _assemble

FEWEST = 32
"""Paths of the pilot's tail at least."""
STRONGEST = 40.0
"""Largest θ times the range of u: beyond it a law draws a single row."""


@dataclass(frozen=True, slots=True)
class TwistedRows:
    """Laws of rows, the plain one first.

    volatility : (T, K) and residuals (K, R) of the run's precision.  jumps : (J,) bool, one step only.
    cumulative : (J, T, R) probabilities of rows added up.  log_ratio : (J, T, R) ln of probability times R.
    share : (J,) of the paths.  fixings : (factor, step).
    theta, scale, jump : (L,) of each level: θ of all steps in 1/USD, 1, θ of the one step.
    """

    volatility: np.ndarray
    residuals: np.ndarray
    jumps: np.ndarray
    cumulative: np.ndarray
    log_ratio: np.ndarray
    share: np.ndarray
    fixings: tuple[tuple[int, int], ...]
    seed: int
    theta: np.ndarray
    scale: np.ndarray
    jump: np.ndarray

    @classmethod
    def build(
        cls, model: FactorModel, horizon: Horizon, spec: RunSpec, delta: np.ndarray, gamma: np.ndarray,
        fixings: tuple[tuple[int, int], ...], thresholds: np.ndarray,
    ) -> TwistedRows:
        """Laws for losses beyond *thresholds* (L,) USD of a book with delta (K,) and gamma (K, K)."""
        noise = _assemble(model, horizon, spec.noise, spec.precision, ())
        pilot = _Pilot.walk(noise.volatility, noise.residuals, delta, gamma, spec.seed)
        steps, levels = noise.volatility.shape[0], thresholds.size
        theta, jump, laws = np.zeros(levels), np.zeros(levels), []
        for i, threshold in enumerate(thresholds):
            loss, whole, largest = pilot.beyond(float(threshold))
            theta[i] = _solve(loss, whole)
            laws.append(theta[i] * loss - _cumulants(loss, theta[i])[:, None])
            if steps > 1:
                jump[i] = _solve(loss, steps * largest)
                laws.append(jump[i] * loss - _cumulants(loss, jump[i])[:, None])
        log_ratio = np.array([np.zeros_like(laws[0]), *laws])
        jumps = np.zeros(len(log_ratio), dtype=bool)
        jumps[2::2] = steps > 1
        probability = np.exp(log_ratio) / noise.residuals.shape[1]
        return cls(
            noise.volatility, noise.residuals, jumps, np.cumsum(probability, axis=2), log_ratio,
            shares(spec.paths, len(laws)), fixings, spec.seed, theta, np.ones(levels), jump,
        )

    def draw(self, chunk: Chunk) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Accumulated moves (K, n), moves at the fixings (F, n), and weights (n,)."""
        steps, factors = self.volatility.shape
        n, count = chunk.hi - chunk.lo, self.residuals.shape[1]
        law = law_of_path(chunk.hi, len(self.share) - 1)[chunk.lo :]
        jumping = np.empty(n, dtype=np.int64)
        fill_rows(chunk.lo, BLOCK_IMPORTANCE_MIXING, steps, self.seed, steps, jumping)
        rows, words = np.empty((steps, n), dtype=np.int64), np.empty((4, n), dtype=np.uint32)
        moves, fixed = np.zeros((factors, n)), np.empty((len(self.fixings), n))
        for step in range(steps):
            fill_words(chunk.lo, BLOCK_IMPORTANCE, step, self.seed, words)
            high, low = words[0].astype(np.float64), words[1].astype(np.float64)
            uniform = (high + (low + 0.5) * 2.0**-32) * 2.0**-32
            rows[step] = np.minimum((uniform * count).astype(np.int64), count - 1)
            for j in range(1, len(self.share)):
                here = np.flatnonzero((law == j) & (~self.jumps[j] | (jumping == step)))
                found = np.searchsorted(self.cumulative[j, step], uniform[here], side="right")
                rows[step, here] = np.minimum(found, count - 1)
            add_residuals(self.volatility[step], self.residuals, rows[step], moves)
            for i, (factor, when) in enumerate(self.fixings):
                if when == step:
                    fixed[i] = moves[factor]
        weight = np.empty(n)
        weigh_rows(rows, self.log_ratio, self.share, self.jumps, weight)
        return moves, fixed, weight


@dataclass(frozen=True, slots=True)
class _Pilot:
    """First plain paths, valued by delta and gamma.

    volatility (T, K), residuals (K, R).  rows : (T, n).  moves : (K, n).  loss : (n,) USD.
    """

    volatility: np.ndarray
    residuals: np.ndarray
    delta: np.ndarray
    gamma: np.ndarray
    rows: np.ndarray
    moves: np.ndarray
    loss: np.ndarray

    @classmethod
    def walk(
        cls, volatility: np.ndarray, residuals: np.ndarray, delta: np.ndarray, gamma: np.ndarray, seed: int
    ) -> _Pilot:
        steps, count = volatility.shape[0], residuals.shape[1]
        rows = np.empty((steps, PILOT_PATHS), dtype=np.int64)
        moves = np.zeros((residuals.shape[0], PILOT_PATHS))
        for step in range(steps):
            fill_rows(0, BLOCK_BOOTSTRAP, step, seed, count, rows[step])
            add_residuals(volatility[step], residuals, rows[step], moves)
        return cls(volatility, residuals, delta, gamma, rows, moves, _losses(delta, gamma, moves))

    def beyond(self, threshold: float) -> tuple[np.ndarray, float, float]:
        """u (T, R), and means of Σ_t u_t and of the largest u_t over the paths that lose *threshold* USD or more, at
        least the FEWEST worst ones."""
        worst = np.partition(self.loss, -FEWEST)[-FEWEST]
        tail = np.flatnonzero(self.loss >= min(threshold, worst))
        steps = self.volatility.shape[0]
        slope = self.delta + (1.0 - 1.0 / steps) * (self.gamma @ self.moves[:, tail].mean(axis=1))
        u = np.empty((steps, self.residuals.shape[1]))
        for t, v in enumerate(self.volatility.astype(np.float64)):
            u[t] = _losses(slope, self.gamma, v[:, None] * self.residuals)
        taken = u[np.arange(steps)[:, None], self.rows[:, tail]]
        return u, float(taken.sum(axis=0).mean()), float(taken.max(axis=0).mean())


def _losses(slope: np.ndarray, gamma: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """(n,) USD lost by slope and gamma on moves (K, n)."""
    return -(slope @ moves) - 0.5 * (moves * (gamma @ moves)).sum(axis=0)


def _tilted(loss: np.ndarray, power: float) -> np.ndarray:
    """exp(θ u) / its largest in each step, (T, R)."""
    scaled = power * loss
    return np.exp(scaled - scaled.max(axis=1, keepdims=True))


def _cumulants(loss: np.ndarray, power: float) -> np.ndarray:
    """(T,) ψ_t(θ)."""
    return (power * loss).max(axis=1) + np.log(_tilted(loss, power).mean(axis=1))


def _solve(loss: np.ndarray, threshold: float) -> float:
    """θ at which the twisted means of all steps add up to *threshold*; 0 when the plain ones do already, the
    largest allowed when no twist does."""
    from scipy.optimize import brentq  # 0.3 s of import that only a far tail pays

    def excess(power: float) -> float:
        tilted = _tilted(loss, power)
        return float(((tilted * loss).sum(axis=1) / tilted.sum(axis=1)).sum()) - threshold

    spread = float(np.ptp(loss, axis=1).max())
    if spread == 0.0 or excess(0.0) >= 0.0:
        return 0.0
    most = STRONGEST / spread
    if excess(most) <= 0.0:
        return most
    return float(brentq(excess, 0.0, most, xtol=1e-9 * most))
