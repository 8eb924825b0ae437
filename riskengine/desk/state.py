"""What one page asks: scenario, knobs, sellers, trades, sizes.  It lives in the browser and in the link,
never on the server, and is validated whole each time it comes in, like a file.

A link holds the state as compact JSON, deflated, base64url: at most :data:`MOST_LINK` characters, at most
:data:`MOST_JSON` bytes inflated.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from riskengine.base.errors import InputError, Problem, suggest
from riskengine.desk.knobs import KNOBS_BY_ID, SECTORS, SELLING_CLASSES, USES, Knob

MOST_LINK = 8_000
MOST_JSON = 64_000
MOST_NAME = 80
MOST_TRADES = 20
MOST_TRADE_TEXT = 200
MOST_SELLERS = 8
MOST_SIZES = 2_000
MOST_USD_BN = 50_000.0
_SELLER = ("holder", "asset_class", "usd_bn", "use", "sector")
_SCENARIO = re.compile(r"[a-z][a-z0-9_]{0,79}")
_HASH = re.compile(r"[0-9a-f]{64}")
_HOLDER = re.compile(r"[A-Za-z][A-Za-z ,&.'()-]{0,59}")
_HORIZON = re.compile(r"([1-9]|1\d|20)d|[1-9]\d?w|[1-9]\d?m|[1-5]y")


@dataclass(frozen=True, slots=True)
class Seller:
    """An executed sale: holder (or 'all', 'asia', …), class (or 'all'), USD bn, use of the proceeds,
    sector.
    """

    holder: str
    asset_class: str
    usd_bn: float
    use: str = "default"
    sector: str = "all"


@dataclass(frozen=True, slots=True)
class DeskState:
    """One what-if as the page holds it.

    scenario : name of the library, None for the ordinary night.  knobs : knob id → value as shown (per
    cent, bp).
    scale : position id → factor.  horizon : '10d', '26w', '12m'; None: as filed.  portfolio : SHA-256 of an
    uploaded file, None: the one the desk was started with.
    """

    scenario: str | None = None
    knobs: Mapping[str, Any] = field(default_factory=dict)
    sellers: tuple[Seller, ...] = ()
    trades: tuple[str, ...] = ()
    scale: Mapping[str, float] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    horizon: str | None = None
    name: str = ""
    portfolio: str | None = None

    @classmethod
    def from_json(cls, table: object) -> DeskState:
        """A state from plain JSON of unknown origin.

        Raises
        ------
        InputError : every unknown key, wrong type, unknown knob and impossible size at once.
        """
        if not isinstance(table, Mapping):
            raise InputError(Problem("a what-if is an object", got=type(table).__name__))
        read = _Reader()
        known = tuple(f.name for f in fields(cls))
        for key in table:
            if key not in known:
                read.problem("unknown key", str(key)[:40], accepted=suggest(str(key)[:40], known))
        state = cls(
            read.match(table, "scenario", _SCENARIO, "the name of a scenario of the library"),
            read.knobs(table.get("knobs")),
            read.sellers(table.get("sellers")),
            read.texts(table, "trades", MOST_TRADES, MOST_TRADE_TEXT),
            read.sizes(table.get("scale")),
            read.texts(table, "remove", MOST_SIZES, 200),
            read.texts(table, "views", MOST_TRADES, MOST_TRADE_TEXT),
            read.match(table, "horizon", _HORIZON, "10d, 26w, 12m or 2y"),
            read.text(table.get("name", ""), "name", MOST_NAME),
            read.match(table, "portfolio", _HASH, "the hash of an uploaded portfolio"),
        )
        if read.problems:
            raise InputError(read.problems)
        return state

    def to_json(self) -> dict[str, Any]:
        """Plain JSON with the parts that differ from an empty page."""
        whole = {
            "scenario": self.scenario, "knobs": {k: list(v) if isinstance(v, tuple) else v
                                                 for k, v in self.knobs.items()},
            "sellers": [{"holder": s.holder, "asset_class": s.asset_class, "usd_bn": s.usd_bn, "use": s.use,
                         **({} if s.sector == "all" else {"sector": s.sector})} for s in self.sellers],
            "trades": list(self.trades), "scale": dict(self.scale), "remove": list(self.remove),
            "views": list(self.views), "horizon": self.horizon, "name": self.name,
            "portfolio": self.portfolio,
        }
        return {key: value for key, value in whole.items() if value not in (None, "", [], {})}

    def to_link(self) -> str:
        """The state as base64url text; InputError when it is too large for a link."""
        raw = json.dumps(self.to_json(), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        text = base64.urlsafe_b64encode(zlib.compress(raw, 9)).decode().rstrip("=")
        if len(raw) > MOST_JSON or len(text) > MOST_LINK:
            raise InputError(Problem("this what-if is too large for a link", got=f"{len(text):,} characters",
                                     accepted=f"at most {MOST_LINK:,}; export it as JSON instead"))
        return text

    @classmethod
    def from_link(cls, text: object) -> DeskState:
        """The state of a link; InputError when it was cut, changed or made by hand."""
        if not isinstance(text, str) or len(text) > MOST_LINK:
            raise InputError(Problem("the link is too long", accepted=f"at most {MOST_LINK:,} characters"))
        broken = InputError(Problem("the link is broken: it was cut or changed",
                                    accepted="the whole address as the desk gave it"))
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            inflate = zlib.decompressobj()
            raw = inflate.decompress(packed, MOST_JSON)
            if inflate.unconsumed_tail or inflate.unused_data or not inflate.eof:
                raise broken
            table = json.loads(raw.decode("utf-8"))
        except (ValueError, binascii.Error, zlib.error, RecursionError):
            raise broken from None
        return cls.from_json(table)

    @property
    def moves_policy(self) -> bool:
        """Is any knob or seller set?"""
        return bool(self.knobs or self.sellers)


class _Reader:
    """Collects the problems of one table."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def problem(self, rule: str, place: str, got: object = "", accepted: str = "") -> None:
        self.problems.append(Problem(rule, field=place, got=str(got)[:60], accepted=accepted))

    def text(self, value: object, place: str, most: int) -> str:
        if not isinstance(value, str) or len(value) > most or not _printable(value):
            self.problem("must be a text", place, value, f"at most {most} printable characters")
            return ""
        return value

    def match(self, table: Mapping, key: str, pattern: re.Pattern[str], accepted: str) -> str | None:
        value = table.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not pattern.fullmatch(value):
            self.problem("cannot be read", key, value, accepted)
            return None
        return value

    def texts(self, table: Mapping, key: str, most: int, length: int) -> tuple[str, ...]:
        value = table.get(key, ())
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)) or len(value) > most:
            self.problem("must be a list of texts", key, accepted=f"at most {most}")
            return ()
        return tuple(self.text(item, f"{key} {n}", length) for n, item in enumerate(value, 1))

    def number(self, value: object, place: str, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) \
                or not low <= value <= high:
            self.problem("not a number in range", place, value, f"{low:g} to {high:g}")
            return 0.0
        return float(value)

    def sizes(self, value: object) -> dict[str, float]:
        if value is None:
            return {}
        if not isinstance(value, Mapping) or len(value) > MOST_SIZES:
            self.problem("must be a table of position id and factor", "scale")
            return {}
        return {self.text(name, "scale", 200): self.number(factor, f"scale {str(name)[:40]}", -1e6, 1e6)
                for name, factor in value.items()}

    def sellers(self, value: object) -> tuple[Seller, ...]:
        if value is None:
            return ()
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)) or len(value) > MOST_SELLERS:
            self.problem("must be a list", "sellers", accepted=f"at most {MOST_SELLERS}")
            return ()
        found = []
        for n, row in enumerate(value, 1):
            if not isinstance(row, Mapping) or set(row) - set(_SELLER):
                self.problem("not a seller", f"sellers {n}", accepted=", ".join(_SELLER))
                continue
            use, kind, sector = row.get("use",
                                        "default"), row.get("asset_class", "all"), row.get("sector", "all")
            if use not in USES:
                self.problem("unknown use of proceeds", f"sellers {n}", use, ", ".join(USES))
            if kind not in SELLING_CLASSES:
                self.problem("unknown asset class", f"sellers {n}", kind, ", ".join(SELLING_CLASSES))
            if sector not in SECTORS:
                self.problem("unknown sector", f"sellers {n}", sector, ", ".join(SECTORS))
            holder = row.get("holder", "all")
            if not isinstance(holder, str) or not _HOLDER.fullmatch(holder):
                self.problem("cannot be a holder", f"sellers {n}", holder)
            found.append(Seller(str(holder), str(kind),
                                self.number(row.get("usd_bn"), f"sellers {n}", 0.0, MOST_USD_BN), str(use),
                                str(sector)))
        return tuple(found)

    def knobs(self, value: object) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.problem("must be a table of knob and value", "knobs")
            return {}
        found = {}
        for name, setting in value.items():
            knob = KNOBS_BY_ID.get(name) if isinstance(name, str) else None
            if knob is None:
                self.problem("no such knob", f"knobs {str(name)[:40]}",
                             accepted=suggest(str(name)[:40], tuple(KNOBS_BY_ID)))
                continue
            found[name] = self.knob(knob, setting)
        return found

    def knob(self, knob: Knob, value: object) -> Any:
        place = f"knob {knob.id}"
        if knob.kind == "range":
            return self.number(value, place, *knob.bounds)
        if knob.kind == "flag":
            if not isinstance(value, bool):
                self.problem("must be true or false", place, value)
            return bool(value)
        if knob.kind == "choice":
            if value not in [c for c, _ in knob.choices]:
                self.problem("unknown choice", place, value, ", ".join(c for c, _ in knob.choices))
            return str(value)
        chosen = value if isinstance(value, (list, tuple)) else [value]
        allowed = [c for c, _ in knob.choices]
        wrong = [c for c in chosen if c not in allowed]
        if wrong or len(set(map(str, chosen))) != len(chosen):
            self.problem("unknown choice", place, wrong or chosen, ", ".join(allowed))
            return ()
        return tuple(c for c in allowed if c in chosen)


def _printable(text: str) -> bool:
    return all(c.isprintable() for c in text)
