"""Point-in-time panels: what was known at the close of the as-of date, in the engine's units.

``load_panel(name, as_of)`` returns a :class:`~riskengine.market.Panel` with

    fx_daily, fx_monthly          USD per unit of foreign currency, labels = currency codes
    treasury_par_daily            par yields, decimal, labels '1M' … '30Y'
    treasury_cmt_daily            constant maturity yields 1962–1989, decimal, '1Y', '3Y', '5Y', '10Y'
    zero_rates_daily              continuously compounded zero rates, decimal, labels = KEY_RATES
    rates_monthly                 decimal, labels as at the Federal Reserve ('GS10', 'FEDFUNDS', …)
    macro_monthly                 published units, labels 'CPIAUCSL', 'UNRATE', …
    external_saving_quarterly     USD bn at annual rates, labels 'GDP', 'NETFI', 'GSAVE', …
    stress_history_quarterly      'bbb_corporate_yield' (decimal), 'vix_quarter_max' (percent), index points
                                  'equity_total_market_index', 'house_price_index',
                                  'commercial_real_estate_price_index'
    equity_daily                  index points, labels 'SP500', 'NASDAQ'
    imported_daily                every other daily series of the active data store, published units, labels =
                                  series ids (a panel only while something is imported)

``fx_daily``, ``treasury_par_daily`` (and the zero rates) and ``equity_daily`` are carried on, never
overwritten, by what the active store holds (``continuation``, ``selection``).

Dates are period ends.  Market quotes of foreign exchange (foreign units per USD) are inverted here and
nowhere else. The rule of what was known when is in ``catalog``.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import polars as pl

from riskengine.base.axes import KEY_RATES, Axis
from riskengine.base.errors import InputError, Problem
from riskengine.data.catalog import IMPORTED, TENOR_YEARS, PanelInfo, panel_info
from riskengine.data.continuation import carry_on
from riskengine.data.selection import active_store
from riskengine.data.sources import read_arch_index, read_bundled
from riskengine.market import Panel, bootstrap_zero_rates


def load_panel(name: str, as_of: str) -> Panel:
    """The panel *name* as known at the close of *as_of* (ISO date).

    Rows without any known observation are left out; single values not yet published, or missing, are NaN.
    InputError for an unknown name, a malformed date, or a date before the first observation was known.
    """
    info = panel_info(name)
    dates, values = known_history(name, as_of)
    if not len(dates):
        every, history = full_history(name)
        first = known_dates(info, every)[np.isfinite(history)].min()
        raise InputError(Problem(f"no observation of panel {name} was known yet", field="as_of", got=as_of,
                                 accepted=f"{first} or later"))
    return Panel(name=name, dates=dates, values=values, axis=Axis(name, info.labels),
                 units=tuple(s.unit for s in info.series))


def known_history(name: str, as_of: str) -> tuple[np.ndarray, np.ndarray]:
    """(T,) dates and (T, N) values known at the close of *as_of*, read-only; T = 0 when nothing was yet."""
    info, day = panel_info(name), parse_as_of(as_of)
    dates, values = full_history(name)
    values = np.where(known_dates(info, dates) <= day, values, np.nan)
    rows = np.isfinite(values).any(axis=1)
    dates, values = dates[rows].copy(), np.ascontiguousarray(values[rows])
    dates.flags.writeable = values.flags.writeable = False
    return dates, values


def parse_as_of(as_of: str) -> np.datetime64:
    """*as_of* as a day; InputError unless it reads YYYY-MM-DD."""
    try:
        if len(as_of) != 10:
            raise ValueError
        return np.datetime64(as_of, "D")
    except (ValueError, TypeError):
        raise InputError(
            Problem("as-of date", field="as_of", got=repr(as_of), accepted="YYYY-MM-DD")) from None


def known_dates(info: PanelInfo, dates: np.ndarray) -> np.ndarray:
    """(T, N) datetime64[D]: the day at whose close each observation was known (period end + lag)."""
    month = dates.astype("datetime64[M]").astype(int) % 12 + 1
    lags = np.empty((len(dates), len(info.series)), dtype="timedelta64[D]")
    for j, series in enumerate(info.series):
        late = series.lag_days if series.lag_fourth_quarter is None else series.lag_fourth_quarter
        lags[:, j] = np.where(month == 12, late, series.lag_days).astype("timedelta64[D]")
    return dates[:, None] + lags


def full_history(name: str) -> tuple[np.ndarray, np.ndarray]:
    """(T,) dates and (T, N) values embedded and imported, in the engine's units; read-only."""
    return _history_at(name, active_store().version)


