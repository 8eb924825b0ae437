"""Treasury yields in two channels (METHOD 6).

    y_n = average expected policy rate + term premium
    path channel   d2y = π s (3 bp per 1% of the broad dollar) or the shock's own path; others by path betas
    flow channel   10-year from the propagator, other tenors by a profile with its hump at 5–10 years

In risk-off regimes the two have opposite signs; they are reported apart.
"""

from __future__ import annotations

import numpy as np

from riskengine.base.axes import KEY_RATES
from riskengine.base.errors import InputError, Problem
from riskengine.factor_model import FactorModel
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.shock_numbers import Numbers, phase
from riskengine.policy.scenario import Scenario
from riskengine.policy.shocks import PolicyRatePath

TENORS = tuple(KEY_RATES)
YEARS = np.array([KEY_RATES[t] for t in TENORS])
TWO, TEN = TENORS.index("2Y"), TENORS.index("10Y")
PUBLISHED_BETA, PUBLISHED_SE = 0.87, 0.06


def tenor_weights(draws: ParameterDraws) -> np.ndarray:
    """(10,) flow impact by tenor, the 10-year's propagator = 1; linear in maturity between the profile's
    points."""
    def make() -> np.ndarray:
        profile = draws.settings.tenor_profiles[draws.settings.tenor_profile]
        years = sorted((KEY_RATES[t], w) for t, w in profile.items())
        return np.interp(YEARS, [y for y, _ in years], [w for _, w in years])

    return draws.derive("tenor weights", make)


def path_betas(draws: ParameterDraws, model: FactorModel) -> np.ndarray:
    """(D, 10) response of each tenor to the 2-year through the policy path: the run's estimates, shifted by
    the standard score of the drawn 10-year beta times their own errors."""
    def make() -> np.ndarray:
        error = np.where(np.isfinite(model.path_beta_se), model.path_beta_se, 0.0)
        score = (draws["ust_path_beta_10y_on_2y"] - PUBLISHED_BETA) / PUBLISHED_SE
        betas = (model.path_beta[:, None] + error[:, None] * score).T
        betas[:, TWO] = 1.0
        return betas

    return draws.derive("path betas", make, model)


def two_year_per_dollar(draws: ParameterDraws) -> np.ndarray:
    """(D,) 2-year yield per log point of s: bp per 1% → 1e-4/0.01."""
    return draws.derive("two-year per dollar", lambda: draws["path_2y_per_1pct_depreciation"] * 1e-4 / 0.01)


def imposed_paths(
    scenario: Scenario, draws: ParameterDraws, numbers: Numbers, betas: np.ndarray, t: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Changes of yields through the policy paths of the scenario: of each the curve (10, D), decimals, and
    its progress (T,).

    Between given tenors linear in maturity; outside them the nearest given tenor times the ratio of path
    betas.
    """
    paths: list[tuple[np.ndarray, np.ndarray]] = []
    for i, shock in enumerate(scenario.shocks):
        if not isinstance(shock, PolicyRatePath):
            continue
        unknown = [tenor for tenor, _ in shock.bp if tenor not in KEY_RATES]
        if unknown or not shock.bp:
            raise InputError([Problem("unknown tenor in a policy rate path", got=x,
                                      accepted=", ".join(TENORS))
                              for x in unknown or ["(none)"]])
        given = sorted((TENORS.index(tenor), numbers[i, f"bp.{tenor}"] * 1e-4) for tenor, _ in shock.bp)
        places = [j for j, _ in given]
        values = np.stack([v for _, v in given], axis=1)  # (D, n)
        curve = np.empty((len(TENORS), draws.count)).T
        for j in range(len(TENORS)):
            if j <= places[0] or j >= places[-1]:
                near = 0 if j <= places[0] else -1
                ratio = 1.0 if j == places[near] else betas[:, j] / betas[:, places[near]]
                curve[:, j] = values[:, near] * ratio
            else:
                right = next(n for n, p in enumerate(places) if p >= j)
                left = right - 1
                w = (YEARS[j] - YEARS[places[left]]) / (YEARS[places[right]] - YEARS[places[left]])
                curve[:, j] = (1 - w) * values[:, left] + w * values[:, right]
        paths.append((curve.T, phase(shock.schedule, t)))
    return tuple(paths)
