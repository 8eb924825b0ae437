"""A number with its standard error, unit and source; and the distribution it is drawn from.

``lognormal2`` is the two-piece lognormal of METHOD 9: x = default·exp(z ln(hi/default)) for z > 0,
default·exp(z ln(default/lo)) below, z standard normal truncated at ±1.645; lo and hi are the 16th and
84th percentiles.  ``normal``: default + z·(hi − lo)/2.  ``uniform``: between lo and hi.  ``fixed``: default.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from riskengine.base.errors import InputError, Problem

DISTRIBUTIONS = ("fixed", "normal", "lognormal2", "uniform")
TRUNCATION = 1.645


@dataclass(frozen=True, slots=True)
class Estimate:
    """value ± se [unit], source."""

    value: float
    se: float | None
    unit: str
    source: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """Distribution of one uncertain number; see the module docstring for the four kinds."""

    default: float
    lo: float | None = None
    hi: float | None = None
    kind: str = "fixed"
    unit: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if self.kind not in DISTRIBUTIONS:
            raise InputError(Problem("distribution", got=self.kind, accepted=", ".join(DISTRIBUTIONS)))
        if not math.isfinite(self.default):
            raise InputError(Problem("default must be finite", got=str(self.default)))
        if self.kind != "fixed":
            if self.lo is None or self.hi is None or not self.lo <= self.default <= self.hi:
                raise InputError(
                    Problem(f"{self.kind} needs lo ≤ default ≤ hi", got=f"{self.lo}, {self.default}, {self.hi}")
                )
            if self.kind == "lognormal2" and self.lo <= 0:
                raise InputError(Problem("lognormal2 needs lo > 0", got=str(self.lo)))

    def quantile_of_normal(self, z: float) -> float:
        """Value at standard normal score *z* (scalar); the vector form lives with the parameter draws."""
        z = min(max(z, -TRUNCATION), TRUNCATION)
        if self.kind == "fixed":
            return self.default
        assert self.lo is not None and self.hi is not None
        if self.kind == "normal":
            return self.default + z * (self.hi - self.lo) / 2
        if self.kind == "lognormal2":
            ratio = self.hi / self.default if z > 0 else self.default / self.lo
            return self.default * ratio**z
        u = 0.5 * (1 + math.erf(z / math.sqrt(2)))
        low = 0.5 * (1 + math.erf(-TRUNCATION / math.sqrt(2)))
        return self.lo + (self.hi - self.lo) * (u - low) / (1 - 2 * low)
