"""What did the engine know on the evening before? Worlds at past dates, from nothing published later.

From ``EARLIEST_AS_OF`` (2007) on it is the night's own world.  Before that the factor model is that of
``factors.early`` (the factors that had a history), the curve and spot rates are those of the day, and the
chain's currency settings are of the time: weights of the dollar over the currencies that existed, betas
estimated before the date instead of today's published ones.

What is *not* of the time, and is said on the page: the structural elasticities (holders' demand, market
multipliers, the dollar's Γ and the trade elasticity) are published estimates younger than most episodes;
re-estimating them at the date is impossible, so an episode tests whether today's numbers would have been
right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from factors.definitions import EARLIEST_AS_OF
from factors.early import EURO_STAND_IN, estimate_early
from riskengine.base.axes import CURRENCIES, FACTORS, KEY_RATES
from riskengine.data.accounts import load_accounts
from riskengine.data.configs import config_root
from riskengine.data.market_inputs import load_market_inputs
from riskengine.data.parameters import load_parameters
from riskengine.engine.paths import World
from riskengine.impact.parameters import ImpactParameters
from riskengine.market import MarketSnapshot

BETA_PREFIX = "currency_beta."


@dataclass(frozen=True, slots=True)
class PastWorld:
    """A world at a past date: what is available in it (factor labels), the broad dollar's weights,
    remarks."""

    world: World
    available: tuple[str, ...]
    weights: dict[str, float]
    remarks: tuple[str, ...]


def world_at(as_of: str, build_world: Callable[[str], World]) -> PastWorld:
    """The world at the close of *as_of* (ISO date).

    build_world : builds the night's world, used from 2007 on.  InputError when the data do not reach so far.
    """
    if as_of >= EARLIEST_AS_OF:
        world = build_world(as_of)
        weights = {c: float(w) for c, w in zip(CURRENCIES, world.daily.index_weights, strict=True) if w > 0}
        own_betas = replace_currency_settings(world.parameters, weights)
        observed = tuple(x for k, x in enumerate(FACTORS.labels) if world.daily.history[k] > 0)
        return PastWorld(replace(world, parameters=own_betas), observed, weights, ())
    early = estimate_early(as_of)
    inputs = load_market_inputs(config_root() / "market_inputs.csv", as_of)
    snapshot = MarketSnapshot(
        as_of=as_of, spot=early.spot, zero_tenors=np.array(list(KEY_RATES.values())),
        zero_rates=early.zero_rates,
        par_yields={}, equity_levels={}, inputs=inputs)
    world = World(
        as_of=as_of, snapshot=snapshot, accounts=load_accounts(as_of),
        parameters=replace_currency_settings(load_parameters(), early.weights),
        daily=early.daily, weekly=early.weekly, history={})
    return PastWorld(world, early.available, early.weights, early.remarks)


def replace_currency_settings(parameters: ImpactParameters, weights: dict[str, float]) -> ImpactParameters:
    """*parameters* with the dollar of the time: its *weights* (sum 1), no published currency betas (the run's
    own estimate ± its error serves instead); pegs and managed currencies of today where they are weighted."""
    distributions = {name: d for name, d in parameters.items()
                     if not name.startswith((BETA_PREFIX, "scenario_score.", "regime_score."))}
    settings = replace(
        parameters.settings, index_weights=dict(weights),
        managed=tuple(c for c in parameters.settings.managed if c in weights),
        sources={"index_weights": f"today's trade weights over the currencies of the time; {EURO_STAND_IN} "
                                  "carries the euro's weight before 1999"})
    tags = {name: parameters.tag(name) for name in distributions}
    return ImpactParameters(distributions, tags, settings)
