"""What a view says: from a sentence to linear conditions on the weights of paths.

    mean(FX_JPY) = 5%            mean log move over the horizon (up: the dollar falls)
    mean(UST_10Y) >= 25bp        rates and capitalisation rates in bp
    mean(BOOK) <= -100m          P&L of the book, USD
    vol(EQ_SP500) = 30%          annualised; 'vol(EQ_SP500) = 8% over the horizon' is not
    prob(UST_10Y > 50bp) = 20%
    corr(FX_EUR, UST_10Y) = 0.3
    rank FX_JPY > FX_EUR > FX_GBP
    confidence 60%               blends with the paths' own weights;   force: however few paths are left

A volatility is linear in the weights once the mean is given: its mean is the one viewed, else that of the paths
(Meucci 2008).  The same for correlations, with means and volatilities.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import FACTORS, factor_unit
from riskengine.base.errors import InputError, Problem, suggest
from riskengine.measures.entropy_pooling import Row

BOOK = "BOOK"
FORMS = ("mean(FX_JPY) = 5%, mean(UST_10Y) >= 25bp, mean(BOOK) <= -100m, vol(EQ_SP500) = 30%, "
         "prob(UST_10Y > 50bp) = 20%, corr(FX_EUR, UST_10Y) = 0.3, rank FX_JPY > FX_EUR, confidence 60%, force")
_NUMBER = r"[+-]?(?:\d[\d,_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_STATEMENT = re.compile(r"^(mean|vol|prob|corr)\s*\(([^()]*)\)\s*(<=|>=|==|=|<|>)\s*(.+)$", re.IGNORECASE)
_QUANTITY = re.compile(rf"^(?:usd\s*|\$)?({_NUMBER})\s*(%|bps?|k|mm|mn|m|bn|b)?(?:\s*usd)?$", re.IGNORECASE)
_PROBABILITY = re.compile(r"^([^<>=]+?)\s*(<=|>=|<|>)\s*(.+)$")
_MONEY = {"k": 1e3, "m": 1e6, "mn": 1e6, "mm": 1e6, "bn": 1e9, "b": 1e9, "": 1.0}


@dataclass(frozen=True, slots=True)
class View:
    """One sentence, read.

    kind : mean, vol, prob, corr, rank, confidence, force.  names : factors or BOOK.  relation : '=', '<=' or '>='.
    value : decimals, USD for BOOK, per horizon unless *annual*.  threshold, above : of a probability.
    """

    text: str
    kind: str
    names: tuple[str, ...] = ()
    relation: str = "="
    value: float = 0.0
    threshold: float = 0.0
    above: bool = True
    annual: bool = False

    @property
    def understood(self) -> str:
        """The view in words."""
        sign = {"=": "is", "<=": "is at most", ">=": "is at least"}[self.relation]
        name = self.names[0] if self.names else ""
        match self.kind:
            case "mean":
                what = "P&L of the book" if name == BOOK else f"move of {name} over the horizon{_direction(name)}"
                return f"the mean {what} {sign} {_shown(name, self.value)}"
            case "vol":
                span = "a year" if self.annual else "over the horizon"
                return f"the volatility of {_subject(name)} {sign} {_shown(name, self.value).lstrip('+')} {span}"
            case "prob":
                side = "above" if self.above else "below"
                return (f"the probability that {_subject(name)} ends {side} {_shown(name, self.threshold)} "
                        f"{sign} {100.0 * self.value:.4g}%")
            case "corr":
                return f"the correlation of {_subject(name)} and {_subject(self.names[1])} {sign} {self.value:+.2f}"
            case "rank":
                return "mean moves from the largest: " + ", ".join(self.names)
            case "confidence":
                return f"confidence {self.value:.0%}: blended with the weights of the paths as they are"
        return "accepted however few scenarios are left"


def parse_view(text: str) -> View:
    """Read one sentence; InputError names what was not understood and the accepted forms."""
    words = " ".join(text.replace("≥", ">=").replace("≤", "<=").replace("−", "-").split())
    low = words.lower()
    if low == "force":
        return View(text, "force")
    if low.startswith("confidence"):
        number = _share(low.removeprefix("confidence").strip(" =:"), text)
        if not 0.0 < number <= 1.0:
            raise _refuse(text, "a confidence lies above 0 and at most at 100%", f"{number:.4g}")
        return View(text, "confidence", value=number)
    if low.startswith("rank"):
        return _parse_rank(words[4:].strip(" :"), text)
    found = _STATEMENT.match(words)
    if not found:
        raise _refuse(text, "not a view")
    kind, inside, relation, right = found[1].lower(), found[2].strip(), found[3], found[4].strip()
    relation = {"==": "=", "<": "<=", ">": ">="}.get(relation, relation)
    match kind:
        case "mean":
            name = _name(inside, text)
            return View(text, kind, (name,), relation, _amount(right, name, text))
        case "vol":
            return _parse_vol(inside, relation, right, text)
        case "prob":
            return _parse_prob(inside, relation, right, text)
    names = tuple(_name(part, text) for part in inside.split(","))
    if len(names) != 2 or names[0] == names[1]:
        raise _refuse(text, "a correlation is of two different names", inside, "corr(FX_EUR, UST_10Y) = 0.3")
    value = _share(right, text)
    if not -1.0 < value < 1.0:
        raise _refuse(text, "a correlation lies between -1 and 1", right)
    return View(text, "corr", names, relation, value)


def build_rows(
    views: Sequence[View], moves: np.ndarray, pnl: np.ndarray, years: float, p0: np.ndarray | None = None
) -> tuple[list[Row], float, bool]:
    """(conditions, confidence, forced) of views on paths.

    moves : (K, J) of FACTORS at the horizon.  pnl : (J,) USD.  years : of the horizon.  p0 : (J,), None: equal.

    Raises
    ------
    InputError : two values for the same thing, or nothing but confidence or force.
    """
    confidence = [v.value for v in views if v.kind == "confidence"]
    stated = [v for v in views if v.kind not in ("confidence", "force")]
    problems = []
    if len(confidence) > 1:
        problems.append(Problem("confidence is said once", field="view", got=f"{len(confidence)} times"))
    if not stated:
        problems.append(Problem("no view among the sentences", field="view", accepted=FORMS))
    fixed: dict[tuple, View] = {}
    for v in stated:
        key = (v.kind, tuple(sorted(v.names)), v.threshold, v.above)
        if v.relation == "=" and v.kind != "rank":
            if key in fixed:
                problems.append(Problem("two values for the same thing", field="view",
                                        got=f"{fixed[key].text}; {v.text}"))
            fixed[key] = v
    if problems:
        raise InputError(problems)
    rows = _Rows(moves, pnl, years, p0, stated).build()
    return rows, confidence[0] if confidence else 1.0, any(v.kind == "force" for v in views)


class _Rows:
    """Conditions of views; pins each mean and volatility that a second moment needs, once."""

    def __init__(self, moves: np.ndarray, pnl: np.ndarray, years: float, p0: np.ndarray | None, views: Sequence[View]):
        self.moves, self.pnl, self.years, self.views = moves, pnl, years, views
        self.p0 = np.full(pnl.size, 1.0 / pnl.size) if p0 is None else p0
        self.rows: list[Row] = []
        self.means: dict[str, float] = {}
        self.deviations: dict[str, float] = {}

    def build(self) -> list[Row]:
        for v in self.views:
            if v.kind == "mean":
                self._add(self._values(v.names[0]), v.value, v.relation, v.text, _shower(v.names[0]))
                if v.relation == "=":
                    self.means[v.names[0]] = v.value
        for v in self.views:
            if v.kind == "vol":
                sd = v.value * math.sqrt(self.years) if v.annual else v.value
                centre = self._pin_mean(v.names[0])
                self._add((self._values(v.names[0]) - centre) ** 2, sd * sd, v.relation, v.text,
                          _shower(v.names[0], math.sqrt(self.years) if v.annual else 1.0))
                if v.relation == "=":
                    self.deviations[v.names[0]] = sd
        for v in self.views:
            values = [self._values(name) for name in v.names]
            if v.kind == "prob":
                hit = values[0] > v.threshold if v.above else values[0] < v.threshold
                self._add(hit.astype(np.float64), v.value, v.relation, v.text)
            elif v.kind == "rank":
                for first, second in zip(values, values[1:]):
                    self._add(first - second, 0.0, ">=", v.text)
            elif v.kind == "corr":
                centres = [self._pin_mean(name) for name in v.names]
                spread = [self._pin_deviation(name) for name in v.names]
                self._add((values[0] - centres[0]) * (values[1] - centres[1]), v.value * spread[0] * spread[1],
                          v.relation, v.text)
        return self.rows

    def _values(self, name: str) -> np.ndarray:
        return self.pnl if name == BOOK else self.moves[FACTORS.index(name)]

    def _add(self, values: np.ndarray, target: float, relation: str, text: str,
             show: Callable[[float], str] = "{:.4g}".format) -> None:
        if relation == ">=":
            self.rows.append(Row(-values, -target, text, True, lambda x: show(-x)))
        else:
            self.rows.append(Row(values, target, text, relation == "<=", show))

    def _pin_mean(self, name: str) -> float:
        """The mean viewed, else that of the paths brought inside the bounds viewed; fixed from here on."""
        if name not in self.means:
            mean = float(self.p0 @ self._values(name))
            for v in self.views:
                if v.kind == "mean" and v.names == (name,):
                    mean = max(mean, v.value) if v.relation == ">=" else min(mean, v.value)
            self.means[name] = mean
            self._add(self._values(name), mean, "=", f"mean({name}) kept at {_shown(name, mean)}",
                      _shower(name))
        return self.means[name]

    def _pin_deviation(self, name: str) -> float:
        if name not in self.deviations:
            centre, values = self._pin_mean(name), self._values(name)
            mean = self.p0 @ values
            sd = math.sqrt(float(self.p0 @ (values - mean) ** 2))
            self.deviations[name] = sd
            self._add((values - centre) ** 2, sd * sd, "=", f"vol({name}) kept at {_shown(name, sd)}",
                      _shower(name, 1.0))
        return self.deviations[name]


# ---------------------------------------------------------------- parts of a sentence
def _parse_rank(rest: str, text: str) -> View:
    parts = [p.strip() for p in re.split(r">=|>", rest)]
    if len(parts) < 2 or "<" in rest:
        raise _refuse(text, "a ranking names at least two, the largest first", rest, "rank FX_JPY > FX_EUR > FX_GBP")
    names = tuple(_name(p, text) for p in parts)
    if len(set(names)) != len(names):
        raise _refuse(text, "a ranking names each once", rest)
    if len({_unit(n) for n in names}) > 1:
        raise _refuse(text, "a ranking compares moves of one unit", ", ".join(names),
                      "currencies and indices with each other, rates with rates")
    return View(text, "rank", names, ">=")


def _parse_vol(inside: str, relation: str, right: str, text: str) -> View:
    name = _name(inside, text)
    low = right.lower()
    for ending in (" over the horizon", " over horizon", " horizon"):
        if low.endswith(ending):
            annual, right = False, right[: -len(ending)]
            break
    else:
        annual = name != BOOK
        for ending in (" annualised", " annualized", " a year", " per year", " annual"):
            if low.endswith(ending):
                annual, right = True, right[: -len(ending)]
                break
    value = _amount(right, name, text)
    if not value > 0.0:
        raise _refuse(text, "a volatility is positive", right)
    return View(text, "vol", (name,), relation, value, annual=annual)


def _parse_prob(inside: str, relation: str, right: str, text: str) -> View:
    event = _PROBABILITY.match(inside)
    if not event:
        raise _refuse(text, "a probability is of being above or below", inside, "prob(UST_10Y > 50bp) = 20%")
    name, value = _name(event[1], text), _share(right, text)
    if not 0.0 < value < 1.0:
        raise _refuse(text, "a probability lies between 0 and 100%", right)
    return View(text, "prob", (name,), relation, value, _amount(event[3].strip(), name, text), event[2][0] == ">")


def _name(part: str, text: str) -> str:
    name = part.strip().upper().replace(" ", "_")
    if name == BOOK or name in FACTORS:
        return name
    raise _refuse(text, "unknown name", part.strip() or "nothing", suggest(name, (*FACTORS.labels, BOOK)))


def _amount(part: str, name: str, text: str) -> float:
    """A number in the unit of *name*: % for log moves, bp for rates, USD for BOOK."""
    found = _QUANTITY.match(part.strip())
    if not found:
        raise _refuse(text, "not a number", part.strip() or "nothing", _example(name))
    number = float(found[1].replace(",", "").replace("_", ""))
    unit = (found[2] or "").lower()
    if not math.isfinite(number):
        raise _refuse(text, "not a finite number", part)
    if name == BOOK:
        if unit in _MONEY:
            return number * _MONEY[unit]
    elif number == 0.0 and not unit:
        return 0.0
    elif _unit(name) == "rate" and unit in ("bp", "bps"):
        return number * 1e-4
    elif _unit(name) == "log" and unit == "%":
        return number / 100.0
    what = {"money": "the book's P&L is in USD", "rate": f"moves of {name} are in bp",
            "log": f"moves of {name} are in %"}[_unit(name)]
    raise _refuse(text, what, part.strip(), _example(name))


def _share(part: str, text: str) -> float:
    found = _QUANTITY.match(part.strip())
    if not found or (found[2] or "%") != "%":
        raise _refuse(text, "not a share", part.strip() or "nothing", "20%, 0.2")
    number = float(found[1].replace(",", ""))
    return number / 100.0 if found[2] else number


def _unit(name: str) -> str:
    if name == BOOK:
        return "money"
    return "rate" if factor_unit(name).startswith("absolute") else "log"


def _example(name: str) -> str:
    return {"money": "-100m, 2.5m, 1bn", "rate": "25bp, -10bp", "log": "5%, -2.5%"}[_unit(name)]


def _direction(name: str) -> str:
    return " (up: the dollar falls)" if name.startswith("FX_") else ""


def _subject(name: str) -> str:
    return "the book's P&L" if name == BOOK else name


def _shown(name: str, value: float) -> str:
    match _unit(name):
        case "money":
            return f"{value / 1e6:+,.1f} USD mn"
        case "rate":
            return f"{value * 1e4:+.1f} bp"
    return f"{value:+.2%}"


def _shower(name: str, years_root: float | None = None) -> Callable[[float], str]:
    """Values of a row as people say them; with *years_root*, squared deviations as a volatility."""
    if years_root is None:
        return lambda x: _shown(name, x)
    return lambda x: _shown(name, math.sqrt(max(abs(x), 0.0)) / years_root)


def _refuse(text: str, rule: str, got: str | None = None, accepted: str = FORMS) -> InputError:
    return InputError(Problem(rule, field="view", got=f"{text[:80]}" if got is None else f"{got[:60]} in '{text[:80]}'",
                              accepted=accepted))
