"""Is everything in order? Config, scenarios, limits, portfolio, data, every problem at once; and ``init``."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from riskengine.base.errors import InputError, Problem, suggest
from riskengine.data.configs import (
    check_limits, check_nightly_config, check_scenario, config_root, find_config, find_scenario,
)
from riskengine.policy.night import Limit, NightlyConfig
from riskengine.policy.scenario import Scenario
from riskengine.policy.shocks import HistoricalReplay

T = TypeVar("T")


def check_everything(
    config_path: Path | None = None, *, portfolio: Path | None = None, as_of: str | None = None
) -> tuple[list[Problem], list[str]]:
    """(every problem of config, scenarios, limits, portfolio, data; one line per part that is in order).

    portfolio, as_of : replace what the config says, as on the command line of the night.
    """
    from riskengine.data.catalog import default_as_of
    from riskengine.data.configs.nightly import check_day

    problems: list[Problem] = []
    remarks: list[str] = []
    config, found = check_nightly_config(config_path)
    problems += found
    day = default_as_of() if config is None or config.as_of is None else config.as_of
    if as_of is not None:
        day = _collect(problems, lambda: check_day(as_of, "--as-of"), day)
    if config is not None:
        size = f"{config.run.paths} paths, {len(config.scenarios)} scenarios"
        remarks.append(f"config {config.source}: {size}, as of {day}")
    _check_data(day, problems, remarks)
    if config is None:
        return problems, remarks

    scenarios = _read_scenarios(config.scenarios, problems)
    remarks.append(f"scenarios: {len(scenarios)} of {len(config.scenarios)} in order")
    late = [s.name for s in scenarios for x in s.shocks if isinstance(x, HistoricalReplay) and x.end > day]
    if late:
        remarks.append(f"  not run as of {day}, their window ends later: {', '.join(late)}")
    limits, found = check_limits(config.limits)
    problems += found
    remarks.append(f"limits {config.limits}: {len(limits)} in order")
    desks = _check_portfolio(portfolio or config.portfolio, day, problems, remarks)
    for limit in limits:
        problems += _check_limit(limit, config, desks)
    return problems, remarks


def check_scenarios(names: Sequence[str], config_path: Path | None = None) -> tuple[list[Problem], list[str]]:
    """(every problem of the named scenario files, one line per file in order)."""
    problems: list[Problem] = []
    beside = find_config(config_path).parent
    files = [_collect(problems, lambda n=name: find_scenario(n, beside), None) for name in names]
    scenarios = _read_scenarios([file for file in files if file is not None], problems)
    remarks = [
        f"{s.name}: {len(s.shocks)} shock{'' if len(s.shocks) == 1 else 's'}, {s.horizon.steps} "
        f"{'daily' if s.horizon.step_days == 1 else 'weekly'} steps, probability {s.probability:.0%}"
        for s in scenarios
    ]
    return problems, remarks


def init_folder(folder: Path) -> list[Path]:
    """Copy the starter configuration to *folder*; InputError, and nothing written, when a file is there."""
    starter = config_root() / "starter"
    sources = {file.relative_to(starter): file for file in sorted(starter.rglob("*")) if file.is_file()}
    sources[Path("limits.toml")] = config_root() / "limits.toml"
    if folder.exists() and not folder.is_dir():
        raise InputError(Problem("is a file, not a folder", file=str(folder)))
    present = [folder / name for name in sources if (folder / name).exists()]
    if present:
        raise InputError(Problem("exists already and is not overwritten", file=str(file)) for file in present)
    written = []
    for name, source in sorted(sources.items()):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        written.append(target)
    return written


def _check_limit(limit: Limit, config: NightlyConfig, desks: set[str] | None) -> list[Problem]:
    """Does the night compute what is limited, and is there such a desk (None: the portfolio has problems)?"""
    file, name = str(config.limits), f"limit '{limit.name}'"
    found = []
    desk = limit.scope.removeprefix("desk:")
    if desks is not None and limit.scope.startswith("desk:") and desk not in desks:
        found.append(Problem(f"{name} names a desk the portfolio does not have", file, field="scope",
                             got=desk, accepted=suggest(desk, sorted(desks))))
    if limit.level is not None and limit.level not in config.run.levels:
        found.append(Problem(f"{name} needs a level the night does not compute", file, field="level",
                             got=f"{limit.level:g}", accepted=", ".join(f"{x:g}" for x in config.run.levels)))
    if limit.horizon_days is not None and limit.horizon_days not in config.horizons_days:
        found.append(Problem(f"{name} needs a horizon the night does not compute", file, field="horizon_days",
                             got=str(limit.horizon_days), accepted=", ".join(map(str, config.horizons_days))))
    return found


def _read_scenarios(files: Sequence[Path], problems: list[Problem]) -> list[Scenario]:
    scenarios = []
    for file in files:
        scenario, found = check_scenario(file)
        problems += found
        if scenario is not None:
            scenarios.append(scenario)
    return scenarios


def _check_portfolio(file: Path, day: str, problems: list[Problem], remarks: list[str]) -> set[str] | None:
    """Desks of the portfolio, None when it has problems."""
    from riskengine.data.portfolios import load_portfolio

    book = _collect(problems, lambda: load_portfolio(file, day)[0], None)
    if book is None:
        return None
    desks = {position.desk for position in book.positions}
    remarks.append(f"portfolio {file}: {len(book.positions)} positions on {len(desks)} desks")
    return desks


def _check_data(day: str, problems: list[Problem], remarks: list[str]) -> None:
    """Market inputs, parameters, accounts and snapshot load as of *day*."""
    from riskengine.data.accounts import load_accounts
    from riskengine.data.market_inputs import load_market_inputs
    from riskengine.data.parameters import load_parameters
    from riskengine.data.selection import active_store
    from riskengine.data.snapshot import bridged_currencies, load_snapshot

    inputs = _collect(problems, lambda: load_market_inputs(config_root() / "market_inputs.csv", day), None)
    parameters = _collect(problems, load_parameters, None)
    accounts = _collect(problems, lambda: load_accounts(day, "as_of"), None)
    snapshot = None if inputs is None else _collect(problems, lambda: load_snapshot(day, inputs), None)
    if None not in (inputs, parameters, accounts, snapshot):
        survey = accounts.accounts_as_of
        remarks.append(f"data as of {day}: {len(inputs)} market inputs, accounts of {survey}")
        store = active_store()
        if store.series:
            remarks.append(f"  imported: {len(store.series)} series, version {store.version[:12]}, {store.folder}")
            bridged = [item.id.removeprefix("spot.") for item, _ in bridged_currencies(day)]
            if bridged:
                remarks.append(f"  exchange rates estimated, not quoted by {day}: {', '.join(bridged)}")


def _collect(problems: list[Problem], call: Callable[[], T], otherwise: T) -> T:
    """Result of *call*; its problems join the list and *otherwise* is returned when it refuses."""
    try:
        return call()
    except InputError as error:
        problems.extend(error.problems)
        return otherwise
