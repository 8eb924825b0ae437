"""The market as an instrument sees it: curve, foreign rates, dividends, implied volatility, now and at the horizon.

Conventions
-----------
Curve      z(t) linear in t between the snapshot's zero rates, flat beyond the ends, Act/365, continuous.
           Key-rate moves dz(t) are linear in t between KEY_RATES, flat beyond the ends.
Ageing     at the horizon h (years) a payment due at T has T − h years to run and is discounted at
           z(T − h) + dz(T − h): rates by remaining life stay where they are (carry and roll-down).
           The same holds for implied volatility by remaining life.
Foreign    the foreign short rate is constant: covered parity gives F = S exp((z(T) − r_f) T).
Volatility implied_vol.<NAME> when given, else the model's forecast averaged over the option's life::

               σ² = v∞² + (v0² − v∞²) (1 − ρⁿ) / (n (1 − ρ)),   n = 260 T trading days

           (``vol_now``, ``vol_long_run``, ``vol_persistence``, annualised, persistence per day), plus
           ``vol_premium.fx`` or ``vol_premium.equity``.  Shocked by exp(VOL_FX) or exp(VOL_EQUITY).
Cash       received inside the horizon earns nothing until the horizon.  No financing cost is charged on
           net asset value.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from riskengine.base.axes import KEY_RATES, Axis
from riskengine.base.dates import coupon_dates, parse_date, year_fraction
from riskengine.base.errors import InputError, Problem, suggest
from riskengine.base.units import BUSINESS_DAYS_PER_YEAR, Horizon
from riskengine.instruments.legs import Schedule, exponent
from riskengine.market import MarketSnapshot

_KEY_TENORS = tuple(float(t) for t in KEY_RATES.values())
_KEY_LABELS = tuple(f"UST_{name}" for name in KEY_RATES)


@dataclass(slots=True)
class Valuation:
    """A snapshot read by one position after another; remembers which assumed inputs each one used."""

    snapshot: MarketSnapshot
    axis: Axis
    horizon: Horizon | None
    fixings: list[tuple[int, int]] = field(default_factory=list)
    """(factor index, step): move of that factor after step + 1 steps."""
    used: list[str] = field(default_factory=list)
    """Ids of assumed inputs used since the list was last cleared."""
    as_of: date = field(init=False)
    h: float = field(init=False)
    """Horizon in years, 0 for an instantaneous move."""
    _rates: dict[float, float] = field(default_factory=dict)
    _loadings: dict[float, tuple[int, int, float, float]] = field(default_factory=dict)
    _schedules: dict[tuple[date, int], Schedule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.as_of = parse_date(self.snapshot.as_of)
        self.h = 0.0 if self.horizon is None else self.horizon.years

    def years_to(self, day: date) -> float:
        return year_fraction(self.as_of, day)

    def has_passed(self, years: float) -> bool:
        """Is a payment due in *years* made inside the horizon?"""
        return self.horizon is not None and years <= self.h

    # ---- rates ------------------------------------------------------------------------------------------

    def zero_rate(self, t: float) -> float:
        rate = self._rates.get(t)
        if rate is None:
            rate = self._rates[t] = float(np.interp(t, self.snapshot.zero_tenors, self.snapshot.zero_rates))
        return rate

    def discount(self, t: float) -> float:
        return math.exp(-self.zero_rate(t) * t)

    def curve_loading(self, t: float) -> tuple[int, int, float, float]:
        """(row, row, w, w): move of the zero rate at t = w₁ moves[row₁] + w₂ moves[row₂]."""
        found = self._loadings.get(t)
        if found is None:
            j = min(max(bisect_right(_KEY_TENORS, t) - 1, 0), len(_KEY_TENORS) - 2)
            w = min(max((t - _KEY_TENORS[j]) / (_KEY_TENORS[j + 1] - _KEY_TENORS[j]), 0.0), 1.0)
            found = self._loadings[t] = (
                self.axis.index(_KEY_LABELS[j]), self.axis.index(_KEY_LABELS[j + 1]), 1.0 - w, w)
        return found

    def coupon_times(self, maturity: date, frequency: int) -> tuple[float, ...]:
        """Years to every coupon after the as-of date."""
        return tuple(self.years_to(d) for d in coupon_dates(self.as_of, maturity, frequency)[1:])

    def schedule(self, maturity: date, frequency: int) -> Schedule:
        """Coupon dates up to *maturity*, or *maturity* alone (frequency 0), off the curve; thousands of
        securities share a few hundred of them."""
        found = self._schedules.get((maturity, frequency))
        if found is None:
            times = self.coupon_times(maturity, frequency) if frequency else (self.years_to(maturity),)
            later, exponents = [], []
            for t in times:
                if not self.has_passed(t):
                    left = t - self.h
                    one, two, w1, w2 = self.curve_loading(left)
                    later.append(self.discount(left))
                    exponents.append(exponent((one, -left * w1), (two, -left * w2)))
            found = Schedule(tuple(self.discount(t) for t in times), tuple(later), tuple(exponents))
            self._schedules[maturity, frequency] = found
        return found

    def short_rate(self, currency: str) -> float:
        return self.input(f"short_rate.{currency}")

    # ---- levels -----------------------------------------------------------------------------------------

    def spot(self, currency: str) -> float:
        """USD per unit of *currency*; a rate that is an estimate is remembered as assumed."""
        try:
            self.note_assumed(f"spot.{currency}")
            return self.snapshot.spot[currency]
        except KeyError:
            raise InputError(
                Problem("no spot rate at the as-of date", field="currency", got=currency,
                        accepted=suggest(currency, tuple(self.snapshot.spot)))
            ) from None

    def level(self, equity: str) -> float:
        """Index points, from the data or from ``level.<EQ>``."""
        if equity in self.snapshot.equity_levels:
            return self.snapshot.equity_levels[equity]
        return self.input(f"level.{equity}")

    def input(self, identifier: str) -> float:
        """Value of a market input; an assumed one is remembered."""
        try:
            found = self.snapshot.inputs[identifier]
        except KeyError:
            raise InputError(
                Problem("market input missing (configs/market_inputs.csv)", got=identifier)
            ) from None
        if found.assumed:
            self.note_assumed(identifier)
        return found.value

    def note_assumed(self, identifier: str) -> None:
        """Remember an assumed input behind the position's factor (e.g. a basket's loading), if it is one."""
        found = self.snapshot.inputs.get(identifier)
        if found is not None and found.assumed and identifier not in self.used:
            self.used.append(identifier)

    # ---- volatility -------------------------------------------------------------------------------------

    def implied_volatility(self, factor: str, name: str, market: str, t: float) -> float:
        """Annual implied volatility of *factor* (FX_EUR, EQ_SP500 …) for t years; market 'fx' or 'equity'."""
        override = f"implied_vol.{name}"
        if override in self.snapshot.inputs:
            return self.input(override)
        forecast = (f"vol_now.{factor}", f"vol_long_run.{factor}", f"vol_persistence.{factor}")
        missing = [i for i in forecast if i not in self.snapshot.inputs]
        if missing:
            raise InputError(
                Problem("an option needs an implied volatility or the model's forecast",
                        got="missing " + ", ".join(missing),
                        accepted=f"{override}, or all of " + ", ".join(forecast))
            )
        now, long_run, persistence = (self.input(i) for i in forecast)
        return average_volatility(now, long_run, persistence, t) + self.input(f"vol_premium.{market}")

    def fixing_row(self, factor: int, years: float) -> int:
        """Row of the stacked moves (factors, then fixings) with *factor* at a date inside the horizon."""
        assert self.horizon is not None
        step = min(max(math.ceil(years / self.horizon.dt - 1e-9) - 1, 0), self.horizon.steps - 1)
        if (factor, step) not in self.fixings:
            self.fixings.append((factor, step))
        return len(self.axis) + self.fixings.index((factor, step))


def average_volatility(now: float, long_run: float, persistence: float, t: float) -> float:
    """Annualised volatility over the next t years: variance decays from today's to the long run's."""
    n = max(t * BUSINESS_DAYS_PER_YEAR, 1.0)
    weight = 1.0 if persistence >= 1.0 else (1.0 - persistence**n) / (n * (1.0 - persistence))
    return math.sqrt(long_run**2 + (now**2 - long_run**2) * weight)
