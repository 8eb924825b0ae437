"""How often does a series come, and which period end does a publisher's date mean?

The Federal Reserve Bank of St. Louis dates a quarter by its first day, McCracken's FRED-QD by the first day
of its last month, others by the last business day: the store keeps the last calendar day of the period.
"""

from __future__ import annotations

import numpy as np

_SPACING = (("daily", 1, 4), ("weekly", 5, 9), ("monthly", 27, 32), ("quarterly", 88, 94),
            ("annual", 360, 370))
_MONTHS = {"monthly": 1, "quarterly": 3, "annual": 12}


def find_frequency(days: np.ndarray) -> str:
    """Frequency of ascending (T,) days by their usual distance; '' when there is no clear answer.

    Two days tell it only when both begin, or both end, a month.
    """
    if len(days) < 3:
        at_edge = any(all(str(d)[8:] == "01" for d in moved) for moved in (days, days + 1))
        if len(days) < 2 or not at_edge:
            return ""
    gaps = np.diff(days).astype(np.int64)
    middle = float(np.median(gaps))
    for name, low, high in _SPACING:
        if low <= middle <= high:
            return name
    return ""


def end_of_period(days: np.ndarray, frequency: str) -> np.ndarray:
    """(T,) last calendar day of the month, quarter or year of each day; daily and weekly dates as they
    are."""
    days = np.asarray(days, dtype="datetime64[D]")
    size = _MONTHS.get(frequency)
    if size is None:
        return days
    months = days.astype("datetime64[M]").astype(np.int64)
    months = months // size * size + size  # first month of the next period
    return months.astype("datetime64[M]").astype("datetime64[D]") - np.timedelta64(1, "D")