def embedded_history(name: str) -> tuple[np.ndarray, np.ndarray]:
    """(T,) dates and (T, N) values inside the package alone; read-only."""
    return _embedded(name)


def series_used(name: str) -> dict[str, tuple[str, ...]]:
    """Label → imported series that carry the panel *name* on; empty when none does."""
    return _carried(name, active_store().version)[2]


@lru_cache(maxsize=128)
def _history_at(name: str, version: str) -> tuple[np.ndarray, np.ndarray]:
    """Keyed by the content hash of the active store: the same version holds the same figures anywhere."""
    if name == IMPORTED:
        dates, values = _imported()
    elif name == "zero_rates_daily":
        dates, values = _zero_rates(_history_at("treasury_par_daily", version))
    else:
        dates, values, _ = _carried(name, version)
    dates.flags.writeable = values.flags.writeable = False
    return dates, values


@lru_cache(maxsize=128)
def _carried(name: str, version: str) -> tuple[np.ndarray, np.ndarray, dict[str, tuple[str, ...]]]:
    if name == IMPORTED or name == "zero_rates_daily":
        return np.empty(0, "datetime64[D]"), np.empty((0, 0)), {}
    dates, values = _embedded(name)
    return carry_on(name, panel_info(name).labels, dates, values, active_store())


def _imported() -> tuple[np.ndarray, np.ndarray]:
    """Every series of ``imported_daily`` on the union of their days."""
    store, labels = active_store(), panel_info(IMPORTED).labels
    read = [store.read(label) for label in labels]
    dates = np.unique(np.concatenate([days for days, _ in read])).astype("datetime64[D]")
    values = np.full((len(dates), len(labels)), np.nan)
    for j, (days, figures) in enumerate(read):
        values[np.searchsorted(dates, days), j] = figures
    return dates, values


@lru_cache(maxsize=None)
def _embedded(name: str) -> tuple[np.ndarray, np.ndarray]:
    info = panel_info(name)
    if name == "zero_rates_daily":
        dates, values = _zero_rates(_embedded("treasury_par_daily"))
    elif name == "equity_daily":
        dates, values = _equity_closes(info)
    else:
        table = read_bundled(info.file)
        dates = table["date"].to_numpy().astype("datetime64[D]")
        values = table.select(s.column for s in info.series).to_numpy().astype(np.float64)
        for j, series in enumerate(info.series):
            if series.transformation.startswith("inverse"):
                values[:, j] = 1.0 / values[:, j]
            elif series.unit == "decimal":
                values[:, j] = values[:, j] / 100.0
    values = np.ascontiguousarray(values)
    dates.flags.writeable = values.flags.writeable = False
    return dates, values


def _zero_rates(history: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    dates, par = history
    par = np.where((par > -1.0) & (par <= 1.0), par, np.nan)  # no yield; quality names it, other days stand
    labels = panel_info("treasury_par_daily").labels
    years = np.array([TENOR_YEARS[t] for t in labels])
    return dates.copy(), bootstrap_zero_rates(years, par, np.array(list(KEY_RATES.values())))


def _equity_closes(info: PanelInfo) -> tuple[np.ndarray, np.ndarray]:
    table = None
    for series in info.series:
        one = read_arch_index(series.column).rename({"close": series.label})
        table = one if table is None else table.join(one, on="date", how="full", coalesce=True)
    table = table.sort("date")
    return table["date"].to_numpy().astype("datetime64[D]"), table.select(
        pl.col(list(info.labels)).cast(pl.Float64)).to_numpy().astype(np.float64)


def last_common_day() -> str:
    """Last day with the euro, the 10-year yield and, where the data store carries it on, the S&P 500."""
    wanted = [("fx_daily", "EUR"), ("treasury_par_daily", "10Y")]
    if "SP500" in series_used("equity_daily"):
        wanted.append(("equity_daily", "SP500"))
    common = None
    for name, label in wanted:
        dates, values = full_history(name)
        days = dates[np.isfinite(values[:, panel_info(name).labels.index(label)])]
        common = days if common is None else np.intersect1d(common, days)
    return str(common[-1])
