"""Episode files of the court: TOML → :class:`riskengine.policy.episode.Episode`, or every problem with its line.

A file is a scenario file (title, narrative, source, horizon, ``[[shocks]]`` …) with an ``[episode]`` table:
announced, base (dates), kind, announcement, unknowable, revised, not_applicable and ``[[episode.controls]]``
with factor, most (bp for yields and cap rates, percent for the others), reason.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError, field_validator, model_validator

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError, Problem, suggest
from riskengine.data.configs.durations import Day
from riskengine.data.configs.fields import Strict, refuse
from riskengine.data.configs.problems import problems_of
from riskengine.data.configs.scenarios import ScenarioHead, read_shocks
from riskengine.data.configs.toml_text import read_toml
from riskengine.policy.episode import EPISODE_CLASSES, Episode, NegativeControl
from riskengine.policy.scenario import Scenario


class ControlTable(Strict):
    """One negative control."""

    factor: str
    most: float = Field(gt=0)
    reason: str = Field(min_length=1)

    @field_validator("factor")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in FACTORS:
            raise refuse(f"unknown factor '{value}'", suggest(value, FACTORS.labels))
        return value

    def build(self) -> NegativeControl:
        """The control in the factor's unit."""
        unit = 1e-4 if self.factor.startswith(("UST_", "CAP_")) else 1e-2
        return NegativeControl(self.factor, self.most * unit, self.reason)


class EpisodeTable(Strict):
    """The ``[episode]`` table."""

    announced: Day
    base: Day
    kind: str
    announcement: str = Field(min_length=1)
    unknowable: str = Field(min_length=1)
    revised: list[str] = []
    not_applicable: str = ""
    controls: list[ControlTable] = []

    @field_validator("kind")
    @classmethod
    def _kind(cls, value: str) -> str:
        if value not in EPISODE_CLASSES:
            raise refuse(f"unknown kind of episode '{value}'", ", ".join(EPISODE_CLASSES))
        return value

    @model_validator(mode="after")
    def _ordered(self) -> EpisodeTable:
        if self.base > self.announced:
            raise refuse("base is the last close before the news: not after announced",
                         f"base ≤ {self.announced}")
        return self


def load_episode(file: Path) -> Episode:
    """The episode of a file; InputError with every problem and its line."""
    shown = str(file)
    if not file.is_file():
        raise InputError(Problem("no such episode file", got=shown, accepted="a .toml file"))
    text = read_toml(file, shown)
    problems: list[Problem] = []
    head = table = None
    try:
        head = ScenarioHead.model_validate(
            {k: v for k, v in text.document.items() if k not in ("shocks", "episode")})
    except ValidationError as error:
        problems += problems_of(error, ScenarioHead, text, (), shown)
    if "episode" not in text.document:
        problems.append(Problem("the table [episode] is missing", shown, field="episode",
                                accepted="announced, base, kind, announcement, unknowable"))
    else:
        try:
            table = EpisodeTable.model_validate(text.document["episode"])
        except ValidationError as error:
            problems += problems_of(error, EpisodeTable, text, ("episode",), shown)
    shocks = read_shocks(text, shown, problems)
    if problems or head is None or table is None:
        raise InputError(sorted(problems, key=lambda p: p.row or 0))
    scenario = Scenario(
        file.stem, head.title.strip(), " ".join(head.narrative.split()), head.full_source(),
        head.horizon.build(), tuple(shocks), head.probability, head.announcement, head.flow_channel,
        head.risk_off, tuple(head.tags))
    return Episode(
        file.stem, table.announced, table.base, table.kind, " ".join(table.announcement.split()),
        head.source.strip(), scenario, " ".join(table.unknowable.split()), tuple(table.revised),
        tuple(c.build() for c in table.controls), " ".join(table.not_applicable.split()))
