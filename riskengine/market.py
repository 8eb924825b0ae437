"""What the market looked like: histories (Panel) and the state at the as-of date (MarketSnapshot).

Both are plain numpy, loaded by ``riskengine.data`` and handed down; nothing here reads a file.

``bootstrap_zero_rates`` turns par yields into continuously compounded zero rates.  A semi-annual par bond of
maturity t = n/2 with yield y(t) is worth its face value,

    1 = y/2 · Σ_{i ≤ n} P(i/2) + P(n/2)   ⇒   P(n/2) = (1 − y/2 · Σ_{i < n} P(i/2)) / (1 + y/2)

and z(t) = −ln P(t) / t.  Reference: Hull, Options, Futures and Other Derivatives, "Determining zero rates".
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from riskengine.base.axes import Axis
from riskengine.base.errors import InputError, Problem
from riskengine.base.frozen import own_arrays


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
    """One row of configs/market_inputs.csv (or its default from data): value [unit] ± se, date, source."""

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
    inputs : id → MarketInput (foreign short rates ``short_rate.EUR``, dividend yields
    ``dividend_yield.SP500``, implied volatilities ``implied_vol.SP500`` / ``implied_vol.EUR``,
    ``half_spread.*``, ``adv.*`` …).
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

    def __post_init__(self) -> None:
        own_arrays(self)


def bootstrap_zero_rates(
    par_tenors: np.ndarray, par_yields: np.ndarray, zero_tenors: np.ndarray
) -> np.ndarray:
    """Continuously compounded zero rates from bond-equivalent par yields, for many dates at once.

    Conventions, all of the US Treasury's par curve: yields are bond-equivalent (semi-annual compounding); up
    to half a year a bill pays simple interest, P(t) = 1/(1 + y t), which at t = 1/2 is the one-coupon par
    bond; from there on semi-annual par bonds on the grid 0.5, 1, 1.5, …  Between quoted tenors the *par
    yield* is linear in t; before the first quoted tenor it is flat; beyond the last quoted tenor there is
    nothing.

    Parameters
    ----------
    par_tenors : (J,), years, ascending.
    par_yields : (T, J) or (J,), decimals, NaN where the tenor is not quoted on that date.
    zero_tenors : (L,), years; each one a quoted tenor ≤ 0.5 or a multiple of 0.5.

    Returns
    -------
    (T, L) or (L,) : zero rates, decimal; NaN where the tenor asked for is one of ``par_tenors`` that is not
        quoted on that date, lies beyond the last quoted tenor, or would need a discount factor below zero.
    """
    tenors = np.ascontiguousarray(par_tenors, dtype=np.float64)
    wanted = np.ascontiguousarray(zero_tenors, dtype=np.float64)
    par = np.array(par_yields, dtype=np.float64)
    single = par.ndim == 1
    par = np.atleast_2d(par)
    if tenors.ndim != 1 or par.shape[1] != len(tenors) or not (np.diff(tenors) > 0).all() or tenors[0] <= 0:
        raise InputError(Problem("par tenors must ascend from above 0, one per column of par_yields",
                                 got=f"{tenors.tolist()} for yields of shape {par.shape}"))
    if np.isinf(par).any() or (par <= -1.0).any() or (par > 1.0).any():
        raise InputError(Problem("par yields must be decimals in (-1, 1] or NaN", got="a value outside"))
    halves = 2.0 * wanted
    on_grid = (wanted > 0.5) & (np.abs(halves - np.round(halves)) < 1e-9)
    if not (on_grid | (wanted > 0) & (wanted <= 0.5)).all():
        raise InputError(
            Problem("zero tenors must be at most 0.5 or multiples of 0.5 years", got=str(wanted.tolist())))

    steps = int(np.ceil(halves.max())) if on_grid.any() else 1
    grid = 0.5 * np.arange(1, steps + 1)
    grid_par = _interpolate_par(tenors, par, grid)
    discount = np.empty_like(grid_par)
    annuity = np.zeros(len(par))
    for n in range(steps):
        half_coupon = grid_par[:, n] / 2.0
        discount[:, n] = (1.0 - half_coupon * annuity) / (1.0 + half_coupon)
        annuity += discount[:, n]

    zero = np.empty((len(par), len(wanted)))
    with np.errstate(invalid="ignore", divide="ignore"):
        short = wanted <= 0.5
        short_par = _interpolate_par(tenors, par, wanted[short])
        zero[:, short] = np.log1p(short_par * wanted[short]) / wanted[short]
        column = np.round(halves[on_grid]).astype(int) - 1
        zero[:, on_grid] = -np.log(discount[:, column]) / wanted[on_grid]
    for j, tenor in enumerate(wanted):
        same = np.flatnonzero(np.abs(tenors - tenor) < 1e-9)
        if len(same):
            zero[np.isnan(par[:, same[0]]), j] = np.nan
    return zero[0] if single else zero


def _interpolate_par(tenors: np.ndarray, par: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(T, len(at)) par yields: linear between the quoted tenors of a date, flat before the first, NaN beyond.

    Dates with the same set of quoted tenors are interpolated together (a history has few such sets).
    """
    out = np.full((len(par), len(at)), np.nan)
    quoted = np.isfinite(par)
    patterns, which = np.unique(quoted, axis=0, return_inverse=True)
    which = np.ravel(which)
    for p, pattern in enumerate(patterns):
        if not pattern.any():
            continue
        x, rows = tenors[pattern], np.flatnonzero(which == p)
        y = par[rows][:, pattern]
        if len(x) == 1:
            inner = np.repeat(y, len(at), axis=1)
        else:
            right = np.clip(np.searchsorted(x, at), 1, len(x) - 1)
            weight = np.clip((at - x[right - 1]) / (x[right] - x[right - 1]), 0.0, 1.0)
            inner = y[:, right - 1] * (1.0 - weight) + y[:, right] * weight
        inner[:, at > x[-1] + 1e-9] = np.nan
        out[rows] = inner
    return out
