"""What would the choice between prior and data cost? The shipped book under several sets of elasticities.

    engine      as the nightly run has them
    prior       published values, also for currency and path betas
    data        the laboratory's estimates alone
    posterior   the normal–normal rule
    identified  the posterior where cause and answer can be told apart, else the engine's value

Every set runs the same scenarios on the same random numbers.  An elasticity whose estimate has the wrong
sign for its distribution (a negative price impact) enters at FLOOR of its prior, and the row says so.  Then
one elasticity after the other is moved from the engine's value to the posterior, which shows where the
difference comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from riskengine.base.axes import CURRENCIES, KEY_RATES
from riskengine.base.estimate import Distribution
from riskengine.base.sampling import RunSpec
from riskengine.base.sensitivity import Sensitivities, Sensitivity
from riskengine.data.configs import config_root, load_scenario
from riskengine.engine import run_all
from riskengine.engine.paths import World
from riskengine.impact.parameters import ImpactParameters
from riskengine.instruments.portfolio import Portfolio
from riskengine.policy.scenario import Scenario

SCENARIOS = ("china_sells_treasuries", "withholding_tax_30_no_exemptions", "exodus_10pct",
             "mar_a_lago_accord")
BOOK = "portfolios/global_macro.csv"
SPEC = RunSpec(paths=8_192, draws=256)
SINGLE_SPEC = RunSpec(paths=2_048, draws=256)
"""One elasticity at a time: differences on the same random numbers need few paths."""
SETS = ("engine", "prior", "data", "posterior", "identified")
FLOOR = 0.05
"""Share of the prior that stands in for an estimate of the wrong sign."""
LEVEL = 0.975


@dataclass(frozen=True, slots=True)
class Elasticity:
    """One elasticity of the engine: value in each set (engine, prior, data, posterior), and what was
    floored."""

    name: str
    row: str
    unit: str
    values: tuple[float, float | None, float | None, float | None]
    errors: tuple[float | None, ...]
    floored: bool
    identified: bool
    note: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One scenario under one set: expected P&L and ES at LEVEL, USD, with the standard error of the first."""

    scenario: str
    title: str
    chosen: str
    expected_pnl_usd: float
    se_expected_pnl_usd: float
    es_usd: float
    dollar: float
    ten_year_bp: float


@dataclass(frozen=True, slots=True)
class StructuralCheck:
    """Elasticities beside the data, outcomes by scenario and set, and one-at-a-time changes of expected P&L,
    USD.

    single : (elasticity, scenario, change of expected P&L when it alone goes from the engine's value to the
    posterior).
    """

    elasticities: tuple[Elasticity, ...]
    outcomes: tuple[Outcome, ...]
    single: tuple[tuple[str, str, float], ...]
    missing: tuple[str, ...]
    """Uncertain parameters of the engine that no series at hand speaks to."""
    book: str
    paths: int


def structural_check(
    found: Sensitivities, world: World | None = None, portfolio: Portfolio | None = None,
    scenarios: Sequence[Scenario] | None = None, spec: RunSpec = SPEC,
) -> StructuralCheck:
    """Run *scenarios* (default SCENARIOS) on *portfolio* (default the shipped book) under each of SETS.

    InputError when there is no market, or no model, at the date of *found*.
    """
    if world is None:
        from riskengine.workflows.build_world import build_world

        world = build_world(found.as_of)
    if portfolio is None:
        from riskengine.workflows.door import load_portfolio

        portfolio = load_portfolio(config_root() / BOOK, found.as_of)
    chosen = list(scenarios) if scenarios is not None else [load_scenario(name) for name in SCENARIOS]
    outcomes: list[Outcome] = []
    for name in SETS:
        results = run_all(chosen, portfolio, with_set(world, found, name), spec)
        for r in results:
            at = r.tail.levels.index(LEVEL)
            chain = r.chain
            outcomes.append(Outcome(
                r.name, r.title, name, r.expected_pnl_usd, r.se_expected_pnl_usd, r.tail.es[at],
                chain.broad_dollar[0] if chain else 0.0, chain.treasury_10y_flow_bp[0] if chain else 0.0))
    few = replace(spec, paths=min(spec.paths, SINGLE_SPEC.paths), draws=min(spec.draws, SINGLE_SPEC.draws))
    base = {r.name: r.expected_pnl_usd for r in run_all(chosen, portfolio, world, few)}
    single = []
    for row in _groups(found, world):
        results = run_all(chosen, portfolio, with_set(world, found, "posterior", only=row[1]), few)
        single += [(row[0], r.name, r.expected_pnl_usd - base[r.name]) for r in results]
    spoken = {r.used_as for r in found.rows}
    silent = tuple(n for n, d in world.parameters.items()
                   if d.kind != "fixed" and world.parameters.tag(n) != "score" and n not in spoken
                   and n not in ("ust_path_beta_10y_on_2y", "currency_beta_score"))
    return StructuralCheck(tuple(_elasticities(found, world)), tuple(outcomes), tuple(single), silent, BOOK,
                           spec.paths)


