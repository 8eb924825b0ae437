"""Calendars, tenors and day counts of US dollar markets.

Business days: Monday to Friday except Federal Reserve holidays (a holiday on a Sunday is kept on Monday, one
on a Saturday is not moved: the Federal Reserve Banks are open on the Friday).  Day counts: Actual/365 Fixed
for discounting and option time; Actual/Actual ISMA (ICMA rule 251) for accrued interest of coupon bonds,

    accrued = coupon / frequency · (days since last coupon) / (days in the coupon period).

Coupon dates are counted in whole months back from maturity (an end-of-month maturity keeps to month ends).
Standard library only.
"""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta
from functools import lru_cache

from riskengine.base.errors import InputError, Problem

DAYS_PER_YEAR = 365.0
_TENOR = re.compile(r"^(\d{1,4})([DBWMY])$")
_MONTHS = {"M": 1, "Y": 12}


# ---------------------------------------------------------------- dates and tenors

def parse_date(text: str | date) -> date:
    """An ISO date ``YYYY-MM-DD``; InputError otherwise."""
    if isinstance(text, date):
        return text
    try:
        if len(text) != 10:
            raise ValueError
        return date.fromisoformat(text)
    except (ValueError, TypeError):
        raise InputError(Problem("not a date", got=repr(text), accepted="YYYY-MM-DD")) from None


def parse_tenor(text: str) -> tuple[int, str]:
    """'3M' → (3, 'M'); units D (calendar days), B (business days), W, M, Y. InputError otherwise."""
    match = _TENOR.match(str(text).strip().upper())
    if match is None:
        raise InputError(Problem("not a tenor", got=repr(text),
                                 accepted="a whole number and D, B, W, M or Y: 3M, 10Y"))
    return int(match[1]), match[2]


def tenor_years(text: str) -> float:
    """Length of a tenor in years: months / 12, weeks · 7 / 365, days / 365, business days / 260."""
    number, unit = parse_tenor(text)
    return number / {"D": 365.0, "B": 260.0, "W": 365.0 / 7.0, "M": 12.0, "Y": 1.0}[unit]


def add_tenor(start: date, tenor: str) -> date:
    """*start* plus a tenor; months and years as in ``add_months`` (no business-day adjustment)."""
    number, unit = parse_tenor(tenor)
    if unit == "B":
        return add_business_days(start, number)
    if unit in _MONTHS:
        return add_months(start, number * _MONTHS[unit])
    return start + timedelta(days=number * (7 if unit == "W" else 1))


def resolve_date(text: str | date, as_of: str | date) -> date:
    """A date given as ISO date or as tenor from *as_of* ('2031-05-15', '10Y'); InputError when neither."""
    if isinstance(text, date):
        return text
    stripped = str(text).strip()
    if _TENOR.match(stripped.upper()):
        return add_tenor(parse_date(as_of), stripped)
    try:
        return parse_date(stripped)
    except InputError:
        raise InputError(Problem("neither a date nor a tenor", got=repr(text),
                                 accepted="YYYY-MM-DD, or a tenor such as 3M or 10Y")) from None


def is_month_end(day: date) -> bool:
    """True on the last calendar day of a month."""
    return day.day == calendar.monthrange(day.year, day.month)[1]


def add_months(start: date, months: int, end_of_month: bool = False) -> date:
    """*start* moved by whole months; a day the month does not have becomes its last day.

    end_of_month : keep a month-end *start* at month ends (28 Feb + 1 month = 31 Mar).
    """
    index = start.year * 12 + start.month - 1 + months
    year, month = divmod(index, 12)
    if not date.min.year <= year <= date.max.year:
        raise InputError(Problem("date out of range", got=f"{start} {months:+d} months"))
    last = calendar.monthrange(year, month + 1)[1]
    keep = last if end_of_month and is_month_end(start) else min(start.day, last)
    return date(year, month + 1, keep)


# ---------------------------------------------------------------- day counts and coupons

def year_fraction(start: date, end: date) -> float:
    """Actual/365 Fixed years from *start* to *end* (negative when *end* is earlier)."""
    return (end - start).days / DAYS_PER_YEAR


