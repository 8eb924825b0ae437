"""Parameters of the chain from ``configs/impact/*.toml``: every problem of every file at once.

A parameter is a table ``[parameters.<name>]`` with default, lo, hi, dist, unit, source, tag; settings are
``[index]`` (weights of the broad dollar, pegs, managed currencies), ``[accord]``, ``[tenor_profiles.*]`` and
``[switches]``.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from riskengine.base.axes import ASSET_CLASSES, CURRENCIES, KEY_RATES
from riskengine.base.errors import InputError, Problem, suggest
from riskengine.base.estimate import Distribution
from riskengine.data.configs import config_root
from riskengine.flows.draws import TENOR_PROFILES, Settings
from riskengine.impact.parameters import ImpactParameters

_KEYS = ("default", "lo", "hi", "dist", "unit", "source", "tag")
_TABLES = ("parameters", "index", "accord", "tenor_profiles", "switches")
_SWITCHES = {"rate_differentials": bool, "announcement": bool, "tenor_profile": str}


def load_parameters(root: Path | None = None) -> ImpactParameters:
    """All parameters with their bands and sources; InputError listing every problem."""
    folder = (root or config_root()) / "impact"
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise InputError(Problem("no parameter files", file="configs/impact", accepted="*.toml"))
    distributions: dict[str, Distribution] = {}
    tags: dict[str, str] = {}
    rest: dict[str, dict] = {}
    problems: list[Problem] = []
    for path in files:
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            problems.append(Problem(f"not valid TOML: {error}", file=path.name))
            continue
        for key in set(table) - set(_TABLES):
            problems.append(Problem("unknown table", file=path.name, field=key, accepted=", ".join(_TABLES)))
        for key in _TABLES[1:]:
            if key in table:
                rest[key] = table[key]
        for name, row in table.get("parameters", {}).items():
            place = f"{path.name} [parameters.{name}]"
            if name in distributions:
                problems.append(Problem("parameter given twice", file=place))
            for key in set(row) - set(_KEYS):
                problems.append(Problem("unknown key", file=place, field=key, accepted=", ".join(_KEYS)))
            for key in ("default", "unit", "source", "tag"):
                if key not in row:
                    problems.append(Problem("missing", file=place, field=key))
            for key in ("default", "lo", "hi"):
                if key in row and (isinstance(row[key], bool) or not isinstance(row[key], int | float)):
                    problems.append(Problem("must be a number", file=place, field=key, got=repr(row[key])))
                    row = {**row, key: 0.0}
            try:
                distributions[name] = Distribution(
                    float(row.get("default", 0.0)), row.get("lo"), row.get("hi"), row.get("dist", "fixed"),
                    row.get("unit", ""), row.get("source", ""),
                )
                tags[name] = row.get("tag", "")
            except InputError as error:
                problems += [Problem(p.rule, file=place, got=p.got,
                                     accepted=p.accepted) for p in error.problems]
    settings = None if problems else _settings(rest, problems)
    if problems or settings is None:
        raise InputError(problems)
    return ImpactParameters(distributions, tags, settings)


def _settings(rest: dict[str, dict], problems: list[Problem]) -> Settings | None:
    index, switches = rest.get("index", {}), rest.get("switches", {})
    weights = index.get("weights", {})
    for name in [*weights, *index.get("pegs", ()), *index.get("managed", ())]:
        if name not in CURRENCIES:
            problems.append(Problem("unknown currency", file="currencies.toml [index]", got=name,
                                    accepted=suggest(name, CURRENCIES)))
    if not weights or any(w < 0 for w in weights.values()) or not sum(weights.values()) > 0:
        problems.append(Problem("weights must be non-negative and not all zero",
                                file="currencies.toml [index.weights]"))
    for key, value in switches.items():
        if key not in _SWITCHES:
            problems.append(Problem("unknown switch", file="switches.toml", field=key,
                                    accepted=", ".join(_SWITCHES)))
        elif not isinstance(value, _SWITCHES[key]):
            problems.append(Problem("wrong kind", file="switches.toml", field=key, got=repr(value),
                                    accepted=_SWITCHES[key].__name__))
    profiles = rest.get("tenor_profiles", {})
    for name, profile in profiles.items():
        for tenor in profile:
            if tenor not in KEY_RATES:
                problems.append(Problem("unknown tenor", file=f"treasury.toml [tenor_profiles.{name}]",
                                        got=tenor,
                                        accepted=", ".join(KEY_RATES)))
    chosen = switches.get("tenor_profile", "hump")
    if chosen not in profiles or chosen not in TENOR_PROFILES:
        problems.append(Problem("unknown tenor profile", file="switches.toml", field="tenor_profile",
                                got=str(chosen),
                                accepted=", ".join(sorted(profiles))))
    accord = rest.get("accord", {"sale_mix": "official"})
    mix = accord.get("reserves", {})
    if accord.get("sale_mix") not in ("official", "reserves"):
        problems.append(Problem("unknown mix", file="currencies.toml [accord]", field="sale_mix",
                                got=str(accord.get("sale_mix")), accepted="official, reserves"))
    whole = not mix or abs(sum(mix.values()) - 1) <= 1e-9
    if set(mix) - set(ASSET_CLASSES) or not whole or any(x < 0 for x in mix.values()):
        problems.append(Problem("shares of asset classes that add up to 1", file="currencies.toml [accord]",
                                field="reserves", got=str(mix), accepted=", ".join(ASSET_CLASSES)))
    if problems:
        return None
    total = sum(weights.values())
    return Settings(
        index_weights={c: w / total for c, w in weights.items()},
        pegs=tuple(index.get("pegs", ())),
        managed=tuple(index.get("managed", ())),
        tenor_profiles=profiles,
        tenor_profile=chosen,
        rate_differentials=switches.get("rate_differentials", True),
        announcement=switches.get("announcement", True),
        accord_sale_mix=mix if accord["sale_mix"] == "reserves" else None,
        sources={"index_weights": index.get("source", "")},
    )
