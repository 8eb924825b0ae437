"""Calendars, tenors and day counts against dates one can look up."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskengine.base import dates
from riskengine.base.errors import InputError

DAYS = st.dates(date(1972, 1, 1), date(2060, 12, 31))


@pytest.mark.parametrize("text, expected", [
    ("3M", (3, "M")), ("10y", (10, "Y")), (" 2W ", (2, "W")), ("5B", (5, "B")),
])
def test_tenor_is_read(text, expected):
    assert dates.parse_tenor(text) == expected


@pytest.mark.parametrize("text", ["", "M", "3", "3Q", "-1M", "1.5Y", "3M2D"])
def test_what_is_no_tenor_is_refused(text):
    with pytest.raises(InputError, match="not a tenor"):
        dates.parse_tenor(text)


def test_tenor_lengths():
    assert dates.tenor_years("3M") == 0.25
    assert dates.tenor_years("10Y") == 10
    assert dates.tenor_years("52W") == pytest.approx(364 / 365)
    assert dates.tenor_years("260B") == 1


def test_terms_are_dates_or_tenors():
    assert dates.resolve_date("10Y", "2024-09-24") == date(2034, 9, 24)
    assert dates.resolve_date("2031-05-15", "2024-09-24") == date(2031, 5, 15)
    assert dates.resolve_date("2D", "2024-09-24") == date(2024, 9, 26)
    assert dates.resolve_date("1B", "2024-09-27") == date(2024, 9, 30)
    with pytest.raises(InputError, match="neither a date nor a tenor"):
        dates.resolve_date("next year", "2024-09-24")
    with pytest.raises(InputError, match="not a date"):
        dates.parse_date("20240924")


def test_month_arithmetic_clips_and_keeps_month_ends():
    assert dates.add_months(date(2024, 1, 31), 1) == date(2024, 2, 29)
    assert dates.add_months(date(2023, 1, 31), 1) == date(2023, 2, 28)
    assert dates.add_months(date(2023, 2, 28), 1) == date(2023, 3, 28)
    assert dates.add_months(date(2023, 2, 28), 1, end_of_month=True) == date(2023, 3, 31)
    assert dates.add_months(date(2024, 1, 15), -13) == date(2022, 12, 15)


@given(DAYS, st.integers(-600, 600))
def test_months_there_and_back_stay_within_the_month(day, n):
    back = dates.add_months(dates.add_months(day, n), -n)
    assert (back.year, back.month) == (day.year, day.month) and back <= day


def test_act_365():
    assert dates.year_fraction(date(2023, 1, 1), date(2024, 1, 1)) == 1.0
    assert dates.year_fraction(date(2024, 1, 1), date(2025, 1, 1)) == 366 / 365


def test_coupon_dates_of_a_treasury_note():
    assert dates.coupon_dates(date(2024, 9, 24), date(2026, 2, 15), 2) == (
        date(2024, 8, 15), date(2025, 2, 15), date(2025, 8, 15), date(2026, 2, 15))
    on_a_coupon_day = dates.coupon_dates(date(2024, 8, 15), date(2025, 2, 15), 2)
    assert on_a_coupon_day == (date(2024, 8, 15), date(2025, 2, 15))
    assert dates.coupon_dates(date(2024, 9, 24), date(2025, 8, 31), 2) == (
        date(2024, 8, 31), date(2025, 2, 28), date(2025, 8, 31))


@pytest.mark.parametrize("maturity, frequency", [
    (date(2024, 9, 24), 2), (date(2020, 1, 1), 2), (date(2030, 1, 1), 3),
])
def test_impossible_coupons_are_refused(maturity, frequency):
    with pytest.raises(InputError):
        dates.coupon_dates(date(2024, 9, 24), maturity, frequency)


def test_accrued_matches_quantlib():
    ql = pytest.importorskip("QuantLib")
    previous, following = date(2024, 8, 15), date(2025, 2, 15)
    count = ql.ActualActual(ql.ActualActual.ISMA)

    def q(d):
        return ql.Date(d.day, d.month, d.year)

    for day in (date(2024, 8, 15), date(2024, 9, 24), date(2024, 12, 31), date(2025, 2, 14)):
        expected = 2 * count.yearFraction(q(previous), q(day), q(previous), q(following))
        assert dates.accrued_fraction(previous, day, following) == pytest.approx(expected, abs=1e-14)
    with pytest.raises(InputError):
        dates.accrued_fraction(previous, date(2025, 3, 1), following)


def test_calendar_matches_quantlib():
    ql = pytest.importorskip("QuantLib")
    reserve = ql.UnitedStates(ql.UnitedStates.FederalReserve)
    day, wrong = date(1990, 1, 1), []
    while day < date(2035, 1, 1):
        if dates.is_business_day(day) != reserve.isBusinessDay(ql.Date(day.day, day.month, day.year)):
            wrong.append(day)
        day += timedelta(days=1)
    # QuantLib starts Juneteenth in 2022; 19 June 2021 was a Saturday: no difference
    assert wrong == []


def test_holidays_one_can_look_up():
    assert date(2024, 11, 28) in dates.federal_holidays(2024)
    assert date(2021, 7, 5) in dates.federal_holidays(2021)          # 4 July 2021 was a Sunday
    assert dates.is_business_day(date(2020, 7, 3))                    # 4 July 2020 was a Saturday: not moved
    assert date(1975, 10, 27) in dates.federal_holidays(1975)         # Veterans Day 1971–1977


@given(DAYS, st.integers(-300, 300))
def test_counting_business_days_undoes_adding_them(day, n):
    start = dates.following_business_day(day)
    end = dates.add_business_days(start, n)
    assert dates.is_business_day(end)
    assert dates.business_days_between(start, end) == n


@given(DAYS, st.integers(0, 800))
def test_business_days_counted_one_by_one(day, n):
    end = day + timedelta(days=n)
    one_by_one = sum(dates.is_business_day(day + timedelta(days=i)) for i in range(1, n + 1))
    assert dates.business_days_between(day, end) == one_by_one


@given(DAYS)
def test_modified_following_stays_in_the_month(day):
    moved = dates.modified_following(day)
    assert dates.is_business_day(moved) and moved.month == day.month
