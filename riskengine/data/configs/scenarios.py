"""Scenario files: TOML → :class:`riskengine.policy.scenario.Scenario`, or every problem with its line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from riskengine.base.errors import InputError, Problem, suggest
from riskengine.data.configs.durations import HorizonDuration
from riskengine.data.configs.fields import DistributionTable, Number, Strict, check_between, refuse
from riskengine.data.configs.folders import find_scenario
from riskengine.data.configs.problems import problems_of, short
from riskengine.data.configs.shock_models import SHOCK_MODELS
from riskengine.data.configs.toml_text import TomlText, read_toml
from riskengine.policy.scenario import HolderFeedback, Scenario
from riskengine.policy.shocks import Shock


def _probability(p: float) -> float:
    check_between(p, 0, 1, what="probability")
    return p


def _sensible(low: float, high: float, what: str) -> Callable[[DistributionTable], DistributionTable]:
    def validate(table: DistributionTable) -> DistributionTable:
        for value in (table.default, table.lo, table.hi):
            if value is not None:
                check_between(value, low, high, what=what)
        return table

    return validate


class FeedbackTable(Strict):
    """``[feedback]``: holders sell after losses; numbers left out are those of configs/impact/feedback.toml."""

    enabled: bool = True
    case: Literal["default", "lo", "hi"] = "default"
    share_private: Annotated[Number, AfterValidator(_sensible(0, 1, "a share of holdings"))] | None = None
    share_official: Annotated[Number, AfterValidator(_sensible(0, 1, "a share of holdings"))] | None = None
    threshold_multiple: Annotated[
        Number, AfterValidator(_sensible(0.1, 100, "a multiple of the 95% loss"))] | None = None
    memory_half_life: Annotated[Number, AfterValidator(_sensible(0, 5, "years"))] | None = None

    @model_validator(mode="after")
    def _sourced(self) -> FeedbackTable:
        for name in FEEDBACK_NUMBERS:
            table = getattr(self, name)
            if table is not None and not table.source.strip():
                raise refuse(f"{name} needs a source",
                             f'e.g. {name} = {{ default = {table.default:g}, source = "assumption: ..." }}')
        return self

    def build(self) -> HolderFeedback | None:
        """The settings, or None when switched off."""
        if not self.enabled:
            return None
        given = [(name, getattr(self, name)) for name in FEEDBACK_NUMBERS]
        return HolderFeedback(self.case, tuple((n, t.build(FEEDBACK_NUMBERS[n])) for n, t in given if t is not None))


FEEDBACK_NUMBERS = {
    "share_private": "share of holdings sold per unit of loss beyond the threshold",
    "share_official": "share of holdings sold per unit of loss beyond the threshold",
    "threshold_multiple": "times the 95% loss of one step at long-run volatility",
    "memory_half_life": "years",
}
"""Numbers a scenario may override, with their units."""


class ScenarioHead(Strict):
    """A scenario file without its shocks."""

    also_accepted = ("shocks",)

    title: str = Field(min_length=1)
    narrative: str = Field(min_length=1)
    source: str = Field(min_length=1)
    horizon: HorizonDuration
    probability: Annotated[float, AfterValidator(_probability)] = 1.0
    probability_source: str = ""
    announcement: bool = True
    flow_channel: bool = True
    risk_off: bool = False
    tags: list[str] = []
    feedback: FeedbackTable | None = None

    @model_validator(mode="after")
    def _probable(self) -> ScenarioHead:
        if self.probability < 1 and not self.probability_source.strip():
            raise refuse("a probability below 1 needs probability_source",
                         'e.g. probability_source = "assumption: judgement of the desk, not an estimate"')
        return self

    def full_source(self) -> str:
        """The source, with where the probability comes from: the mark travels into every report."""
        if not self.probability_source.strip():
            return self.source.strip()
        why = self.probability_source.strip()
        return f"{self.source.strip()} · Probability {self.probability:.0%}: {why}"


def load_scenario(name: str | Path, beside: Path | None = None) -> Scenario:
    """The scenario of a file or name; see :func:`riskengine.data.configs.folders.find_scenario`.

    Raises
    ------
    InputError
        With every problem of the file: unknown keys, wrong units, unknown names, impossible values.
    """
    scenario, problems = check_scenario(find_scenario(name, beside))
    if scenario is None:
        raise InputError(problems)
    return scenario


def check_scenario(file: Path) -> tuple[Scenario | None, list[Problem]]:
    """(scenario, []) or (None, every problem)."""
    shown = str(file)
    try:
        text = read_toml(file, shown)
    except InputError as error:
        return None, list(error.problems)
    problems: list[Problem] = []
    if not re.fullmatch(r"[a-z][a-z0-9_]*", file.stem):
        rule = "the file's name is the scenario's name: lower-case letters, digits and _ only"
        problems.append(Problem(rule, shown, got=file.stem, accepted=_snake(file.stem)))
    scenario, found = check_text(text, file.stem, shown)
    problems += found
    return (None if problems else scenario), sorted(problems, key=lambda p: p.row or 0)


def check_text(text: TomlText, name: str, shown: str) -> tuple[Scenario | None, list[Problem]]:
    """(scenario called *name*, []) of a parsed file, or (None, every problem)."""
    problems: list[Problem] = []
    table = {key: value for key, value in text.document.items() if key != "shocks"}
    head = None
    try:
        head = ScenarioHead.model_validate(table)
    except ValidationError as error:
        problems += problems_of(error, ScenarioHead, text, (), shown)
    shocks = read_shocks(text, shown, problems)
    if problems or head is None:
        return None, problems
    scenario = Scenario(
        name, head.title.strip(), " ".join(head.narrative.split()), head.full_source(),
        head.horizon.build(), tuple(shocks), head.probability, head.announcement, head.flow_channel,
        head.risk_off, tuple(head.tags), head.feedback.build() if head.feedback else None,
    )
    return scenario, []


def read_shocks(text: TomlText, shown: str, problems: list[Problem]) -> list[Shock]:
    """The ``[[shocks]]`` of a file; what is wrong with them is added to *problems*."""
    tables = text.document.get("shocks", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        row = text.line(("shocks",))
        problems.append(Problem("shocks are tables, each headed [[shocks]]", shown, row, "shocks"))
        return []
    shocks: list[Shock] = []
    for i, table in enumerate(tables):
        place = ("shocks", i)
        kind = table.get("type")
        row = text.line(place + ("type",))
        if kind is None:
            problems.append(Problem("is missing", shown, row, f"shocks[{i + 1}].type",
                                    accepted=", ".join(SHOCK_MODELS)))
            continue
        if not isinstance(kind, str) or kind not in SHOCK_MODELS:
            word = _snake(kind) if isinstance(kind, str) else ""
            problems.append(Problem("unknown shock", shown, row, f"shocks[{i + 1}].type", short(kind),
                                    suggest(word, tuple(SHOCK_MODELS), most=20)))
            continue
        model = SHOCK_MODELS[kind]
        try:
            shocks.append(model.model_validate({k: v for k, v in table.items() if k != "type"}).build())
        except ValidationError as error:
            problems += problems_of(error, model, text, place, shown)
    return shocks


def _snake(name: str) -> str:
    """'WithholdingTax' or 'Withholding-Tax' → 'withholding_tax'."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", split.lower()).strip("_") or "scenario"
