"""Parameters of the chain: name → distribution with unit and source, and their draws (METHOD 9).

    lognormal2   x = default·exp(z ln(hi/default)), z > 0;   default·exp(z ln(default/lo)), z < 0;   |z| ≤
    1.645

Every parameter takes one dimension of the normals handed in, in the order of :meth:`ImpactParameters.items`;
uncertain ones come first.  Behind them stand the scores: standard normals for the uncertain numbers of a
scenario, and uniforms that decide mixtures.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from riskengine.base.errors import InputError, Problem, suggest
from riskengine.base.estimate import Distribution
from riskengine.flows.draws import ParameterDraws, Settings, quantiles

SHOCK_SCORES = 8
"""Uncertain numbers one scenario may hold."""
REGIME_SCORES = 2
"""Mixtures one scenario may hold: credibility of an accord, tariff regime."""


@dataclass(frozen=True, slots=True)
class ImpactParameters:
    """Distributions by name with tags (C, R, O, D, A), and the settings that are not drawn.

    ``len(parameters)`` is the number of normals :func:`draw_parameters` needs per draw.
    """

    distributions: Mapping[str, Distribution]
    tags: Mapping[str, str]
    settings: Settings

    def __post_init__(self) -> None:
        ordered = sorted(self.distributions, key=lambda name: self.distributions[name].kind == "fixed")
        scores = {
            **{f"scenario_score.{i + 1}": Distribution(0.0, -1.0, 1.0, "normal", "standard score",
                                                       "uncertain numbers of a scenario, in order")
               for i in range(SHOCK_SCORES)},
            **{f"regime_score.{i + 1}": Distribution(0.5, 0.0, 1.0, "uniform", "probability",
                                                     "decides mixtures: accord credibility, tariff regime")
               for i in range(REGIME_SCORES)},
        }
        twice = set(scores) & set(ordered)
        if twice:
            raise InputError([Problem("reserved parameter name", got=name) for name in sorted(twice)])
        distributions = {name: self.distributions[name] for name in ordered} | scores
        object.__setattr__(self, "distributions", distributions)
        object.__setattr__(self, "tags", {**{name: "score" for name in scores}, **self.tags})

    def __len__(self) -> int:
        return len(self.distributions)

    def __iter__(self) -> Iterator[str]:
        return iter(self.distributions)

    def __contains__(self, name: object) -> bool:
        return name in self.distributions

    def __getitem__(self, name: str) -> Distribution:
        try:
            return self.distributions[name]
        except KeyError:
            raise InputError(Problem("unknown parameter", got=name,
                                     accepted=suggest(name, tuple(self.distributions)))) from None

    def items(self) -> ItemsView[str, Distribution]:
        return self.distributions.items()

    def tag(self, name: str) -> str:
        """C confirmed, R recalled, O own computation, D derived, A assumption, 'score'."""
        return self.tags.get(name, "")


def draw_parameters(
    parameters: ImpactParameters, normals: np.ndarray, uncertain: bool = True
) -> ParameterDraws:
    """Draws of every parameter.

    Parameters
    ----------
    normals : (D, len(parameters)) standard normals, untruncated; |z| > 1.645 is cut here.
    uncertain : False: every draw holds the defaults (mixtures take their likelier branch).
    """
    from scipy.special import ndtr

    if normals.ndim != 2 or normals.shape[1] != len(parameters) or normals.shape[0] < 1:
        raise InputError(Problem("normals must be (draws, parameters)", got=str(normals.shape),
                                 accepted=f"(D, {len(parameters)})"))
    if not np.isfinite(normals).all():
        raise InputError("normals must be finite")
    draws = normals.shape[0]
    values: dict[str, np.ndarray] = {}
    shock_scores = np.zeros((draws, SHOCK_SCORES))
    regime_scores = np.full((draws, REGIME_SCORES), 0.5)
    for j, (name, distribution) in enumerate(parameters.items()):
        kind, _, number = name.partition(".")
        if kind == "scenario_score":
            if uncertain:
                shock_scores[:, int(number) - 1] = normals[:, j]
        elif kind == "regime_score":
            if uncertain:
                regime_scores[:, int(number) - 1] = ndtr(normals[:, j])
        elif uncertain:
            values[name] = quantiles(distribution, normals[:, j])
        else:
            values[name] = np.full(draws, distribution.default)
    return ParameterDraws(values, shock_scores, regime_scores, uncertain, parameters.settings)
