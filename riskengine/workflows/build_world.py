"""The world at an as-of date: market, accounts, parameters and factor models, each from its own room.

This is where the rooms are joined: data and configs are read, the laboratory estimates, the engine gets plain objects.
Who finds a kept world (``kept_world``) loads neither the readers of the data nor the laboratory.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np

from riskengine.base.axes import CURRENCIES, EQUITIES, FACTORS, KEY_RATES
from riskengine.base.errors import InputError, Problem
from riskengine.base.units import BUSINESS_DAYS_PER_YEAR
from riskengine.data.configs import config_root
from riskengine.data.kept_objects import kept, made_of
from riskengine.data.local_store import EMBEDDED
from riskengine.data.selection import active_store
from riskengine.engine.paths import World
from riskengine.factor_model import FactorModel
from riskengine.market import MarketInput
from riskengine.result import DataQualityItem

STALE_ALLOWANCE = timedelta(days=10)
"""Calendar days after the last close at which a night may still be run on it."""
VIX = "VIXCLS"
MODEL_ROWS = ("vol_now.", "vol_long_run.", "vol_persistence.")
MARKET_QUOTES = ("short_rate.", "dividend_yield.", "level.", "implied_vol.", "cap_rate.")
"""Inputs that are prices of their day; a later row in their place is worse than a later estimate of a loading."""


def build_world(
    as_of: str, accounts: str = "as_of", step: Callable[[str], None] | None = None
) -> World:
    """Load and estimate everything known at *as_of* (ISO date); ``accounts='latest'`` takes the newest holdings."""
    from factors import estimate_models
    from riskengine.data.accounts import load_accounts
    from riskengine.data.market_inputs import load_market_inputs
    from riskengine.data.parameters import load_parameters
    from riskengine.data.snapshot import load_snapshot

    say = step or (lambda _name: None)
    say("data")
    inputs = load_market_inputs(config_root() / "market_inputs.csv", as_of)
    say("estimation")
    models = estimate_models(as_of, inputs)
    say("data")
    inputs = {**inputs, **model_volatilities(models["daily"]), **quoted_volatility(as_of, inputs)}
    return World(
        as_of=as_of,
        snapshot=load_snapshot(as_of, inputs),
        accounts=load_accounts(as_of, accounts),
        parameters=load_parameters(),
        daily=models["daily"],
        weekly=models["weekly"],
        history=load_history(as_of),
    )


def kept_world(as_of: str, accounts: str, inputs: str) -> World:
    """The world of ``build_world``, to the bit, from the user's cache when nothing it is made of has changed;
    InputError for a day outside the data.

    inputs : hash of the configuration the world is made of.  The active data store is known by its version.
    """
    def make() -> World:
        check_as_of(as_of)
        return build_world(as_of, accounts)

    store = active_store()
    return kept("worlds", repr((made_of(), as_of, accounts, store.version, inputs)), make)


def kept_default_day() -> str:
    """``data.catalog.default_as_of``, found once per version of the data."""
    from riskengine.data.catalog import default_as_of

    version = active_store().version
    return default_as_of() if version == EMBEDDED else kept(
        "default_days", repr((made_of(), version)), default_as_of)


def check_as_of(as_of: str) -> None:
    """InputError unless the factor models and the snapshot can be built at *as_of*."""
    from factors.definitions import EARLIEST_AS_OF
    from riskengine.data.snapshot import covered_range

    try:
        day = date.fromisoformat(as_of)
    except ValueError:
        raise InputError(Problem("not a date", field="--as-of", got=as_of, accepted="YYYY-MM-DD")) from None
    last = covered_range()[1].astype(object)
    if not date.fromisoformat(EARLIEST_AS_OF) <= day <= last + STALE_ALLOWANCE:
        raise InputError(Problem("outside the data", field="--as-of", got=as_of,
                                 accepted=f"{EARLIEST_AS_OF} … {last + STALE_ALLOWANCE}"))


def model_volatilities(model: FactorModel) -> dict[str, MarketInput]:
    """Annualised volatility forecasts of the daily model as market inputs: the default of implied volatility."""
    annual = np.sqrt(BUSINESS_DAYS_PER_YEAR / model.step_days)
    rows: dict[str, MarketInput] = {}
    for k, label in enumerate(FACTORS.labels):
        for name, value, unit in (
            ("vol_now", model.vol_now[k] * annual, "per sqrt(year)"),
            ("vol_long_run", model.vol_long_run[k] * annual, "per sqrt(year)"),
            ("vol_persistence", model.persistence[k], "per business day"),
        ):
            key = f"{name}.{label}"
            rows[key] = MarketInput(
                id=key, value=float(value), se=None, unit=unit, date=model.as_of,
                source=f"daily factor model, {model.sample}", assumed=False,
            )
    return rows


def quoted_volatility(as_of: str, inputs: dict[str, MarketInput]) -> dict[str, MarketInput]:
    """``implied_vol.SP500`` from the last imported VIX close (30 days, percent), at most STALE_ALLOWANCE old;
    empty without one, or when the market inputs have a row of the same day or later."""
    store = active_store()
    if VIX not in store.series:
        return {}
    days, values = store.read_as_of(VIX, as_of)
    if not len(days) or not 1.0 <= values[-1] <= 200.0:
        return {}
    seen = days[-1].astype(object)
    mine = inputs.get("implied_vol.SP500")
    if date.fromisoformat(as_of) - seen > STALE_ALLOWANCE or (mine is not None and mine.date >= str(seen)):
        return {}
    return {"implied_vol.SP500": MarketInput(
        "implied_vol.SP500", float(values[-1]) / 100.0, None, "per sqrt(year)", str(seen),
        f"{store.entry(VIX).title}, imported: implied volatility of 30 days, taken for every expiry", False)}


def load_history(as_of: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Levels by factor for HistoricalReplay: logs for log factors, decimals for rates; nothing after *as_of*.

    Baskets of imported sectors have their running sum of log returns, which starts at 0.
    """
    from factors.history import read_imported, sector_baskets
    from riskengine.data.panels import load_panel

    history: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for panel_name, prefix, names, log in (
        ("fx_daily", "FX_", CURRENCIES, True),
        ("zero_rates_daily", "UST_", tuple(KEY_RATES), False),
        ("equity_daily", "EQ_", EQUITIES, True),
    ):
        panel = load_panel(panel_name, as_of)
        for name in names:
            if name not in panel.axis:
                continue
            column = panel.values[:, panel.axis.index(name)]
            seen = np.isfinite(column)
            values = np.log(column[seen]) if log else column[seen]
            history[prefix + name] = (panel.dates[seen], values)
    imported = read_imported(as_of)
    if imported is not None:
        for factor, (days, level, _) in sector_baskets({imported.name: imported}).items():
            history[factor] = (days, level)
    return history


