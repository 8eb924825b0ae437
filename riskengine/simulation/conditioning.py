"""What moves with what: the mean of every factor, and the noise that is left once some factors are known.

Core factors follow their response μ_d(t), all others B_d μ_d(t) with B drawn from its estimated covariance
(METHOD 8); a factor gets either a response of the chain or one through B, never both.  Pinned factors are
known at the horizon and the noise of the rest is conditional on theirs,

    noise ← (I − Σ[:, c] Σ_cc⁻¹ E_c) noise,     Σ the covariance of the accumulated move, E_c picks the pinned

whose covariance is Σ_xx − Σ_xc Σ_cc⁻¹ Σ_cx.  Fixings before the horizon stay random given the end (a bridge).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import Axis
from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.factor_model import FactorModel
from riskengine.impact.response import ResponseDraws, StepResponse
from riskengine.kernels.moves import follow
from riskengine.simulation.draws import loading_normals

_SINGULAR = 1e-10
"""Smallest accepted reciprocal condition number of the pinned factors' correlation."""


@dataclass(frozen=True, slots=True)
class ShockDistribution:
    """Mean of every factor by parameter draw, and what is done to the noise.

    path : (D, T, K) cumulative move at the end of each step, factor's own unit, difference to the baseline.
    channels : C names.  by_channel : (C, D, K) at the horizon; sums over C to path[:, -1].
    pinned : (K,) bool.  noise_map : (K, K) to multiply the accumulated noise with, None = identity.
    """

    axis: Axis
    horizon: Horizon
    path: np.ndarray
    channels: tuple[str, ...]
    by_channel: np.ndarray
    pinned: np.ndarray
    noise_map: np.ndarray | None


def condition(response: ResponseDraws, model: FactorModel, spec: RunSpec) -> ShockDistribution:
    """Mean path of every factor and the conditional noise of a scenario.

    Factors outside ``response.core`` follow B_d times the response of the core factors; this part is
    their whole response and carries the channel 'co_movement'.  B_d = B + Σ_q F_q z_dq with z standard
    normal from the counter stream (block BLOCK_LOADINGS), z = 0 without parameter uncertainty.  A core
    factor of the model that the response leaves out of its core has no loadings on others and stays at zero.

    Raises
    ------
    InputError : axes, shapes or steps that do not fit.
    ModelError : a response for a factor outside the core (it would move twice), or pinned factors whose
        covariance is singular.
    """
    _check_response(response, model, spec)
    core = response.core
    follow = ~core
    path = response.path.T.copy()  # (K, T, D)
    if follow.any():
        follow_core(draw_loadings(core, model, spec), core, path)
    path = path.T

    channels = response.channels
    by_channel = response.by_channel
    if "co_movement" not in channels:
        channels = (*channels, "co_movement")
        by_channel = np.concatenate([by_channel, np.zeros((1, *path[:, -1].shape))])
    else:
        by_channel = by_channel.copy()
    by_channel[channels.index("co_movement")][:, follow] = path[:, -1, follow]
    noise_map = _noise_map(model, response.horizon, response.pinned)
    pinned = response.pinned.copy()
    for array in (path, by_channel, pinned, noise_map):
        if array is not None:
            array.flags.writeable = False
    return ShockDistribution(response.axis, response.horizon, path, channels, by_channel, pinned, noise_map)


