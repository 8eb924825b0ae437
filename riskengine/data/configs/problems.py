"""From pydantic's errors to :class:`Problem`: file, line, field, rule, what came, what is accepted."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import get_args

from pydantic import BaseModel, ValidationError

from riskengine.base.errors import Problem, suggest
from riskengine.data.configs.fields import plain
from riskengine.data.configs.toml_text import Key, TomlText

_RULES = {
    "missing": "is missing",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "string_type": "must be a text in quotes",
    "bool_type": "must be true or false",
    "list_type": "must be a list in [ ]",
    "dict_type": "must be a table in { }",
    "model_type": "must be a table in { }",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "int_from_float": "must be a whole number",
}
_WRONG_UNIT = re.compile(r"^(.*?)_?(percent|pct|bps?|basis_points)$")


def problems_of(error: ValidationError, model: type[BaseModel], text: TomlText, place: tuple[Key, ...],
                shown: str) -> list[Problem]:
    """Every problem of a table at *place* of the file, in the order of the file."""
    found: list[Problem] = []
    for item in error.errors(include_url=False):
        loc = tuple(part for part in item["loc"] if part != "[key]")
        kind = item["type"]
        context = item.get("ctx", {})
        owner = model
        for part in loc[:-1]:
            owner = _model_behind(owner, part)
        if kind in ("missing", "extra_forbidden"):
            found.append(_key_problem(kind, loc, owner, item["input"], text, place, shown))
            continue
        while loc and not text.value(place + loc)[0]:
            loc = loc[:-1]  # a bare number validates as {default = number}: show the number's own key
        rule = context.get("rule") or _RULES.get(kind) or _sentence(item["msg"])
        accepted = str(context.get("accepted", ""))
        got = "" if _says_it(rule, item["input"]) else short(item["input"])
        found.append(Problem(rule, shown, text.line(place + loc), field_name(place + loc), got, accepted))
    return list(dict.fromkeys(_without_consequences(found)))


def _without_consequences(found: list[Problem]) -> list[Problem]:
    """Drop 'rate is missing' where the same table has 'rates: unknown key': one mistake, one message."""
    def table_and_key(problem: Problem) -> tuple[str, str]:
        table, _, key = problem.field.rpartition(".")
        return table, key

    unknown = [table_and_key(p) for p in found if p.rule.startswith("unknown key")]
    return [
        p for p in found
        if p.rule != "is missing" or not any(
            table == table_and_key(p)[0] and (get_close_matches(key, [table_and_key(p)[1]], cutoff=0.6)
                                              or key.startswith(table_and_key(p)[1] + "_"))
            for table, key in unknown
        )
    ]


def field_name(place: tuple[Key, ...]) -> str:
    """('shocks', 1, 'rate') → 'shocks[2].rate': elements counted as a person counts them."""
    name = ""
    for key in place:
        if isinstance(key, int):
            name += f"[{key + 1}]"
        else:
            name += f".{key}" if name else key
    return name


def _key_problem(
    kind: str, loc: tuple[Key, ...], owner: type[BaseModel] | None, value: object, text: TomlText,
    place: tuple[Key, ...], shown: str,
) -> Problem:
    accepted = (*owner.model_fields, *getattr(owner, "also_accepted", ())) if owner is not None else ()
    row, name = text.line(place + loc), field_name(place + loc)
    if kind == "missing":
        return Problem("is missing", shown, row, name)
    rule = "unknown key"
    key = str(loc[-1])
    unit = _WRONG_UNIT.match(key)
    if unit and _is_number(value):
        share = value / (100 if unit[2] in ("percent", "pct") else 10_000)
        if unit[1] in accepted:
            rule = f"unknown key: rates and shares are written as shares, {unit[1]} = {plain(share)}"
    return Problem(rule, shown, row, name, accepted=suggest(key, accepted, most=30))


def _model_behind(model: type[BaseModel] | None, key: Key) -> type[BaseModel] | None:
    """The model of a nested table: field *key* of *model*; keys of dicts and list indices keep the model."""
    if model is None or not isinstance(key, str) or key not in model.model_fields:
        return model
    return _first_model(model.model_fields[key].annotation)


def _first_model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        found = _first_model(inner)
        if found is not None:
            return found
    return None


def _sentence(message: str) -> str:
    return message[:1].lower() + message[1:]


def short(value: object) -> str:
    """*value* as it was written, cut to a readable length."""
    if isinstance(value, BaseModel):
        return ""
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python prints
        return "a number with thousands of digits"
    return text if len(text) <= 80 else text[:77] + "…"


def _says_it(rule: str, value: object) -> bool:
    """True when the rule quotes the value already, or the value is a whole table (it would only clutter)."""
    if isinstance(value, (dict, BaseModel)):
        return not rule.startswith("must be")
    return (isinstance(value, str) and f"'{value}'" in rule) or (
        _is_number(value) and f"{value:g} looks like" in rule
    )


def _is_number(value: object) -> bool:
    """A number of ordinary size (TOML integers may have any number of digits)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15