def input_quality(world: World) -> tuple[DataQualityItem, ...]:
    """Remarks on the accounts and on configs/market_inputs.csv: dates after the as-of date, and assumptions."""
    rows = [x for x in world.snapshot.inputs.values() if not x.id.startswith(MODEL_ROWS)]
    late = sorted(x.id for x in rows if x.date > world.as_of)
    quotes = any(x.startswith(MARKET_QUOTES) for x in late)
    assumed = sorted(x.id for x in rows if x.assumed)
    accounts = world.accounts
    items = [DataQualityItem("info", "accounts", note) for note in accounts.notes]
    store = active_store()
    if store.series:
        daily = sum(entry.frequency == "daily" for entry in store.series.values())
        items.append(DataQualityItem(
            "info", "data store",
            f"version {store.version[:12]}: {len(store.series):,} imported series, {daily} of them daily, carry the "
            "embedded data on (a run can be repeated on it: --data-version)"))
    if accounts.accounts_as_of > world.as_of:
        items.append(DataQualityItem(
            "warning", "accounts",
            f"holdings, GDP and market sizes are the newest ones (holdings of {accounts.accounts_as_of}), after the "
            f"as-of date {world.as_of}, as asked for with --accounts",
        ))
    if late:
        items.append(DataQualityItem(
            "red" if quotes else "warning", "market_inputs",
            f"{len(late)} inputs have no row dated by {world.as_of}; the earliest later row stands in: "
            + ", ".join(late[:8]) + (" …" if len(late) > 8 else ""),
        ))
    if assumed:
        items.append(DataQualityItem(
            "warning", "market_inputs",
            f"{len(assumed)} of {len(rows)} inputs are assumptions; positions priced off them are marked",
        ))
    return tuple(items)
