"""A TOML file with the line of every key: ``tomllib`` gives values only, a message needs the place.

:func:`read_toml` never raises anything but :class:`InputError`; :meth:`TomlText.line` finds the line of a key
path such as ``("shocks", 1, "rate", "lo")`` or of its nearest enclosing key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from riskengine.base.errors import InputError, Problem

Key = str | int

_BARE_OR_QUOTED = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_BARE_OR_QUOTED}(?:\s*\.\s*{_BARE_OR_QUOTED})*"
_HEADER = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]\]?")
_ENTRY = re.compile(rf"^\s*({_DOTTED})\s*=")
_PART = re.compile(_BARE_OR_QUOTED)


@dataclass(frozen=True, slots=True)
class TomlText:
    """A parsed file. document : nested dicts and lists.  lines : key path → line (1 = first line)."""

    path: Path
    document: dict[str, object]
    lines: dict[tuple[Key, ...], int] = field(default_factory=dict)

    def line(self, place: Sequence[Key]) -> int | None:
        """Line of the key at *place*, or of the nearest enclosing key; None when nothing encloses it."""
        for end in range(len(place), 0, -1):
            found = self.lines.get(tuple(place[:end]))
            if found is not None:
                return found
        return None

    def value(self, place: Sequence[Key]) -> tuple[bool, object]:
        """(True, value at *place*) or (False, None)."""
        node: object = self.document
        for key in place:
            if isinstance(node, dict) and key in node:
                node = node[key]
            elif isinstance(node, list) and isinstance(key, int) and 0 <= key < len(node):
                node = node[key]
            else:
                return False, None
        return True, node


def read_toml(path: Path, shown: str | None = None) -> TomlText:
    """Parse *path*; InputError with the line when it cannot be read or is not TOML."""
    name = shown or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(Problem("not a UTF-8 text file", file=name, got=f"byte {error.start}")) from None
    except OSError as error:
        raise InputError(Problem("cannot be read", file=name, got=error.strerror or str(error))) from None
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise InputError(Problem("not valid TOML: nested too deeply", file=name)) from None
    except ValueError as error:  # TOMLDecodeError, or an integer with thousands of digits
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        message = re.sub(r"\s*\(at .*\)$", "", str(error)).splitlines()[0][:200]
        row = int(place[1]) if place else (text.count("\n") + 1 if "end of document" in str(error) else None)
        raise InputError(Problem(f"not valid TOML: {message}", file=name, row=row)) from None
    return TomlText(path, document, _key_lines(text))


def _parts(dotted: str) -> list[Key]:
    return [part[1:-1] if part[0] in "\"'" else part for part in _PART.findall(dotted)]


def _key_lines(text: str) -> dict[tuple[Key, ...], int]:
    """Line of every ``key =`` and ``[table]``; multi-line strings and arrays are skipped over."""
    lines: dict[tuple[Key, ...], int] = {}
    tables: dict[tuple[Key, ...], int] = {}  # arrays of tables: path → number seen so far
    prefix: tuple[Key, ...] = ()
    quote, depth = "", 0  # inside a multi-line string; open brackets of a multi-line array
    for number, line in enumerate(text.splitlines(), start=1):
        rest = line
        if not quote and depth == 0:
            header = _HEADER.match(line)
            entry = None if header else _ENTRY.match(line)
            if header:
                prefix = _resolve(_parts(header[2]), tables, append=header[1] == "[[")
                lines.setdefault(prefix, number)
                if isinstance(prefix[-1], int):
                    lines.setdefault(prefix[:-1], number)
                continue
            if entry:
                place = prefix + tuple(_parts(entry[1]))
                lines.setdefault(place, number)
                rest = line[entry.end():]
                for inner in re.finditer(rf"[{{,]\s*({_DOTTED})\s*=", rest):
                    lines.setdefault(place + tuple(_parts(inner[1])), number)
        quote, depth = _scan(rest, quote, depth)
    return lines


def _resolve(parts: list[Key], tables: dict[tuple[Key, ...], int], append: bool) -> tuple[Key, ...]:
    """Full path of a table header, with the index of the current element of every array of tables."""
    place: tuple[Key, ...] = ()
    for i, part in enumerate(parts):
        place += (part,)
        if append and i == len(parts) - 1:
            tables[place] = tables.get(place, 0) + 1
        if place in tables:
            place += (tables[place] - 1,)
    return place


def _scan(text: str, quote: str, depth: int) -> tuple[str, int]:
    """Follow strings, brackets and comments to the end of a line; gives the open quote and bracket depth."""
    i = 0
    while i < len(text):
        if quote:
            if text.startswith(quote, i):
                i += len(quote)
                quote = ""
            else:
                i += 2 if text[i] == "\\" and quote[0] == '"' else 1
            continue
        if text.startswith(('"""', "'''"), i):
            quote = text[i:i + 3]
            i += 3
            continue
        if text[i] in "\"'":
            quote = text[i]
        elif text[i] == "#":
            break
        elif text[i] in "[{":
            depth += 1
        elif text[i] in "]}":
            depth = max(0, depth - 1)
        i += 1
    if len(quote) == 1:  # a single-line string never continues
        quote = ""
    return quote, depth
