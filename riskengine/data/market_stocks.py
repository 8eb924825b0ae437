"""Stocks outstanding through time, as known at a date: what flows are scaled by.

From ``configs/markets.toml``: year-end figures, each from the day it was published on.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np

from riskengine.base.errors import InputError, Problem
from riskengine.data.configs import config_root


def stock_outstanding(kind: str, as_of: str, root: Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(Y,) year-ends datetime64[D] and (Y,) USD bn of 'treasury' … known at *as_of*, ascending.

    InputError when no figure was known.
    """
    rows = _markets(root)["market"]
    known = sorted((r["year"], float(r[kind])) for r in rows if r["known"] <= as_of and kind in r)
    known = [(y, v) for y, v in known if f"{y}-12-31" <= as_of]
    if not known:
        raise InputError(Problem(f"no size of the {kind} market known yet", file="markets.toml",
                                 field="as_of", got=as_of))
    return np.array([f"{y}-12-31" for y, _ in known], dtype="datetime64[D]"), np.array([v for _, v in known])


def foreign_share_of_equity(years: np.ndarray, root: Path | None = None) -> np.ndarray:
    """Foreigners' share of US equity at fractional *years*: the rule of ``markets.toml``, linear between its
    years."""
    steps = sorted((s["from"], s["share"])
                   for s in _markets(root)["rules"]["equity"]["foreign_share_of_equity"])
    return np.interp(years, [y for y, _ in steps], [s for _, s in steps])


def _markets(root: Path | None) -> dict:
    return tomllib.loads(((root or config_root()) / "markets.toml").read_text(encoding="utf-8"))