def with_set(world: World, found: Sensitivities, which: str, only: frozenset[str] | None = None) -> World:
    """*world* with the elasticities of one of SETS; *only*: row ids that are changed, the others stay as
    they are."""
    if which == "engine":
        return world
    rows = [r for r in found.rows if r.used_as and (only is None or r.id in only)
            and (which != "identified" or r.identified)]
    distributions = {n: d for n, d in world.parameters.items() if world.parameters.tag(n) != "score"}
    changed = False
    for r in rows:
        if r.used_as in distributions and which != "prior":
            distributions[r.used_as] = _distribution(distributions[r.used_as], r, which)
            changed = True
    parameters = world.parameters
    if changed:
        tags = {n: world.parameters.tag(n) for n in distributions}
        parameters = ImpactParameters(distributions, tags, world.parameters.settings)
    return replace(world, parameters=parameters, daily=_betas(world.daily, rows, which),
                   weekly=_betas(world.weekly, rows, which))


def _distribution(old: Distribution, r: Sensitivity, which: str) -> Distribution:
    value, se = (r.estimate, r.se) if which == "data" else (r.posterior, r.posterior_se)
    if old.kind == "lognormal2":
        value = max(value, FLOOR * old.default)
        return replace(old, default=value, lo=value * value / (value + se), hi=value + se,
                       source=f"{which}: {r.id}")
    return replace(old, default=value, lo=value - se, hi=value + se, kind="normal", source=f"{which}: {r.id}")


def _betas(model, rows: Sequence[Sensitivity], which: str):
    fields = {"currency_beta": (model.currency_beta.copy(), model.currency_beta_se.copy(), CURRENCIES),
              "path_beta": (model.path_beta.copy(), model.path_beta_se.copy(), tuple(KEY_RATES))}
    for r in rows:
        name, _, label = r.used_as.partition(":")
        if name not in fields:
            continue
        values, errors, axis = fields[name]
        pair = _value(r, which)
        if pair is not None:
            values[axis.index(label)], errors[axis.index(label)] = pair
    return replace(model, currency_beta=fields["currency_beta"][0],
                   currency_beta_se=fields["currency_beta"][1],
                   path_beta=fields["path_beta"][0], path_beta_se=fields["path_beta"][1])


def _value(r: Sensitivity, which: str) -> tuple[float, float] | None:
    if which == "prior":
        return (r.prior.value, r.prior.se) if r.prior else None
    return (r.estimate, r.se) if which == "data" else (r.posterior, r.posterior_se)


def _groups(found: Sensitivities, world: World) -> list[tuple[str, frozenset[str]]]:
    """One group per parameter of the chain; currency betas and path betas together."""
    groups = [(r.used_as, frozenset({r.id})) for r in found.rows
              if r.used_as in world.parameters and not r.used_as.startswith("currency_beta")]
    for field, words in (("currency_beta", "currency betas"), ("path_beta", "path betas")):
        ids = frozenset(r.id for r in found.rows if r.used_as.startswith(field))
        if ids:
            groups.append((words, ids))
    return groups


def _elasticities(found: Sensitivities, world: World) -> list[Elasticity]:
    out = []
    for r in found.rows:
        field, _, label = r.used_as.partition(":")
        prior = r.prior.value if r.prior else None
        prior_se = r.prior.se if r.prior else None
        floored = False
        if r.used_as in world.parameters:
            old = world.parameters[r.used_as]
            used, used_se = old.default, prior_se
            floored = old.kind == "lognormal2" and min(r.estimate, r.posterior) < FLOOR * old.default
        elif field in ("currency_beta", "path_beta"):
            axis = CURRENCIES if field == "currency_beta" else tuple(KEY_RATES)
            at = axis.index(label)
            used = float(getattr(world.weekly, field)[at])
            used_se = float(getattr(world.weekly, f"{field}_se")[at])
            used_se = used_se if np.isfinite(used_se) else None
        else:
            continue
        name = r.used_as.replace(":", ".")
        out.append(Elasticity(name, r.id, r.unit, (used, prior, r.estimate, r.posterior),
                              (used_se, prior_se, r.se, r.posterior_se), floored, r.identified, r.note))
    return out