def condition_at_steps(
    response: StepResponse, model: FactorModel, spec: RunSpec, loadings: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Mean of every factor at the steps of *response*, (K, D, S), and the noise map: :func:`condition` to the
    bit.

    loadings : draw_loadings of response.core when the caller keeps them, else computed.
    """
    core = response.core
    path = response.path.transpose(0, 2, 1).copy()  # (K, S, D)
    if not core.all():
        follow_core(draw_loadings(core, model, spec) if loadings is None else loadings, core, path)
    return path.transpose(0, 2, 1), _noise_map(model, response.horizon, response.pinned)


def draw_loadings(core: np.ndarray, model: FactorModel, spec: RunSpec) -> np.ndarray:
    """B_d of the factors outside *core* (K,) bool on those inside: (I, J, D), I other and J core factors; (I,
    J, 1) when all draws are equal."""
    follow = ~core
    loadings = model.loadings[np.ix_(follow, core)][:, :, None]
    factor = model.loadings_draw_factor
    if factor is not None and factor.shape[2] and spec.parameter_uncertainty:
        spread = factor[np.ix_(follow, core)]
        z = loading_normals(spec, spread.shape[2])
        for q in range(spread.shape[2]):
            loadings = loadings + spread[:, :, q, None] * z[:, q]
    return np.ascontiguousarray(loadings)


def follow_core(loadings: np.ndarray, core: np.ndarray, path: np.ndarray) -> None:
    """Fill the moves of the factors outside *core* (K,) bool in *path* (K, T, D); loadings of
    :func:`draw_loadings`."""
    follow(loadings, np.flatnonzero(core), np.flatnonzero(~core), path)


def fixing_map(
    shock: ShockDistribution, model: FactorModel, fixings: Sequence[tuple[int, int]]
) -> np.ndarray:
    """(F, K) matrix A that carries pinning to fixings: fixing_moves − A @ noise, *noise* before the noise
    map.

    Increments are uncorrelated over steps, so the covariance of an earlier level with the end is the
    covariance at the earlier step: A = Σ_s[k, c] Σ_cc⁻¹ E_c.
    """
    return pinned_carry(shock.pinned, shock.horizon, model, fixings)


def pinned_carry(
    pinned: np.ndarray, horizon: Horizon, model: FactorModel, fixings: Sequence[tuple[int, int]]
) -> np.ndarray:
    """(F, K) of :func:`fixing_map` for the factors *pinned* (K,) bool at the horizon."""
    carry = np.zeros((len(fixings), len(model.axis)))
    known = np.flatnonzero(pinned)
    if known.size:
        end = model.horizon_covariance(horizon.steps)[np.ix_(known, known)]
        for row, (k, step) in enumerate(fixings):
            carry[row, known] = np.linalg.solve(end, model.horizon_covariance(step + 1)[known, k])
    return carry


def _check_response(response: ResponseDraws, model: FactorModel, spec: RunSpec) -> None:
    problems = []
    if response.axis != model.axis:
        problems.append(Problem("response and model need the same factors", got=response.axis.name))
    if response.horizon.step_days != model.step_days:
        problems.append(Problem("the response's step must be the model's",
                                got=f"{response.horizon.step_days} days", accepted=f"{model.step_days} days"))
    shape = (spec.draws, response.horizon.steps, len(model.axis))
    if response.path.shape != shape:
        problems.append(Problem("response path must be (draws, steps, factors)", got=str(response.path.shape),
                                accepted=str(shape)))
    elif not all(np.isfinite(rows).all() for rows in response.path.T):
        problems.append(Problem("response path must be finite"))
    if problems:
        raise InputError(problems)
    outside = ~response.core
    twice = response.path.T[outside].any(axis=(1, 2)) | response.by_channel[:, :, outside].any(axis=(0, 1))
    if np.any(twice):
        names = [response.axis.labels[k] for k in np.flatnonzero(outside)[twice]]
        raise ModelError(f"factors outside the core carry a response of their own: {', '.join(names)}")


def _noise_map(model: FactorModel, horizon: Horizon, pinned: np.ndarray) -> np.ndarray | None:
    c = np.flatnonzero(pinned)
    if not c.size:
        return None
    covariance = model.horizon_covariance(horizon.steps)
    sd = np.sqrt(np.diag(covariance))
    within = covariance[np.ix_(c, c)] / np.outer(sd[c], sd[c])
    if 1.0 / np.linalg.cond(within) < _SINGULAR:
        names = ", ".join(model.axis.labels[k] for k in c)
        raise ModelError(f"pinned factors are linearly dependent in the model: {names}")
    across = covariance[:, c] / np.outer(sd, sd[c])
    weights = np.linalg.solve(within, across.T).T * np.outer(sd, 1.0 / sd[c])
    noise_map = np.eye(len(sd))
    noise_map[:, c] -= weights
    noise_map[c, :] = 0.0
    return noise_map
