"""Time in configuration files: durations with their unit, horizons as grids, schedules, days."""

from __future__ import annotations

import datetime
import re
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from riskengine.base.units import Horizon
from riskengine.data.configs.fields import ScheduleKind, Strict, refuse
from riskengine.policy.shocks import Schedule


class Duration(Strict):
    """``{ months = 12 }``: exactly one of days (business days), weeks, months, years."""

    days: Annotated[float, Field(ge=0)] | None = None
    weeks: Annotated[float, Field(ge=0)] | None = None
    months: Annotated[float, Field(ge=0)] | None = None
    years: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _one_unit(self) -> Duration:
        if len(self._given()) != 1:
            raise refuse("a duration has exactly one unit",
                         "{ days = 10 }, { weeks = 13 }, { months = 12 } or { years = 2 }")
        if self.in_years() > 80:
            raise refuse("longer than 80 years")
        return self

    def _given(self) -> dict[str, float]:
        given = {"days": self.days, "weeks": self.weeks, "months": self.months, "years": self.years}
        return {unit: value for unit, value in given.items() if value is not None}

    def in_years(self) -> float:
        """52 weeks of 5 business days are a year."""
        ((unit, value),) = self._given().items()
        return value / {"days": 260, "weeks": 52, "months": 12, "years": 1}[unit]


class HorizonDuration(Duration):
    """A duration as a time grid: days are daily steps (at most 20), everything else weekly steps."""

    @model_validator(mode="after")
    def _grid(self) -> HorizonDuration:
        if self.days is not None and (self.days > 20 or self.days < 1 or self.days != int(self.days)):
            raise refuse("daily steps serve horizons of 1 to 20 whole business days",
                         f"{{ weeks = {max(1, round(self.days / 5))} }}")
        if self.days is None and round(self.in_years() * 52) < 1:
            raise refuse("shorter than a week", "{ days = 1 } … { days = 20 }, or at least { weeks = 1 }")
        return self

    def build(self) -> Horizon:
        if self.days is not None:
            return Horizon(int(self.days), 1)
        return Horizon(round(self.in_years() * 52), 5)


def _no_wait() -> Duration:
    return Duration(days=0.0)


class ScheduleTable(Strict):
    """``{ kind = "linear", over = { months = 12 }, start = { months = 3 } }``.

    For kind half_life, *over* is the half-life; *start* is the delay before anything happens.
    """

    kind: ScheduleKind
    over: Duration = Field(default_factory=_no_wait)
    start: Duration = Field(default_factory=_no_wait)

    @model_validator(mode="after")
    def _lasting(self) -> ScheduleTable:
        if self.kind != "abrupt" and self.over.in_years() <= 0:
            raise refuse(f"a {self.kind} schedule needs its duration", "over = { months = 12 }")
        if self.kind == "abrupt" and self.over.in_years() > 0:
            raise refuse("an abrupt schedule has no duration", 'kind = "linear", or no "over"')
        return self

    def build(self) -> Schedule:
        return Schedule(self.kind, self.over.in_years(), self.start.in_years())


def _iso_date(value: object) -> object:
    if isinstance(value, datetime.datetime):
        raise refuse("a date without a time is wanted", "e.g. 2008-09-12")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, str):
        try:
            if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
                raise ValueError
            datetime.date.fromisoformat(value)
        except ValueError:
            raise refuse(f"not a date: '{value}'", "YYYY-MM-DD, e.g. 2008-09-12") from None
        return value
    raise refuse("must be a date", "YYYY-MM-DD, e.g. 2008-09-12")


Day = Annotated[str, BeforeValidator(_iso_date)]
