"""Parameter draws and settings: with which numbers one run of the chain is made.

Every number of the method has a name in ``configs/impact`` and one value per draw here; what is not a number
with a band (weights of the broad dollar, pegs, switches) is a setting, the same for every draw.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from riskengine.base.errors import InputError, Problem, suggest
from riskengine.base.estimate import TRUNCATION, Distribution

TENOR_PROFILES = ("hump", "flat_to_30y", "short_end")
MOST_DERIVED = 512
"""Derived values kept with one set of draws; beyond it they are made again."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """What is not drawn.

    index_weights : currency → weight in the broad dollar, sum 1.  pegs : currencies that do not move.
    managed : currencies that follow their beta and are not scaled.  tenor_profiles : profile → {tenor: weight
    of the flow impact on the 10-year}.  tenor_profile : the one in use.  rate_differentials : ρ on or off.
    announcement : prices move before flows, on or off.
    accord_sale_mix : class → share in which an accord's members sell; None: each in his official mix.
    sources : setting → where it comes from.
    """

    index_weights: Mapping[str, float]
    pegs: tuple[str, ...]
    managed: tuple[str, ...]
    tenor_profiles: Mapping[str, Mapping[str, float]]
    tenor_profile: str = "hump"
    rate_differentials: bool = True
    announcement: bool = True
    accord_sale_mix: Mapping[str, float] | None = None
    sources: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ParameterDraws:
    """name → (D,) values; ``draws[name]``.

    shock_scores : (D, n) standard normals for the uncertain numbers of a scenario, in the order in which they
    appear.
    regime_scores : (D, m) uniforms in (0, 1) that decide mixtures (credibility, tariff regime).
    uncertain : False: every draw holds the defaults, mixtures take their likelier branch.
    """

    values: Mapping[str, np.ndarray]
    shock_scores: np.ndarray
    regime_scores: np.ndarray
    uncertain: bool
    settings: Settings
    derived: dict = field(default_factory=dict, init=False, repr=False, compare=False)
    """What :meth:`derive` has made: the same for every scenario, so made once."""

    @property
    def count(self) -> int:
        """Number of draws D."""
        return self.shock_scores.shape[0]

    def __getitem__(self, name: str) -> np.ndarray:
        try:
            return self.values[name]
        except KeyError:
            raise InputError(Problem("unknown parameter", got=name,
                                     accepted=suggest(name, sorted(self.values)))) from None

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def derive(self, name: Hashable, make: Callable[[], T], *of: object) -> T:
        """make(), made once per *name* and objects *of* (the same objects, not equal ones): numbers that
        follow from these draws and *of* and from no scenario.  They are shared: nobody may change them."""
        key = (name, *map(id, of))
        found = self.derived.get(key)
        if found is None:
            if len(self.derived) >= MOST_DERIVED:
                self.derived.clear()
            found = self.derived[key] = (of, make())  # *of* is kept, so its ids stay its own
        return found[1]

    def __reduce__(self) -> tuple:
        """A copy for a file or another process starts without derived values: identities end here."""
        return ParameterDraws, (self.values, self.shock_scores, self.regime_scores, self.uncertain,
                                self.settings)

    def median(self, name: str) -> float:
        """Median of one parameter over the draws."""
        return self.derive(("median", name), lambda: float(np.median(self[name])))

    def nothing(self, steps: int) -> np.ndarray:
        """(D, T) zeros, read-only."""
        return self.derive(("nothing", steps), lambda: _frozen(np.zeros((steps, self.count)).T))


def over_time(size: np.ndarray, progress: np.ndarray) -> np.ndarray:
    """size (D,) × progress (T,) as (D, T); in memory the draws of one step lie together, as in every (D, T)
    of the chain."""
    return np.multiply.outer(progress, size).T


def _frozen(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False
    return values


def quantiles(distribution: Distribution, scores: np.ndarray) -> np.ndarray:
    """Values of *distribution* at standard normal *scores* (any shape): the vector form of
    ``quantile_of_normal``."""
    from scipy.special import ndtr

    x, kind = distribution, distribution.kind
    z = np.clip(scores, -TRUNCATION, TRUNCATION)
    if kind == "fixed":
        return np.full(z.shape, x.default)
    if kind == "normal":
        return x.default + z * (x.hi - x.lo) / 2
    if kind == "lognormal2":
        return x.default * np.where(z > 0, x.hi / x.default, x.default / x.lo) ** z
    low = ndtr(-TRUNCATION)
    return x.lo + (x.hi - x.lo) * (ndtr(z) - low) / (1 - 2 * low)
