"""Reading a plain command line from the declarations typer would read it from.

typer loads pydantic to turn words into values (a tenth of a second of a command that asks the resident process
and prints).  A line that has nothing but known options with values of the declared kind is read here; at
anything else (help, a misspelt option, a wrong number, a value that begins with a dash) ``read_line`` gives
None, and typer reads the line, with its own messages.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple, get_args

from typer.models import ArgumentInfo, OptionInfo

_READERS: dict[type, tuple[re.Pattern[str], Callable[[str], Any]]] = {
    str: (re.compile(r".*", re.DOTALL), str), Path: (re.compile(r".+", re.DOTALL), Path),
    int: (re.compile(r"\d{1,12}"), int), float: (re.compile(r"\d{1,12}(\.\d+)?"), float),
}


class _Parameter(NamedTuple):
    """name of the argument; kind: str, Path, int, float or bool; many: a list; needed: has no default."""

    name: str
    kind: type
    many: bool
    needed: bool
    words: dict[str, bool]
    """Words of an option, with the value a flag has by it; none for an argument."""


def read_line(command: Callable[..., Any], words: Sequence[str]) -> dict[str, Any] | None:
    """Values of *command*'s parameters that the line gives, or None when typer must read it."""
    parameters = [_declared(p) for p in inspect.signature(command, eval_str=True).parameters.values()]
    if any(p is None for p in parameters):
        return None
    known = [p for p in parameters if p is not None]
    options = {word: p for p in known for word in p.words}
    arguments = [p for p in known if not p.words]
    given: dict[str, list[str]] = {}
    flags: dict[str, bool] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            if len(arguments) != 1:
                return None
            given.setdefault(arguments[0].name, []).append(word)
            continue
        option, equals, value = word.partition("=")
        parameter = options.get(option)
        if parameter is None:
            return None
        if parameter.kind is bool:
            if equals:
                return None
            flags[parameter.name] = parameter.words[option]
            continue
        if not equals:
            if not rest or rest[0].startswith("-"):
                return None
            value = rest.pop(0)
        given.setdefault(parameter.name, []).append(value)
    return _values(known, given, flags)


def _values(known: Sequence[_Parameter], given: dict[str, list[str]], flags: dict[str, bool]
            ) -> dict[str, Any] | None:
    found: dict[str, Any] = dict(flags)
    for p in known:
        texts = given.get(p.name)
        if texts is None:
            if p.needed:
                return None
            continue
        pattern, read = _READERS[p.kind]
        if not all(pattern.fullmatch(t) for t in texts) or (len(texts) > 1 and not p.many):
            return None
        found[p.name] = [read(t) for t in texts] if p.many else read(texts[0])
    return found


def _declared(parameter: inspect.Parameter) -> _Parameter | None:
    """A parameter as declared; None for what is not understood here."""
    annotated = get_args(parameter.annotation)
    if len(annotated) != 2 or not isinstance(annotated[1], (OptionInfo, ArgumentInfo)):
        return None
    kind, info = annotated
    inside = [x for x in get_args(kind) if x is not NoneType] if NoneType in get_args(kind) else [kind]
    kind = inside[0]
    many = getattr(kind, "__origin__", None) is list
    if many:
        kind = get_args(kind)[0]
    plain = (info.min, info.max, info.parser, info.callback, info.envvar) == (None, None, None, None, None)
    if len(inside) != 1 or not plain or kind not in (*_READERS, bool):
        return None
    if isinstance(info, ArgumentInfo):
        return _Parameter(parameter.name, kind, many, parameter.default is parameter.empty, {})
    names = [n for n in (info.default, *(info.param_decls or ())) if isinstance(n, str)]
    names = names or [f"--{parameter.name.replace('_', '-')}"]
    words: dict[str, bool] = {}
    for name in names:
        yes, slash, no = name.partition("/")
        words[yes] = True
        if slash:
            words[no] = False
    return _Parameter(parameter.name, kind, many, parameter.default is parameter.empty, words)
