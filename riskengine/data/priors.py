"""Published values of sensitivities from ``configs/estimation.toml`` and ``configs/impact``: every problem
at once."""

from __future__ import annotations

import tomllib
from pathlib import Path

from riskengine.base.errors import InputError, Problem
from riskengine.base.estimate import Distribution
from riskengine.base.sensitivity import Prior
from riskengine.data.configs import config_root
from riskengine.impact.parameters import ImpactParameters

_KEYS = ("source", "tag", "overlaps", "values")
_TAGS = ("C", "R", "O", "D", "A")


def load_priors(parameters: ImpactParameters, root: Path | None = None) -> dict[str, Prior]:
    """'currency_beta.KRW' → prior, and 'parameter.<name>' → prior of every uncertain parameter of the chain.

    The error of a parameter is half the distance of its 16th and 84th percentile, of a uniform one its
    standard deviation.  InputError lists every problem of the file.
    """
    path = (root or config_root()) / "estimation.toml"
    priors = {f"parameter.{name}": _of_parameter(name, distribution, parameters.tag(name))
              for name, distribution in parameters.items()
              if distribution.kind != "fixed" and parameters.tag(name) != "score"}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(Problem("cannot be read", file=path.name, got=str(error.strerror))) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(Problem(f"not valid TOML: {error}", file=path.name)) from None
    problems = [Problem("unknown table", file=path.name, field=k, accepted="prior")
                for k in table if k != "prior"]
    for group, row in table.get("prior", {}).items():
        place = f"{path.name} [prior.{group}]"
        problems += [Problem("unknown key", file=place, field=k, accepted=", ".join(_KEYS))
                     for k in set(row) - set(_KEYS)]
        problems += [Problem("missing", file=place, field=k)
                     for k in ("source", "tag", "values") if k not in row]
        if row.get("tag", "A") not in _TAGS:
            problems.append(Problem("mark", file=place, field="tag", got=str(row["tag"]),
                                    accepted=", ".join(_TAGS)))
        for name, pair in row.get("values", {}).items():
            numbers = isinstance(pair, list) and len(pair) == 2 and all(
                isinstance(x, int | float) and not isinstance(x, bool) for x in pair)
            if not numbers or not pair[1] > 0:
                problems.append(Problem("needs [value, standard error > 0]", file=place, field=name,
                                        got=str(pair)))
                continue
            priors[f"{group}.{name}"] = Prior(float(pair[0]), float(pair[1]), row.get("source", ""),
                                              row.get("tag", ""), bool(row.get("overlaps", False)))
    if problems:
        raise InputError(problems)
    return priors


def _of_parameter(name: str, distribution: Distribution, tag: str) -> Prior:
    assert distribution.lo is not None and distribution.hi is not None
    width = distribution.hi - distribution.lo
    se = width / 12**0.5 if distribution.kind == "uniform" else width / 2
    return Prior(distribution.default, se, distribution.source, tag, tag.startswith("O"), name)
