"""What the market looked like: histories (Panel) and the state at the as-of date (MarketSnapshot).

Both are plain numpy, loaded by ``riskengine.data`` and handed down; nothing here reads a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from riskengine.base.axes import Axis


@dataclass(frozen=True, slots=True)
class Panel:
    """Levels or moves of several series on one calendar.

    dates : (T,) datetime64[D], ascending.  values : (T, N) float64, NaN where there is no observation.
    kind : 'level' or 'move'.  units : one per series.
    """

    name: str
    dates: np.ndarray
    values: np.ndarray
    axis: Axis
    units: tuple[str, ...]
    kind: str = "level"


@dataclass(frozen=True, slots=True)
class MarketInput:
    """One row of configs/market_inputs.csv (or its default from data): value [unit] ± se, dated and sourced."""

    id: str
    value: float
    se: float | None
    unit: str
    date: str
    source: str
    assumed: bool
    """True: an assumption without an observed series behind it; positions priced off it are marked."""


@dataclass(frozen=True, slots=True)
class MarketSnapshot:
    """The state of the market at the as-of date.

    as_of : ISO date.  spot : currency → USD per unit.  zero_tenors, zero_rates : (J,) years and
    continuously compounded Act/365 zero rates (decimal) bootstrapped from the Treasury par curve.
    par_yields : tenor label → decimal.  equity_levels : index → level (index points).
    inputs : id → MarketInput (foreign short rates ``short_rate.EUR``, dividend yields ``dividend_yield.SP500``,
    implied volatilities ``implied_vol.SP500`` / ``implied_vol.EUR``, ``half_spread.*``, ``adv.*`` …).
    dates : series id → ISO date of the observation used (stale ones show up in data quality).
    """

    as_of: str
    spot: dict[str, float]
    zero_tenors: np.ndarray
    zero_rates: np.ndarray
    par_yields: dict[str, float]
    equity_levels: dict[str, float]
    inputs: dict[str, MarketInput]
    dates: dict[str, str] = field(default_factory=dict)