@lru_cache(maxsize=1024)
def coupon_dates(settlement: date, maturity: date, frequency: int) -> tuple[date, ...]:
    """The previous coupon date (≤ settlement) followed by every later one up to *maturity*, ascending.

    frequency : coupons a year (1, 2, 4, 12).  A coupon on the settlement day is the previous one (already
    paid). InputError when the bond has matured or the frequency is not one of the four.
    """
    if frequency not in (1, 2, 4, 12):
        raise InputError(Problem("coupon frequency", field="frequency", got=str(frequency),
                                 accepted="1, 2, 4, 12"))
    if maturity <= settlement:
        raise InputError(Problem("maturity must lie after settlement", field="maturity", got=str(maturity),
                                 accepted=f"after {settlement}"))
    step = 12 // frequency
    dates = [maturity]
    while dates[-1] > settlement:
        dates.append(add_months(maturity, -step * len(dates), end_of_month=True))
    return tuple(reversed(dates))


def accrued_fraction(previous_coupon: date, settlement: date, next_coupon: date) -> float:
    """Actual/Actual ISMA share of the coupon period that has accrued at *settlement* (0 … 1)."""
    if not previous_coupon <= settlement <= next_coupon or previous_coupon == next_coupon:
        raise InputError(Problem("settlement must lie in the coupon period", got=str(settlement),
                                 accepted=f"{previous_coupon} … {next_coupon}"))
    return (settlement - previous_coupon).days / (next_coupon - previous_coupon).days


# ---------------------------------------------------------------- business days

@lru_cache(maxsize=512)
def federal_holidays(year: int) -> frozenset[date]:
    """Federal Reserve holidays of *year* as kept (Sunday → Monday; Saturday not moved)."""
    uniform = year >= 1971  # Uniform Monday Holiday Act
    fixed = [date(year, 1, 1), date(year, 7, 4), date(year, 12, 25)]
    floating = [_nth_weekday(year, 9, 0, 1), _nth_weekday(year, 11, 3, 4)]
    if year >= 2021:
        fixed.append(date(year, 6, 19))
    if year >= 1986:
        floating.append(_nth_weekday(year, 1, 0, 3))
    if uniform:
        floating += [_nth_weekday(year, 2, 0, 3), _last_monday(year, 5), _nth_weekday(year, 10, 0, 2)]
    else:
        fixed += [date(year, 2, 22), date(year, 5, 30), date(year, 10, 12)]
    if 1971 <= year <= 1977:
        floating.append(_nth_weekday(year, 10, 0, 4))
    else:
        fixed.append(date(year, 11, 11))
    moved = [d + timedelta(days=1) if d.weekday() == 6 else d for d in fixed]
    return frozenset(d for d in moved + floating if d.weekday() < 5)


def is_business_day(day: date) -> bool:
    """True on a weekday that is no Federal Reserve holiday."""
    return day.weekday() < 5 and day not in federal_holidays(day.year)


def following_business_day(day: date) -> date:
    """*day* itself or the next business day."""
    while not is_business_day(day):
        day += timedelta(days=1)
    return day


def preceding_business_day(day: date) -> date:
    """*day* itself or the last business day before it."""
    while not is_business_day(day):
        day -= timedelta(days=1)
    return day


def modified_following(day: date) -> date:
    """The following business day unless that is in the next month; then the preceding one."""
    moved = following_business_day(day)
    return moved if moved.month == day.month else preceding_business_day(day)


def add_business_days(start: date, days: int) -> date:
    """The *days*-th business day after *start* (before it when negative); *start* itself for 0."""
    one = timedelta(days=1 if days > 0 else -1)
    day = start
    for _ in range(abs(days)):
        day += one
        while not is_business_day(day):
            day += one
    return day


def business_days_between(start: date, end: date) -> int:
    """Number of business days d with start < d ≤ end; negative of the reverse when *end* is earlier."""
    if end < start:
        return -business_days_between(end, start)
    weeks, rest = divmod((end - start).days, 7)
    count = 5 * weeks + sum((start + timedelta(days=i)).weekday() < 5 for i in range(1, rest + 1))
    kept = (h for year in range(start.year, end.year + 1) for h in federal_holidays(year))
    return count - sum(start < h <= end for h in kept)


def _nth_weekday(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def _last_monday(year: int, month: int) -> date:
    last = date(year, month, calendar.monthrange(year, month)[1])
    return last - timedelta(days=last.weekday())
