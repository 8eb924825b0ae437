"""The numbers inside a scenario: schedules as phases in time, uncertain numbers as draws, mixtures as
regimes.

    linear     phase(t) = (t − start)/years, cut to [0, 1]
    half_life  phase(t) = 1 − 2^(−(t − start)/years)
    abrupt     1 from start on
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import numpy as np

from riskengine.base.errors import InputError, Problem
from riskengine.base.estimate import Distribution
from riskengine.flows.draws import ParameterDraws, quantiles
from riskengine.policy.scenario import Scenario
from riskengine.policy.shocks import CurrencyAccord, Schedule, Tariff

Numbers = Mapping[tuple[int, str], np.ndarray]
"""(shock position, field) → (D,) values; entries of a list are 'field.key'."""


def phase(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    """Share of the shock in force at *t* (years); in [0, 1]."""
    since = t - schedule.start_years
    if schedule.kind == "abrupt" or schedule.years <= 0:
        return np.where(since > 0, 1.0, 0.0)
    if schedule.kind == "linear":
        return np.clip(since / schedule.years, 0.0, 1.0)
    if schedule.kind == "half_life":
        return np.where(since > 0, 1.0 - 2.0 ** (-np.maximum(since, 0.0) / schedule.years), 0.0)
    raise InputError(Problem("unknown schedule", got=schedule.kind, accepted="abrupt, linear, half_life"))


def phase_integral(schedule: Schedule, t: np.ndarray) -> np.ndarray:
    """∫₀ᵗ phase, years: what a *rate* of flow that follows the schedule has accumulated."""
    since = np.maximum(t - schedule.start_years, 0.0)
    if schedule.kind == "abrupt" or schedule.years <= 0:
        return since
    if schedule.kind == "linear":
        ramp = np.minimum(since, schedule.years)
        return ramp**2 / (2 * schedule.years) + np.maximum(since - schedule.years, 0.0)
    return since - schedule.years / np.log(2.0) * (1.0 - 2.0 ** (-since / schedule.years))


def realise(scenario: Scenario, draws: ParameterDraws) -> Numbers:
    """Every Distribution of the scenario as (D,) values.

    Uncertain numbers take the scores of *draws* in the order in which they appear; InputError when there are
    more of them than scores.
    """
    numbers: dict[tuple[int, str], np.ndarray] = {}
    used = 0
    for position, shock in enumerate(scenario.shocks):
        for field in fields(shock):
            value = getattr(shock, field.name)
            if isinstance(value, Distribution):
                entries = [(field.name, value)]
            elif isinstance(value, tuple):
                entries = [(f"{field.name}.{item[0]}", item[1]) for item in value
                           if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1],
                                                                                        Distribution)]
            else:
                entries = []
            for name, distribution in entries:
                if distribution.kind == "fixed" or not draws.uncertain:
                    numbers[position, name] = np.full(draws.count, distribution.default)
                    continue
                if used == draws.shock_scores.shape[1]:
                    raise InputError(Problem(f"scenario {scenario.name}: too many uncertain numbers",
                                             accepted=f"at most {used}"))
                numbers[position, name] = quantiles(distribution, draws.shock_scores[:, used])
                used += 1
    return numbers


def decide_regimes(scenario: Scenario, draws: ParameterDraws, numbers: Numbers) -> dict[int, np.ndarray]:
    """Mixtures by shock position: (D,) bool, True where an accord holds or a tariff finds a safe haven."""
    regimes: dict[int, np.ndarray] = {}
    accords = tariffs = 0
    for position, shock in enumerate(scenario.shocks):
        if isinstance(shock, CurrencyAccord):
            accords += 1
            regimes[position] = draws.regime_scores[:, 0] < numbers[position, "credibility"]
            if not draws.uncertain:
                regimes[position] = numbers[position, "credibility"] >= 0.5
        elif isinstance(shock, Tariff):
            tariffs += 1
            chance = numbers.get((position, "haven_probability"))
            chance = draws["tariff_haven_probability"] if chance is None else chance
            if shock.regime == "mixture":
                haven = draws.regime_scores[:, 1] < chance if draws.uncertain else chance >= 0.5
            elif shock.regime in ("haven", "flight"):
                haven = np.full(draws.count, shock.regime == "haven")
            else:
                raise InputError(Problem("tariff regime", got=shock.regime,
                                         accepted="mixture, haven, flight"))
            regimes[position] = haven
    if accords > 1 or tariffs > 1:
        raise InputError(Problem(f"scenario {scenario.name}: one accord and one tariff at most",
                                 got=f"{accords} accords, {tariffs} tariffs"))
    return regimes
