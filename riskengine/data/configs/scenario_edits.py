"""A scenario with knobs moved: ``withholding_tax.rate=0.3`` on the file, through the file's own door.

A knob is ``place=value``.  The place is a key of the head (``horizon=26w``, ``probability=0.2``), or a shock by
type or position and its key (``withholding_tax.rate``, ``2.amount_usd_bn``, ``foreign_selling[2].share``; deeper
tables by further dots: ``currency_accord.targets.CNY``); ``+foreign_selling.amount_usd_bn=500`` adds a shock.
The value is written as in a file; also ``30%``, ``26w``, names without quotes, lists separated by commas.
What results is validated like a file: the same rules, the same messages.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import get_origin

from riskengine.base.errors import InputError, Problem, suggest
from riskengine.data.configs.folders import find_scenario
from riskengine.data.configs.problems import short
from riskengine.data.configs.scenario_text import write_scenario
from riskengine.data.configs.scenarios import ScenarioHead, check_text, load_scenario
from riskengine.data.configs.shock_models import SHOCK_MODELS
from riskengine.data.configs.toml_text import TomlText, read_toml
from riskengine.policy.scenario import Scenario

BLANK = "blank"
"""A scenario without shocks, to put some in with ``+shock.field=value``."""
HEAD_KEYS = ("horizon", "probability", "announcement", "flow_channel", "risk_off")
ONE_OF = {"foreign_selling": ("amount_usd_bn", "share")}
"""Keys of which a shock has exactly one: setting one takes the other away."""
_BLANK = {
    "title": "Blank scenario", "narrative": "No policy of its own; shocks are set one by one.",
    "source": "set by the user", "horizon": {"months": 12.0}, "shocks": [],
}
_KNOB = re.compile(r"^\s*(\+?)\s*([A-Za-z0-9_]+)(?:\[(\d+)\])?((?:\.[A-Za-z0-9_&, \-]+)*)\s*=(.*)$", re.DOTALL)
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)\s*(d|w|m|y|days?|weeks?|months?|years?)$", re.IGNORECASE)
_PERCENT = re.compile(r"^([+-]?\d+(?:\.\d+)?)\s*%$")
_UNITS = {"d": "days", "w": "weeks", "m": "months", "y": "years"}


def edit_scenario(
    scenario: str | Path | Scenario, sets: Sequence[str] = (), beside: Path | None = None
) -> Scenario:
    """The scenario with every knob of *sets* moved, in their order.

    Raises
    ------
    InputError : every knob whose place or value is not accepted, with what would be.
    """
    if not sets and isinstance(scenario, Scenario):
        return scenario
    if not sets and scenario != BLANK:
        file = find_scenario(scenario, beside)
        return _load(file, _stamp(file))
    name, document = _document(scenario, beside)
    problems: list[Problem] = []
    for knob in sets:
        try:
            _turn(document, knob)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    for table in document["shocks"]:
        table.pop("+", None)  # the mark of a shock that a knob added
    shown = f"{name} with {', '.join(short_knob(k) for k in sets)}" if sets else name
    found, problems = check_text(TomlText(Path(name), document), name, shown)
    if found is None:
        raise InputError(problems)
    return found


def short_knob(knob: str) -> str:
    """A knob cut to a readable length."""
    text = " ".join(knob.split())
    return text if len(text) <= 60 else text[:57] + "…"


def _document(scenario: str | Path | Scenario, beside: Path | None) -> tuple[str, dict]:
    if isinstance(scenario, Scenario):
        return scenario.name, {"shocks": [], **tomllib.loads(write_scenario(scenario))}
    if scenario == BLANK:
        return BLANK, copy.deepcopy(_BLANK)
    file = find_scenario(scenario, beside)
    _load(file, _stamp(file))  # the file as filed must be right before a knob is blamed
    return file.stem, {"shocks": [], **copy.deepcopy(_read(file, _stamp(file)))}


def _stamp(file: Path) -> tuple[int, int, int]:
    """Changes when the file does: a knob that is dragged asks for the same file many times a second."""
    found = file.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


@lru_cache(maxsize=64)
def _load(file: Path, stamp: tuple[int, int, int]) -> Scenario:
    return load_scenario(file)


@lru_cache(maxsize=64)
def _read(file: Path, stamp: tuple[int, int, int]) -> dict:
    return read_toml(file).document


def _turn(document: dict, knob: str) -> None:
    """Write one knob into the document."""
    match = _KNOB.match(knob)
    if match is None:
        raise InputError(Problem("not a knob", field="--set", got=short(knob),
                                 accepted="shock.field=value, e.g. withholding_tax.rate=0.3 or horizon=26w"))
    plus, head, number, rest, value = match.groups()
    keys = [part.strip() for part in rest.split(".")[1:]]
    if not plus and number is None and not keys and not head.isdigit():
        _turn_head(document, head, value.strip(), knob)
        return
    if plus:
        if head not in SHOCK_MODELS:
            raise InputError(Problem("unknown shock", field=short_knob(knob), got=head,
                                     accepted=suggest(head, tuple(SHOCK_MODELS), most=20)))
        same = [s for s in document["shocks"] if s.get("+") == head]
        table = same[-1] if same and keys and keys[0] not in same[-1] else None
        if table is None:
            table = {"type": head, "+": head}
            document["shocks"].append(table)
    else:
        table = _find_shock(document["shocks"], head, number, knob)
    if not keys:
        raise InputError(Problem("the field is missing", field=short_knob(knob), accepted=", ".join(
            f"{table['type']}.{key}" for key in SHOCK_MODELS[table["type"]].model_fields)))
    _write(table, keys, value.strip(), knob)


def _turn_head(document: dict, key: str, value: str, knob: str) -> None:
    if key == "feedback" and value.lower() in ("off", "none", "false"):
        document.pop("feedback", None)
        return
    if key not in HEAD_KEYS:
        shocks = document.get("shocks", [])
        fields = [f"{s['type']}.{f}" for s in shocks for f in SHOCK_MODELS[s["type"]].model_fields]
        owner = [f"{s['type']}.{key}" for s in shocks if key in SHOCK_MODELS[s["type"]].model_fields]
        raise InputError(Problem("no such knob", field=short_knob(knob), got=key,
                                 accepted=suggest(key, (*owner, *HEAD_KEYS, *fields), most=30)))
    document[key] = _value(value, ScenarioHead.model_fields[key].annotation, knob, key == "horizon")
    if key == "probability" and document[key] != 1.0:
        document["probability_source"] = "set by the user"


def _find_shock(shocks: list[dict], head: str, number: str | None, knob: str) -> dict:
    offered = ", ".join(f"{i} ({s['type']})" for i, s in enumerate(shocks, 1)) or "none; add one with +"
    if head.isdigit() and number is None:
        if not 1 <= int(head) <= len(shocks):
            raise InputError(Problem("the scenario has no such shock", field=short_knob(knob), got=head,
                                     accepted=offered))
        return shocks[int(head) - 1]
    same = [s for s in shocks if s["type"] == head]
    if not same:
        hint = f"; +{head}.… adds one" if head in SHOCK_MODELS else ""
        raise InputError(Problem("the scenario has no such shock", field=short_knob(knob), got=head,
                                 accepted=offered + hint))
    if number is None and len(same) > 1:
        places = [f"{i}" for i, s in enumerate(shocks, 1) if s["type"] == head]
        raise InputError(Problem(f"the scenario has {len(same)} shocks of this type", field=short_knob(knob),
                                 got=head, accepted="by position: " + ", ".join(f"{p}.…" for p in places)))
    at = 1 if number is None else int(number)
    if not 1 <= at <= len(same):
        raise InputError(Problem("the scenario has no such shock", field=short_knob(knob), got=f"{head}[{at}]",
                                 accepted=", ".join(f"{head}[{i + 1}]" for i in range(len(same)))))
    return same[at - 1]


def _write(table: dict, keys: list[str], value: str, knob: str) -> None:
    model = SHOCK_MODELS[table["type"]]
    first = keys[0]
    if first == "type":
        raise InputError(Problem("a shock's type cannot be set", field=short_knob(knob),
                                 accepted="+type.field=value adds a shock"))
    if first not in model.model_fields:
        raise InputError(Problem("unknown key", field=short_knob(knob), got=f"{table['type']}.{first}",
                                 accepted=suggest(first, tuple(model.model_fields), most=20)))
    for other in ONE_OF.get(table["type"], ()):
        if other != first and first in ONE_OF[table["type"]]:
            table.pop(other, None)
    if len(keys) == 1 and value.lower() in ("none", ""):
        if value == "":
            raise InputError(Problem("the value is missing", field=short_knob(knob)))
        table.pop(first, None)
        return
    duration = first == "deadline" or keys[-1] in ("over", "start")
    node = table
    for key in keys[:-1]:
        inner = node.get(key)
        if not isinstance(inner, dict):
            inner = node[key] = {} if inner is None else {"default": inner}
        node = inner
    annotation = model.model_fields[first].annotation if len(keys) == 1 else None
    node[keys[-1]] = _value(value, annotation, knob, duration)


def _value(text: str, annotation: object, knob: str, duration: bool) -> object:
    """The typed value of a knob's text."""
    if duration and (match := _DURATION.match(text)):
        amount = float(match[1])
        return {_UNITS[match[2][0].lower()]: amount}
    if match := _PERCENT.match(text):
        return float(match[1]) / 100.0
    if get_origin(annotation) is list and not text.startswith("["):
        return [part.strip().strip("\"'") for part in text.split(",") if part.strip()]
    try:
        value = tomllib.loads(f"x = {text}")
    except (ValueError, RecursionError):
        value = None
    if value is not None and set(value) == {"x"}:
        found = value["x"]
        return float(found) if isinstance(found, int) and not isinstance(found, bool) else found
    if duration:
        raise InputError(Problem("not a duration", field=short_knob(knob), got=short(text),
                                 accepted="10d, 26w, 12m, 2y"))
    if re.fullmatch(r"[\w .,&'\-]+", text):
        return text
    raise InputError(Problem("the value cannot be read", field=short_knob(knob), got=short(text),
                             accepted="a number, 30%, true, a name, a list a,b or a TOML value"))
