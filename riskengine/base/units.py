"""Units, signs and the time grid.

Flows: USD bn, positive = non-residents buy US assets.  FX: USD per foreign unit, up = the dollar fell.
Yields: absolute decimals.  P&L: USD, gain positive; VaR, ES, stressed loss positive = loss.
"""

from __future__ import annotations

from dataclasses import dataclass

from riskengine.base.errors import InputError, Problem

BASIS_POINT = 1e-4
BILLION = 1e9
BUSINESS_DAYS_PER_YEAR = 260
"""52 weeks of 5 business days: the grid on which every rate of flow is turned into a flow per step."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """A time grid: *steps* steps of *step_days* business days (1 = daily, 5 = weekly)."""

    steps: int
    step_days: int

    def __post_init__(self) -> None:
        if self.step_days not in (1, 5):
            raise InputError(Problem("step_days", got=str(self.step_days), accepted="1 (daily), 5 (weekly)"))
        if not 1 <= self.steps <= 20_800 // self.step_days:
            raise InputError(Problem("steps must be between 1 and 80 years' worth", got=str(self.steps)))
        if self.step_days == 1 and self.steps > 20:
            raise InputError(
                Problem("daily steps serve horizons of at most 20 days", got=str(self.steps),
                        accepted="weekly steps (step_days = 5) beyond that")
            )

    @property
    def dt(self) -> float:
        """Years per step."""
        return self.step_days / BUSINESS_DAYS_PER_YEAR

    @property
    def days(self) -> int:
        """Business days to the end."""
        return self.steps * self.step_days

    @property
    def years(self) -> float:
        return self.days / BUSINESS_DAYS_PER_YEAR
