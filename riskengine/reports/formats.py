"""How a number is printed: one minus sign, one dash for what is missing, one unit per column.

Negative numbers carry the minus sign U+2212 (as wide as a digit); a value that rounds to zero has no sign;
NaN, infinities and None are '–'.  Sorting and machines read the raw value, never this text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

MISSING = "–"
MINUS = "\u2212"
THIN = "\u202f"


def is_number(value: object) -> bool:
    """True for finite real numbers (NumPy scalars included), False for bool, None, text, NaN and
    infinities."""
    if isinstance(value, (bool, str)) or value is None:
        return False
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def number(value: object, decimals: int = 1, plus: bool = False) -> str:
    """*value* with thousands separators and U+2212; '–' when it is not a finite number. plus: sign gains
    too."""
    if not is_number(value):
        return MISSING
    text = f"{abs(float(value)):,.{decimals}f}"
    zero = not any(c in "123456789" for c in text)
    if zero:
        return text
    if float(value) < 0:
        return MINUS + text
    return "+" + text if plus else text


def percent(value: object, decimals: int = 1, plus: bool = False) -> str:
    """Share as per cent: 0.123 → '12.3%'."""
    return number(float(value) * 100, decimals, plus) + "%" if is_number(value) else MISSING


def significant(value: object, digits: int = 3) -> str:
    """About *digits* significant digits, scientific outside 1e-4 … 1e7: for parameters of unknown size."""
    if not is_number(value):
        return MISSING
    x = float(value)
    if x == 0:
        return "0"
    if abs(x) >= 1e7 or abs(x) < 1e-4:
        return f"{x:.{digits - 1}e}".replace("-", MINUS)
    if x == int(x) and abs(x) < 1e7:
        return number(x, 0)
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(x))))
    text = number(x, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def probability(value: object) -> str:
    """A probability or plausibility: '3.2%', '< 0.01%', '12%'."""
    if not is_number(value):
        return MISSING
    p = float(value)
    if 0 < p < 1e-4:
        return "<" + THIN + "0.01%"
    return percent(p, 0 if p >= 0.0995 else 1 if p >= 0.00995 else 2)


@dataclass(frozen=True, slots=True)
class MoneyUnit:
    """The unit all amounts of one table or chart share."""

    divisor: float
    label: str
    decimals: int

    def text(self, value: object, plus: bool = False, extra: int = 0) -> str:
        """Amount in this unit, without the label."""
        scaled = float(value) / self.divisor if is_number(value) else None
        return number(scaled, self.decimals + extra, plus)

    def scale(self, value: object) -> float:
        """Amount in this unit as a float, NaN when missing."""
        return float(value) / self.divisor if is_number(value) else math.nan


def money_unit(values: Iterable[object]) -> MoneyUnit:
    """USD bn, m, k or units, chosen so that the largest value prints with three to five digits."""
    largest = max((abs(float(v)) for v in values if is_number(v)), default=0.0)
    if largest >= 2e10:
        return MoneyUnit(1e9, "USD bn", 1 if largest >= 1e11 else 2)
    if largest >= 1e6:
        return MoneyUnit(1e6, "USD m", 0 if largest >= 1e10 else 1 if largest >= 1e7 else 2)
    if largest >= 1e3:
        return MoneyUnit(1e3, "USD k", 2 if largest < 1e4 else 1 if largest < 1e5 else 0)
    return MoneyUnit(1.0, "USD", 0 if largest >= 1 or largest == 0 else 2)


def money(value: object, plus: bool = False) -> str:
    """One amount with its unit: 'USD 10.12 bn', 'USD −3.4 m'."""
    if not is_number(value):
        return MISSING
    x = abs(float(value))
    for divisor, suffix in ((1e9, " bn"), (1e6, " m"), (1e3, " k")):
        if x >= divisor * 0.9995:
            scaled = float(value) / divisor
            return f"USD {number(scaled, 2 if abs(scaled) < 99.95 else 1, plus)}{suffix}"
    return f"USD {number(value, 0, plus)}"


def name(label: object) -> str:
    """A snake_case name for people: 'real_estate' → 'Real estate', 'fx_g10' → 'FX G10'; other text as it
    is."""
    text = str(label)
    if text in NAMES:
        return NAMES[text]
    if not text or text != text.lower() or " " in text:
        return text
    words = [WORDS.get(w, w) for w in text.split("_")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


NAMES = {"co_movement": "Co-movement", "student_t": "Student-t", "gaussian": "Gaussian",
         "filtered_historical": "filtered historical simulation", "garch_t": "Student-t GARCH",
         "garch_fhs": "filtered historical, GARCH"}
WORDS = {w.lower(): w for w in ("FX", "G10", "US", "GDP", "NOI", "VaR", "ES", "DV01", "EM", "UK", "P&L")}
"""Words of a name that keep their capitals."""
METRIC = re.compile(r"(var|es)_(\d+(?:\.\d+)?)_(\d+)d")


def metric(label: object) -> str:
    """'var_97.5_10d' → 'VaR 97.5%, 10 days'; 'expected_pnl' → 'Expected P&L'; other labels as in
    :func:`name`."""
    match = METRIC.fullmatch(str(label))
    if match:
        kind, level, days = match.groups()
        return f"{'VaR' if kind == 'var' else 'ES'} {level}%, {horizon(int(days))}"
    return "Expected P&L" if label == "expected_pnl" else name(label)


def horizon(days: int) -> str:
    """Business days as people say them: 1 → '1 day', 260 → '12 months', 25 → '5 weeks'."""
    if days % 260 == 0 and days > 260:
        return f"{days // 260} years"
    if days >= 130 and days % 65 == 0:
        return f"{days // 65 * 3} months"
    if days == 65:
        return "3 months"
    if days % 5 == 0 and days > 20:
        return f"{days // 5} weeks"
    return f"{days} day" if days == 1 else f"{days} days"
