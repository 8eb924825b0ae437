"""Normals and chi-squares drawn where losses are large: the twist of Gaussian and Student-t noise.

With accumulated noise x and loss L = −δ'x − ½ x'Γx, steps t have variances v_t² and Student-t scales w_t;
V² = Σ v_t², c_t² = mean_k v_t²/V², s² = Σ c_t² w_t²,

    z̃ = Σ_t (c_t w_t/s) z_t ~ N(0, I),   L ≈ s b'y + s² Σ λ_k y_k²,   y = Q'z̃,  −½ (VL)'Γ(VL) = Q diag(λ) Q'

Only y and the chi-squares are drawn from another law: the twist of Glasserman, Heidelberger and Shahabuddin
(2000, Management Science 46; t version 2002, Mathematical Finance 12) for the threshold a,

    density ratio = exp(θ(L/s² − a/s²) − ψ(θ)):  y_k ~ N(θ b_k/(s c_k), 1/c_k), c_k = 1 − 2θλ_k, χ²_t → χ²_t/q

In several steps a tail is made by many larger χ² or by a single jump: one law per level scales all χ²_t, a
second one scales a single step drawn at random.  z_t becomes z_t plus its part (c_t w_t/s) of the change of
z̃, so the exact x and any exact P&L keep their law under the weights; the approximation above costs
efficiency, never bias.  In one step (s² = w²) it is the published twist exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from riskengine.base.sampling import BLOCK_IMPORTANCE, BLOCK_IMPORTANCE_MIXING, BLOCK_MIXING, Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.factor_model import FactorModel
from riskengine.kernels.draws import fill_mixing, fill_normals, fill_rows
from riskengine.kernels.importance import twist, weigh
from riskengine.kernels.products import MICRO_ROWS, multiply, multiply_triangular, pack_rows
from riskengine.simulation.importance.mixture import PILOT_PATHS, law_of_path, shares
from riskengine.simulation.noise import mixing_table

LANES = 16


@dataclass(frozen=True, slots=True)
class TwistedDensity:
    """Laws of normals and chi-squares, the plain one first.

    fixings : (factor, step).  theta, scale, jump : (L,) of each level: θ in 1/USD, q of all chi-squares and of a
    single one (1 for Gaussian noise).
    """

    setting: _Setting
    twists: _Twists
    fixings: tuple[tuple[int, int], ...]
    theta: np.ndarray
    scale: np.ndarray
    jump: np.ndarray

    @classmethod
    def build(
        cls, model: FactorModel, horizon: Horizon, spec: RunSpec, delta: np.ndarray, gamma: np.ndarray,
        fixings: tuple[tuple[int, int], ...], thresholds: np.ndarray,
    ) -> TwistedDensity:
        """Laws for losses beyond *thresholds* (L,) USD of a book with delta (K,) and gamma (K, K)."""
        setting = _Setting.build(model, horizon, spec, delta, gamma)
        theta, scale, jump = _choose_twists(setting, thresholds)
        return cls(setting, _Twists.build(setting, theta, scale, jump, spec.paths), fixings, theta, scale, jump)

    def draw(self, chunk: Chunk) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Accumulated moves (K, n), moves at the fixings (F, n), and weights (n,)."""
        setting, twists, wanted = self.setting, self.twists, chunk.hi - chunk.lo
        steps, factors = setting.volatility.shape
        n = -(-wanted // LANES) * LANES
        rows = -(-factors // MICRO_ROWS) * MICRO_ROWS
        law = law_of_path(chunk.lo + n, len(twists.widen) - 1)[chunk.lo :]
        w = setting.scales(chunk.lo, n, BLOCK_IMPORTANCE_MIXING)
        if setting.table.shape[0]:
            step_of_jump = np.empty(n, dtype=np.int64)
            fill_rows(chunk.lo, BLOCK_IMPORTANCE_MIXING, steps, setting.seed, steps, step_of_jump)
            scaled = ~twists.jumps[law] | (step_of_jump == np.arange(steps)[:, None])
            w *= np.where(scaled, twists.widen[law], 1.0)
        s = np.sqrt(((setting.clock[:, None] * w) ** 2).sum(axis=0))
        z = np.empty((-(-factors // 4) * 4, n))
        mixed, moved = np.zeros((factors, n)), np.zeros((factors, n))
        carry = np.zeros((factors, n))
        fixed, carried = np.empty((2, len(self.fixings), n))
        x = np.empty((rows, n))
        for step in range(steps):
            part = setting.clock[step] * w[step] / s
            fill_normals(chunk.lo, BLOCK_IMPORTANCE, step, setting.seed, z)
            multiply_triangular(setting.lower, factors, z, x)
            mixed += part * z[:factors]
            moved += setting.volatility[step][:, None] * (w[step] * x[:factors])
            carry += setting.volatility[step][:, None] * (w[step] * part)
            for i, (factor, when) in enumerate(self.fixings):
                if when == step:
                    fixed[i], carried[i] = moved[factor], carry[factor]
        plain = np.empty((rows, n))
        change = np.empty((factors, n))
        multiply(setting.turn, factors, mixed, plain)
        inverse = 1.0 / s
        twist(plain[:factors], law, twists.stretch, twists.tilt, inverse, change)
        multiply(setting.turned, factors, change, x)
        moved += carry * x[:factors]
        for i, (factor, _) in enumerate(self.fixings):
            fixed[i] += carried[i] * x[factor]
        y = plain[:factors] + change
        linear = (setting.linear[:, None] * y).sum(axis=0)
        square = (setting.square[:, None] * (y * y)).sum(axis=0)
        chi = (setting.dof - 2.0) / w**2 if setting.table.shape[0] else np.empty((0, n))
        weight = np.empty(n)
        weigh(linear, square, inverse, chi, twists.parts, weight)
        return np.ascontiguousarray(moved[:, :wanted]), np.ascontiguousarray(fixed[:, :wanted]), weight[:wanted]


@dataclass(frozen=True, slots=True)
class _Setting:
    """The loss in its eigenbasis, and the steps.

    lower : packed L.  turned : packed LQ (K, K).  turn : packed Q'.  volatility : (T, K).  clock : (T,) c_t.
     linear, square : (K,) b and λ.  table : mixing or (0, 4).
    """

    lower: np.ndarray
    turned: np.ndarray
    turn: np.ndarray
    volatility: np.ndarray
    clock: np.ndarray
    linear: np.ndarray
    square: np.ndarray
    table: np.ndarray
    dof: float
    seed: int

    @classmethod
    def build(
        cls, model: FactorModel, horizon: Horizon, spec: RunSpec, delta: np.ndarray, gamma: np.ndarray
    ) -> _Setting:
        volatility = model.step_volatilities(horizon.steps)
        total = np.sqrt((volatility**2).sum(axis=0))
        clock = np.sqrt((volatility**2 / total**2).mean(axis=1))
        lower = np.tril(model.cholesky)
        spread = total[:, None] * lower
        square, basis = np.linalg.eigh(-0.5 * spread.T @ gamma @ spread)
        linear = -basis.T @ (spread.T @ delta)
        student = spec.noise == "student_t"
        return cls(
            pack_rows(lower, np.float64), pack_rows(lower @ basis, np.float64), pack_rows(basis.T, np.float64),
            np.ascontiguousarray(volatility), clock, linear, square, mixing_table(float(model.dof)) if student else np.empty((0, 4)),
            float(model.dof), spec.seed,
        )

    def scales(self, first: int, count: int, block: int) -> np.ndarray:
        """(T, n) Student-t scales of unit variance; ones for Gaussian noise."""
        out = np.ones((self.clock.size, count))
        if self.table.shape[0]:
            for step, row in enumerate(out):
                fill_mixing(first, block, step, self.seed, self.table, row)
        return out


@dataclass(frozen=True, slots=True)
class _Twists:
    """Laws of the mixture, the plain one first: stretch, tilt (J, K); widen (J,) √q; jumps (J,) bool, one
    step only; parts of kernels.importance.weigh."""

    stretch: np.ndarray
    tilt: np.ndarray
    widen: np.ndarray
    jumps: np.ndarray
    parts: np.ndarray

    @classmethod
    def build(
        cls, setting: _Setting, theta: np.ndarray, scale: np.ndarray, jump: np.ndarray, paths: int
    ) -> _Twists:
        single = np.zeros(theta.size, dtype=bool)
        if setting.table.shape[0] and setting.clock.size > 1:
            theta, scale = np.tile(theta, 2), np.concatenate([scale, jump])
            single = np.concatenate([single, ~single])
        theta, q, single = np.append(0.0, theta), np.append(1.0, scale), np.append(False, single)
        share = shares(paths, theta.size - 1)
        c = 1.0 - 2.0 * theta[:, None] * setting.square
        parts = np.column_stack([
            share, theta, 0.5 * theta**2 * (setting.linear**2 / c).sum(axis=1), 0.5 * np.log(c).sum(axis=1),
            0.5 * (q - 1.0), 0.5 * setting.dof * np.log(q), single,
        ])
        return cls(1.0 / np.sqrt(c), theta[:, None] * setting.linear / c, np.sqrt(q), single,
                   np.ascontiguousarray(parts))


def _choose_twists(
    setting: _Setting, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """θ, q and jump of every threshold a: θ minimises ψ, q gives the chi-squares their mean under the twist,
    and jump the smallest of them its own.

    ψ(θ) = ln E exp(α/s²) − ½ Σ ln c_k,  α = ½ θ² Σ b²/c − θ a; E over plain chi-squares (in one step it
    is −ν/2 ln q with q = 1 − 2α/(ν − 2)).
    """
    from scipy.optimize import minimize_scalar  # 0.3 s of import that only a far tail pays

    student = setting.table.shape[0] > 0
    scales = setting.scales(0, PILOT_PATHS if student else 1, BLOCK_MIXING)
    inverse = 1.0 / (setting.clock[:, None] ** 2 * scales**2).sum(axis=0)
    chi = (setting.dof - 2.0) / scales**2
    highest = float(setting.square.max())
    theta, q, jump = np.zeros(thresholds.size), np.ones(thresholds.size), np.ones(thresholds.size)
    for i, threshold in enumerate(thresholds):

        def exponent(t: float, threshold: float = float(threshold)) -> np.ndarray:
            c = 1.0 - 2.0 * t * setting.square
            return (0.5 * t * t * (setting.linear**2 / c).sum() - t * threshold) * inverse

        def psi(t: float) -> float:
            power = exponent(t)
            top = power.max()
            c = 1.0 - 2.0 * t * setting.square
            return top + math.log(np.exp(power - top).mean()) - 0.5 * np.log(c).sum()

        if not threshold > setting.square.sum():  # not beyond the mean loss: nothing to twist
            continue
        limit = 0.4999 / highest if highest > 0 else math.inf
        high = min(limit, threshold / ((setting.linear**2).sum() + 2 * (setting.square**2).sum()))
        while high < limit and psi(min(2 * high, limit)) < psi(high):
            high = min(2 * high, limit)
        high = min(2 * high, limit)
        options = {"xatol": 1e-6 * high}
        theta[i] = minimize_scalar(psi, bounds=(0.0, high), method="bounded", options=options).x
        if student:
            power = exponent(theta[i])
            tilted = np.exp(power - power.max())
            q[i] = setting.dof * tilted.sum() / (tilted @ chi.mean(axis=0))
            jump[i] = setting.dof * tilted.sum() / (tilted @ chi.min(axis=0))
    return theta, q, jump
