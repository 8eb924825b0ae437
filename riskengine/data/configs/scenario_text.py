"""A scenario as TOML text: the inverse of :func:`load_scenario`; reading the text gives the scenario back."""

from __future__ import annotations

import json
from dataclasses import fields

from riskengine.base.estimate import Distribution
from riskengine.policy.scenario import Scenario
from riskengine.policy.shocks import Schedule, Shock

_KEYS = {("ForeignSelling", "amount"): "amount_usd_bn", ("DollarDepreciation", "percent"): "fall",
         ("OwnershipCap", "deadline_years"): "deadline"}
"""Fields whose key in a file carries the unit or says more."""


def write_scenario(scenario: Scenario) -> str:
    """TOML text of *scenario*; its name is the stem of the file to write it to."""
    horizon = scenario.horizon
    length = f"days = {horizon.steps}" if horizon.step_days == 1 else f"weeks = {horizon.steps}"
    source, _, probability_source = scenario.source.partition(" · Probability ")
    lines = [
        f"title = {_text(scenario.title)}", f"narrative = {_text(scenario.narrative)}",
        f"source = {_text(source)}", f"horizon = {{ {length} }}",
    ]
    lines.append(f"probability = {scenario.probability!r}")
    if probability_source:
        lines.append(f"probability_source = {_text(probability_source.partition(': ')[2])}")
    elif scenario.probability < 1:
        lines.append('probability_source = "not stated"')
    lines += [
        f"announcement = {_text(scenario.announcement)}", f"flow_channel = {_text(scenario.flow_channel)}",
        f"risk_off = {_text(scenario.risk_off)}", f"tags = {_value(scenario.tags)}",
    ]
    if scenario.feedback is not None:
        lines += ["", "[feedback]", f"case = {_text(scenario.feedback.case)}"]
        lines += [f"{name} = {_value(number)}" for name, number in scenario.feedback.overrides]
    for shock in scenario.shocks:
        lines += ["", "[[shocks]]", *_shock_lines(shock)]
    return "\n".join(lines) + "\n"


def shock_type(shock: Shock) -> str:
    """'withholding_tax' for a WithholdingTax."""
    name = type(shock).__name__
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


def _shock_lines(shock: Shock) -> list[str]:
    lines = [f'type = "{shock_type(shock)}"']
    kind = type(shock).__name__
    for item in fields(shock):
        value = getattr(shock, item.name)
        if value is None:
            continue
        key = _KEYS.get((kind, item.name), item.name)
        if isinstance(value, Schedule):
            text = _schedule(value)
        elif item.name == "deadline_years":
            text = f"{{ years = {value!r} }}"
        elif value and isinstance(value, tuple) and isinstance(value[0], tuple):
            text = "{ " + ", ".join(f"{_text(name)} = {_value(x)}" for name, x in value) + " }"
        elif value == () and item.name in ("targets", "bp", "moves", "commitments_usd_bn"):
            text = "{}"
        else:
            text = _value(value)
        lines.append(f"{key} = {text}")
    return lines


def _schedule(schedule: Schedule) -> str:
    parts = [f'kind = "{schedule.kind}"']
    if schedule.years:
        parts.append(f"over = {{ years = {schedule.years!r} }}")
    if schedule.start_years:
        parts.append(f"start = {{ years = {schedule.start_years!r} }}")
    return "{ " + ", ".join(parts) + " }"


def _value(value: object) -> str:
    if isinstance(value, Distribution):
        if value.kind == "fixed" and not value.source:
            return repr(value.default)
        parts = [f"default = {value.default!r}"]
        if value.kind != "fixed":
            parts += [f"lo = {value.lo!r}", f"hi = {value.hi!r}", f'dist = "{value.kind}"']
        if value.source:
            parts.append(f"source = {_text(value.source)}")
        return "{ " + ", ".join(parts) + " }"
    if isinstance(value, tuple):
        return "[" + ", ".join(_text(x) for x in value) + "]"
    return _text(value) if isinstance(value, (str, bool)) else repr(value)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")
