"""From the broad dollar to every currency, adding up to the index exactly (METHOD 5).

    fixed set   pegs 0;  managed β_c s;  accord targets ln(1 + target)·schedule
    free set    s_c = λ β_c s (1 + tilt·clip(share_c/w_c − 1, −1, 2)),  tilt only where w_c ≥ 1%
    λ           so that Σ w_c s_c = s;  |s_c| ≤ 2.5 β_c |s|: clipped names join the fixed set, repeat

Everything is homogeneous in s, so currencies are one pattern s_c/s per draw times the path of s.  share_c is
the share of the dollars that leave by the home currency of the sellers; sellers without a currency of the
model spread by weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import CURRENCIES
from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.factor_model import FactorModel
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.shock_numbers import Numbers
from riskengine.policy.shocks import CurrencyAccord

LAMBDA_RANGE = (0.5, 2.0)
SMALLEST_TILTED_WEIGHT = 0.01
TILT_RANGE = (-1.0, 2.0)


@dataclass(frozen=True, slots=True)
class AccordPattern:
    """A currency accord at full strength: moves (D, 21) log, s (D,) broad dollar, share of the dollars by
    currency."""

    moves: np.ndarray
    s: np.ndarray
    share: dict[str, np.ndarray]


def index_weights(draws: ParameterDraws) -> np.ndarray:
    """(21,) weights of the broad dollar."""
    return draws.derive("index weights", lambda: np.array(
        [draws.settings.index_weights.get(c, 0.0) for c in CURRENCIES]))


def currency_betas(draws: ParameterDraws, model: FactorModel) -> np.ndarray:
    """(D, 21) move per unit of the broad dollar: published where there is one, else the run's estimate ± its
    error."""
    return draws.derive("currency betas", lambda: _currency_betas(draws, model), model)


def _currency_betas(draws: ParameterDraws, model: FactorModel) -> np.ndarray:
    betas = np.empty((len(CURRENCIES), draws.count)).T
    for c, name in enumerate(CURRENCIES):
        published = f"currency_beta.{name}"
        if published in draws:
            betas[:, c] = draws[published]
        else:
            error = model.currency_beta_se[c] if np.isfinite(model.currency_beta_se[c]) else 0.0
            betas[:, c] = model.currency_beta[c] + draws["currency_beta_score"] * error
    betas[:, [CURRENCIES.index(p) for p in draws.settings.pegs]] = 0.0
    return betas


def currency_pattern(
    betas: np.ndarray, weights: np.ndarray, tilt: np.ndarray, clip: np.ndarray, by_currency: np.ndarray,
    outflow: np.ndarray, fixed: np.ndarray,
) -> np.ndarray:
    """s_c/s (D, 21) with Σ w_c s_c = s exactly.

    Parameters
    ----------
    betas : (D, 21).  weights : (21,).  tilt, clip : (D,).
    by_currency : (D, 21) dollars that leave by home currency; outflow : (D,) all dollars that leave.  Zero:
    no tilt.
    fixed : (21,) bool, pegged and managed currencies: they keep their beta.

    Raises
    ------
    ModelError : the scale λ of the free currencies leaves 0.5 … 2.
    """
    betas, by_currency, weights = betas.T, by_currency.T, weights[:, None]  # (21, D) inside
    pattern = betas.copy()
    known = np.abs(outflow) > 1e-9
    if known.any():
        safe = np.where(known, outflow, 1.0)
        share = (by_currency + weights * (outflow - by_currency.sum(axis=0))) / safe
        tilted = np.flatnonzero((weights[:, 0] >= SMALLEST_TILTED_WEIGHT) & ~fixed)
        lean = np.clip(share[tilted] / weights[tilted] - 1, *TILT_RANGE)
        pattern[tilted] *= 1 + np.where(known, tilt, 0.0) * lean
    held = np.repeat(fixed[:, None], pattern.shape[1], axis=1)
    limit = clip * np.abs(betas)
    for _ in range(len(CURRENCIES) + 1):
        weighted = pattern * weights
        taken = np.where(held, weighted, 0.0).sum(axis=0)
        room, free = 1.0 - taken, np.where(held, 0.0, weighted).sum(axis=0)
        scale = np.divide(room, free, out=np.full_like(room, np.nan), where=free != 0)
        moved = np.where(held, pattern, pattern * scale)
        over = ~held & (np.abs(moved) > limit * (1 + 1e-12))
        if not over.any():
            if np.any(~((scale >= LAMBDA_RANGE[0]) & (scale <= LAMBDA_RANGE[1]))):
                raise ModelError(f"free currencies would have to be scaled by {np.nanmin(scale):.2f} … "
                                 f"{np.nanmax(scale):.2f} to add up to the broad dollar; accepted: 0.5 … 2")
            return moved.T
        pattern = np.where(over, np.sign(moved) * limit, pattern)
        held |= over
    raise ModelError("the clip of the currencies does not settle")


def accord_pattern(
    shock: CurrencyAccord, position: int, numbers: Numbers, draws: ParameterDraws, betas: np.ndarray
) -> AccordPattern:
    """An accord's currencies: targets pinned, pegs 0, managed β_c s, the others φ β_c s_P; s = Σ w_c s_c."""
    weights = index_weights(draws)
    unknown = [c for c, _ in shock.targets if c not in CURRENCIES]
    if unknown or not shock.targets:
        raise InputError([Problem("unknown currency in an accord", got=c, accepted=", ".join(CURRENCIES))
                          for c in unknown or ["(none)"]])
    targets = [CURRENCIES.index(c) for c, _ in shock.targets]
    moves = np.zeros(betas.T.shape).T
    for c, (name, _) in zip(targets, shock.targets, strict=True):
        moves[:, c] = np.log1p(numbers[position, f"targets.{name}"])
    weight = weights[targets] if weights[targets].sum() > 0 else np.ones(len(targets))
    partner = (moves[:, targets] * weight).sum(axis=1) / weight.sum()
    managed = [CURRENCIES.index(c) for c in draws.settings.managed if CURRENCIES.index(c) not in targets]
    fixed = set(targets) | set(managed) | {CURRENCIES.index(c) for c in draws.settings.pegs}
    free = [c for c in range(len(CURRENCIES)) if c not in fixed]
    moves[:, free] = draws["accord_spill_phi"][:, None] * betas[:, free] * partner[:, None]
    s = moves @ weights / (1.0 - betas[:, managed] @ weights[managed])
    moves[:, managed] = betas[:, managed] * s[:, None]
    needed = moves[:, targets] * weights[targets]
    total = needed.sum(axis=1)
    even = np.full(len(targets), 1.0 / len(targets))
    share = np.where(np.abs(total)[:, None] > 1e-15, needed / np.where(total == 0, 1.0, total)[:, None], even)
    return AccordPattern(moves, s, {name: share[:, n] for n, (name, _) in enumerate(shock.targets)})


def managed_reserve_share(pattern: np.ndarray, draws: ParameterDraws) -> np.ndarray:
    """(D,) part of the intermediaries' dollars that managed and pegged currencies take into reserves so that
    they move less than the index: Σ w_c (1 − s_c/s) over them.  A memo, never an extra flow."""
    weights = index_weights(draws)
    names = [CURRENCIES.index(c) for c in (*draws.settings.pegs, *draws.settings.managed)]
    return (weights[names] * np.clip(1.0 - pattern[:, names], 0.0, 1.0)).sum(axis=1)
