"""``nightly.toml`` → :class:`NightlyConfig`, ``limits.toml`` → limits; or every problem with its line.

Relative paths count from the folder of the config file; scenario names are looked up beside it first, then
among the shipped ones.
"""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from riskengine.base.errors import InputError, Problem
from riskengine.base.sampling import NOISE_MODELS, PRECISIONS, RunSpec
from riskengine.data.configs.fields import Strict, check_between, choice, refuse
from riskengine.data.configs.folders import config_root, find_config, find_scenario, list_scenarios
from riskengine.data.configs.problems import problems_of
from riskengine.data.configs.toml_text import read_toml
from riskengine.policy.night import DESK_METRICS, LIMIT_METRICS, Limit, NightlyConfig


def _level(x: float) -> float:
    check_between(x, 0.5, 1, open_low=True, open_high=True, what="level")
    return x


def _day(value: object) -> object:
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.isoformat()
    return value


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _iso(value: str) -> str:
    try:
        return datetime.date.fromisoformat(value).isoformat()
    except ValueError:
        raise refuse(f"not a date: '{value}'", "YYYY-MM-DD") from None


def _accounts(value: str) -> str:
    if value in ("as_of", "latest"):
        return value
    try:
        return datetime.date.fromisoformat(value).isoformat()
    except ValueError:
        raise refuse(f"unknown accounts '{value}'", "as_of, latest, or a date YYYY-MM-DD") from None


def _horizons(days: list[int]) -> list[int]:
    if days != sorted(set(days)) or not days or days[0] < 1 or days[-1] > 20:
        raise refuse("horizons are ascending business days from 1 to 20", "[1, 10]")
    if 1 not in days or 10 not in days:
        raise refuse("the ordinary night reports 1 and 10 days at least", "[1, 10]")
    return days


Level = Annotated[float, AfterValidator(_level)]
Noise = choice("noise", *NOISE_MODELS)
Precision = choice("precision", *PRECISIONS)


class NightlyModel(Strict):
    """The keys of ``nightly.toml``."""

    portfolio: str = Field(min_length=1)
    limits: str = Field(default="limits.toml", min_length=1)
    scenarios: Annotated[list[str], BeforeValidator(_one_or_more)] = ["all"]
    as_of: Annotated[str, BeforeValidator(_day), AfterValidator(_iso)] | None = None
    accounts: Annotated[str, BeforeValidator(_day), AfterValidator(_accounts)] = "as_of"
    horizons_days: Annotated[list[int], AfterValidator(_horizons)] = [1, 10]
    paths: int = 100_352
    draws: int = 512
    seed: int = 20240924
    noise: Noise = "filtered_historical"  # type: ignore[valid-type]
    levels: list[Level] = Field(default=[0.95, 0.975, 0.99], min_length=1)
    position_level: Level = 0.975
    parameter_uncertainty: bool = True
    precision: Precision = "float32"  # type: ignore[valid-type]
    far_levels: list[Level] = [0.99, 0.999]
    far_paths: int = 32_768
    out: str = Field(default="runs", min_length=1)
    threads: Annotated[int, Field(ge=1)] | None = None
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    keep: Annotated[int, Field(ge=1)] | None = None
    full_reval: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _positions_at_a_level(self) -> NightlyModel:
        if self.position_level not in self.levels:
            raise refuse("position_level must be one of levels", ", ".join(f"{x:g}" for x in self.levels))
        return self


def load_nightly_config(path: Path | None = None) -> NightlyConfig:
    """The config at *path* (file or folder); None: ``configs/nightly.toml`` here, else the shipped one."""
    config, problems = check_nightly_config(path)
    if config is None:
        raise InputError(problems)
    return config


def check_nightly_config(path: Path | None = None) -> tuple[NightlyConfig | None, list[Problem]]:
    """(config, []) or (None, every problem of the file itself; the files it names are not opened)."""
    try:
        file = find_config(path)
        shown = str(file)
        text = read_toml(file, shown)
    except InputError as error:
        return None, list(error.problems)
    problems: list[Problem] = []
    model = None
    try:
        model = NightlyModel.model_validate(text.document)
    except ValidationError as error:
        problems += problems_of(error, NightlyModel, text, (), shown)
    folder = file.parent

    def refer(error: InputError, key: str) -> None:
        for p in error.problems:
            problems.append(Problem(p.rule, shown, text.line((key,)), key, p.got, p.accepted))

    scenarios: list[Path] = []
    named = text.document.get("scenarios", "all")
    if isinstance(named, str):
        named = list_scenarios(folder) if named == "all" else [named]
    if isinstance(named, (list, tuple)) and all(isinstance(name, str) for name in named):
        for name in named:
            try:
                scenarios.append(find_scenario(name, folder))
            except InputError as error:
                refer(error, "scenarios")
        if len({s.stem for s in scenarios}) < len(scenarios):
            row = text.line(("scenarios",))
            problems.append(Problem("a scenario is named twice", shown, row, "scenarios"))
    run = None
    if model is not None:
        try:
            run = RunSpec(model.paths, model.draws, model.seed, model.noise, tuple(sorted(model.levels)),
                          model.parameter_uncertainty, model.precision)
        except InputError as error:
            for p in error.problems:
                key = p.rule.split()[0]
                problems.append(Problem(p.rule, shown, text.line((key,)), key, p.got, p.accepted))
        else:
            try:
                replace(run, paths=model.far_paths)
            except InputError as error:
                refer(error, "far_paths")
    if problems or model is None or run is None:
        return None, sorted(problems, key=lambda p: p.row or 0)
    return NightlyConfig(
        portfolio=_beside(folder, model.portfolio), limits=_beside(folder, model.limits),
        scenarios=tuple(scenarios), run=run, horizons_days=tuple(model.horizons_days),
        position_level=model.position_level, as_of=model.as_of, accounts=model.accounts, out=Path(model.out),
        threads=model.threads, memory_gb=model.memory_gb, keep=model.keep, full_reval=model.full_reval,
        far_levels=tuple(sorted(set(model.far_levels))), far_paths=model.far_paths, source=file,
    ), []


