"""What is asked: a scenario with knobs moved, trades, sizes, views.  Plain data, the same for the command
line, the resident process, the desk and Python.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from riskengine.base.dates import parse_tenor
from riskengine.base.errors import InputError, Problem, suggest
from riskengine.base.units import Horizon
from riskengine.instruments.portfolio import Position
from riskengine.policy.scenario import Scenario

MOST_TRADES = 50
MOST_SETS = 100
MOST_SCALE = 1_000_000
MOST_TEXT = 2_000
"""Characters of one sentence, knob or view."""


@dataclass(frozen=True, slots=True)
class WhatIfRequest:
    """One what-if.  Before: the book as filed under the scenario as filed.  After: with everything below.

    scenario : name, file, :class:`Scenario`, or None for the ordinary night (no policy).
    sets : knobs 'shock.field=value' applied to the scenario's file.  trades : sentences or positions to add.
    scale : position id → factor (0 removes it).  remove : position ids.  views : sentences of
    ``measures.entropy_pooling``.  horizon : '10d', '26w', '12m', '1y'; only without a scenario (else
    ``horizon=26w`` among *sets*).  detail : False leaves out channels, chain and limits (a dragged knob).
    """

    scenario: str | Scenario | None = None
    sets: tuple[str, ...] = ()
    trades: tuple[str | Position, ...] = ()
    scale: Mapping[str, float] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    horizon: str | None = None
    detail: bool = True

    def __post_init__(self) -> None:
        problems = []
        for name in ("sets", "trades", "remove", "views"):
            value = getattr(self, name)
            value = (value,) if isinstance(value, str) else tuple(value)
            object.__setattr__(self, name, value)
            kinds = (str, Position) if name == "trades" else (str,)
            for item in value:
                if not isinstance(item, kinds):
                    problems.append(Problem(f"{name} must be texts", field=name, got=type(item).__name__))
                elif isinstance(item, str) and len(item) > MOST_TEXT:
                    problems.append(Problem("too long", field=name, got=f"{len(item):,} characters",
                                            accepted=f"at most {MOST_TEXT:,}"))
            most = MOST_TRADES if name == "trades" else MOST_SETS
            if len(value) > most and name != "remove":
                problems.append(Problem(f"too many {name}", got=str(len(value)), accepted=f"at most {most}"))
        if not isinstance(self.scale, Mapping):
            problems.append(Problem("scale is a table of position id and factor", field="scale",
                                    got=type(self.scale).__name__))
        else:
            for name, factor in self.scale.items():
                number = isinstance(factor, (int, float)) and not isinstance(factor, bool)
                if not number or not math.isfinite(factor):
                    problems.append(Problem("a size factor must be a finite number", field=f"scale {name}",
                                            got=repr(factor), accepted="e.g. 0.5, 2, -1, 0 to remove"))
                elif abs(factor) > MOST_SCALE:
                    problems.append(Problem("a size factor is out of range", field=f"scale {name}",
                                            got=f"{factor:g}", accepted=f"-{MOST_SCALE:,} … {MOST_SCALE:,}"))
        if self.scenario is not None and not isinstance(self.scenario, (str, Scenario)):
            problems.append(Problem("a scenario is a name or a file", got=type(self.scenario).__name__))
        if self.scenario is None and self.sets:
            problems.append(Problem("knobs need a scenario whose fields they set", field="sets",
                                    got=self.sets[0]))
        if self.scenario is not None and self.horizon is not None:
            problems.append(Problem("the scenario has its own horizon", field="horizon",
                                    got=str(self.horizon),
                                    accepted=f"--set horizon={self.horizon}"))
        if problems:
            raise InputError(problems)

    @property
    def changes_book(self) -> bool:
        """Does anything but the policy move?"""
        return bool(self.trades or self.scale or self.remove)

    @classmethod
    def from_json(cls, table: object) -> WhatIfRequest:
        """A request from plain JSON; InputError naming every unknown key."""
        if not isinstance(table, Mapping):
            raise InputError(Problem("a what-if is an object", got=type(table).__name__))
        known = tuple(f.name for f in fields(cls))
        problems = [Problem("unknown key", field=str(key), accepted=suggest(str(key), known))
                    for key in table if key not in known]
        if problems:
            raise InputError(problems)
        for key in ("sets", "trades", "remove", "views"):
            if not isinstance(table.get(key, []), (list, tuple, str)):
                problems.append(Problem("must be a list of texts", field=key, got=type(table[key]).__name__))
        if problems:
            raise InputError(problems)
        return cls(**table)

    def to_json(self) -> dict:
        """The request as plain JSON; InputError when it holds objects instead of names and sentences."""
        if isinstance(self.scenario, Scenario) or any(isinstance(t, Position) for t in self.trades):
            raise InputError(Problem("only names and sentences can be sent to the resident process"))
        return {
            "scenario": self.scenario, "sets": list(self.sets), "trades": list(self.trades),
            "scale": dict(self.scale), "remove": list(self.remove), "views": list(self.views),
            "horizon": self.horizon, "detail": self.detail,
        }


def removals(request: WhatIfRequest) -> tuple[tuple[str, ...], dict[str, float]]:
    """(position ids that go, position id → factor of those that stay): a factor of 0 is a removal."""
    gone = (*request.remove, *(name for name, factor in request.scale.items() if factor == 0.0))
    return tuple(dict.fromkeys(gone)), {n: float(f) for n, f in request.scale.items() if f != 0.0}


def read_horizon(text: str) -> Horizon:
    """'10d' (1 to 20 business days) in daily steps; '26w', '12m', '2y' in weekly steps; InputError
    otherwise."""
    number, unit = parse_tenor(text)
    if unit in "DB":
        return Horizon(number, 1)
    weeks = round(number * {"W": 1.0, "M": 52.0 / 12.0, "Y": 52.0}[unit])
    return Horizon(weeks, 5)
