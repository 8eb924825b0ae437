"""Synthetic books of any size: rows as a portfolio file has them, and the portfolio they make.

The mix of a global macro book, drawn from one seed: 40% Treasuries, 20% FX forwards, 15% FX options, 15%
index options, 10% property, over 5 desks, 20 books and 3 strategies.  Sizes are log-normal, long and short.
"""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta

import numpy as np

from riskengine.base.axes import CURRENCIES, PROPERTY_TYPES
from riskengine.base.errors import InputError, Problem
from riskengine.benchmark.workloads import AS_OF, SEED
from riskengine.instruments.portfolio import Portfolio, parse_position

COLUMNS = ("position_id", "type", "quantity", "notional", "currency", "desk", "book", "strategy", "maturity",
           "coupon", "expiry", "strike", "put_call", "underlying", "multiplier", "property_type", "noi",
           "cap_rate", "ltv", "loan_rate")
_MIX = (("treasury", 0.40), ("fx_forward", 0.20), ("fx_option", 0.15), ("equity_option", 0.15),
        ("property", 0.10))
_COUPON_MONTHS = (2, 5, 8, 11)


def synthetic_rows(count: int, as_of: str = AS_OF, seed: int = SEED) -> list[dict[str, str]]:
    """*count* rows of text by column; row i depends on (seed, i) only: a larger book holds a smaller one."""
    if count < 1:
        raise InputError(Problem("a book needs at least one position", got=str(count)))
    today = date.fromisoformat(as_of)
    return [_row(i, today, np.random.default_rng([seed, i])) for i in range(count)]


def synthetic_portfolio(count: int, as_of: str = AS_OF, seed: int = SEED) -> Portfolio:
    """The rows as positions, through the same parser as a file."""
    rows = synthetic_rows(count, as_of, seed)
    return Portfolio(as_of, tuple(parse_position(row, as_of, row=i + 2) for i, row in enumerate(rows)))


def synthetic_csv(count: int, as_of: str = AS_OF, seed: int = SEED) -> str:
    """The rows as the text of a portfolio file."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(synthetic_rows(count, as_of, seed))
    return out.getvalue()


def _row(i: int, today: date, rng: np.random.Generator) -> dict[str, str]:
    names, shares = zip(*_MIX, strict=True)
    kind = str(rng.choice(names, p=shares))
    size = float(np.exp(rng.normal(0.0, 1.0)) * rng.choice([-1.0, 1.0], p=[0.35, 0.65]))
    row = {"position_id": f"S{i:06d}", "desk": f"desk {i % 5}", "book": f"book {i % 20:02d}",
           "strategy": f"strategy {i % 3}"}
    later = today + timedelta(days=int(rng.integers(40, 730)))
    strike = f"{100 * float(np.exp(rng.normal(0.0, 0.06))):.2f}%"
    side = str(rng.choice(["call", "put"]))
    match kind:
        case "treasury":
            # like the outstanding stock: the 15th of a refunding month, 1 to 30 years away
            maturity = date(today.year + int(rng.integers(1, 30)), int(rng.choice(_COUPON_MONTHS)), 15)
            return row | {"type": "treasury_bond", "quantity": f"{2e7 * size:.0f}",
                          "maturity": maturity.isoformat(), "coupon": f"{rng.uniform(0.005, 0.06):.5f}"}
        case "fx_forward":
            return row | {"type": kind, "notional": f"{1e7 * size:.0f}",
                          "currency": str(rng.choice(CURRENCIES)), "maturity": later.isoformat()}
        case "fx_option":
            return row | {"type": kind, "notional": f"{1e7 * size:.0f}",
                          "currency": str(rng.choice(CURRENCIES)), "expiry": later.isoformat(),
                          "strike": strike, "put_call": side}
        case "equity_option":
            return row | {"type": kind, "quantity": f"{100 * size:.0f}",
                          "underlying": str(rng.choice(["SP500", "NASDAQ"])), "expiry": later.isoformat(),
                          "strike": strike, "put_call": side, "multiplier": "50"}
    return row | {"type": "property", "quantity": "1", "property_type": str(rng.choice(PROPERTY_TYPES)),
                  "noi": f"{2e5 * abs(size):.0f}", "cap_rate": f"{rng.uniform(0.045, 0.085):.4f}",
                  "ltv": f"{rng.uniform(0.0, 0.6):.2f}", "loan_rate": "0.05"}