def _beside(folder: Path, name: str) -> Path:
    """*name* relative to the config's folder, or the shipped file of that name when there is none there."""
    path = folder / name
    if path.exists() or Path(name).is_absolute():
        return path
    shipped = config_root() / name
    return shipped if shipped.exists() else path


class LimitModel(Strict):
    """One ``[[limits]]`` table."""

    name: str = Field(min_length=1)
    metric: choice("metric", *LIMIT_METRICS)  # type: ignore[valid-type]
    warning: float
    hard: float
    scope: str = "total"
    level: Level | None = None
    horizon_days: Annotated[int, Field(ge=1, le=20)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> LimitModel:
        if not 0 < self.warning <= self.hard:
            raise refuse(f"needs 0 < warning ≤ hard, got warning = {self.warning:g}, hard = {self.hard:g}")
        tail = self.metric in ("var", "es")
        if tail and (self.level is None or self.horizon_days is None):
            raise refuse(f"metric '{self.metric}' needs level and horizon_days",
                         "level = 0.99, horizon_days = 1")
        if not tail and (self.level is not None or self.horizon_days is not None):
            raise refuse(f"metric '{self.metric}' takes no level and no horizon_days")
        if self.scope != "total" and self.scope != "desk" and not self.scope.startswith("desk:"):
            raise refuse(f"unknown scope '{self.scope}'", "total, desk (each desk), desk:<name>")
        if self.scope != "total" and self.metric not in DESK_METRICS:
            raise refuse(f"metric '{self.metric}' exists for the total only", ", ".join(DESK_METRICS))
        return self

    def build(self) -> Limit:
        unit = LIMIT_METRICS[self.metric][0]
        return Limit(self.name, self.metric, self.warning, self.hard, unit, self.scope, self.level,
                     self.horizon_days)


def load_limits(path: Path | None = None) -> tuple[Limit, ...]:
    """The limits of *path*, or the shipped ``limits.toml``; InputError with every problem."""
    limits, problems = check_limits(path or config_root() / "limits.toml")
    if problems:
        raise InputError(problems)
    return limits


def check_limits(path: Path) -> tuple[tuple[Limit, ...], list[Problem]]:
    """(limits, every problem of the file)."""
    shown = str(path)
    try:
        text = read_toml(path, shown)
    except InputError as error:
        return (), list(error.problems)
    problems = [
        Problem("unknown key", shown, text.line((key,)), key, accepted="limits (tables headed [[limits]])")
        for key in text.document if key != "limits"
    ]
    tables = text.document.get("limits", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        row = text.line(("limits",))
        problems.append(Problem("limits are tables, each headed [[limits]]", shown, row, "limits"))
        tables = []
    limits: list[Limit] = []
    for i, table in enumerate(tables):
        try:
            limit = LimitModel.model_validate(table).build()
        except ValidationError as error:
            problems += problems_of(error, LimitModel, text, ("limits", i), shown)
            continue
        if limit.name in {other.name for other in limits}:
            problems.append(Problem("two limits of one name", shown, text.line(("limits", i, "name")),
                                    f"limits[{i + 1}].name", repr(limit.name)))
        limits.append(limit)
    return tuple(limits), sorted(problems, key=lambda p: p.row or 0)


def check_accounts_choice(text: str, field: str) -> str:
    """*text* as the choice of accounts; InputError naming *field* when it is none."""
    if text in ("as_of", "latest"):
        return text
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        raise InputError(Problem("unknown accounts", field=field, got=text,
                                 accepted="as_of, latest, or a date YYYY-MM-DD")) from None


def check_day(text: str, field: str) -> str:
    """*text* as an ISO date; InputError naming *field* when it is none."""
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        problem = Problem("not a date", field=field, got=text, accepted="YYYY-MM-DD, e.g. 2024-09-24")
        raise InputError(problem) from None
