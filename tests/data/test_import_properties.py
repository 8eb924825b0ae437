"""Random series written in a publisher's layout come back to the bit; random damage is never read silently."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskengine.base.errors import InputError
from riskengine.data.local_store import open_store, write_series
from riskengine.data.readers.recognise import read_publication

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64, min_value=-1e12, max_value=1e12)
MISSING = st.sampled_from(["", ".", "NA", "n.a.", "ND"])
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def daily(draw, least=3):
    """(days, values) of business days with at least *least* observations, None for a missing one."""
    start = draw(st.dates(date(1950, 1, 1), date(2020, 1, 1)))
    size = draw(st.integers(least + 3, 25))
    days = [d for k in range(3 * size) if (d := start + timedelta(days=k)).weekday() < 5][:size]
    values = draw(st.lists(st.one_of(NUMBERS, NUMBERS, NUMBERS, st.none()), min_size=size, max_size=size))
    for k in range(least):
        values[k] = draw(NUMBERS)
    return days, values


def read(text):
    return read_publication(text.encode(), "x.csv", None, "2026-01-01").series


def check(series, days, values):
    kept = [(d, v) for d, v in zip(days, values, strict=True) if v is not None]
    assert [str(d) for d in series.dates] == [d.isoformat() for d, _ in kept]
    assert (series.values + 0.0).tobytes() == (np.array([v for _, v in kept]) + 0.0).tobytes()


@QUICK
@given(daily(), MISSING, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_iso_dates_and_exact_numbers(series, missing, end, closed):
    days, values = series
    lines = ["date,ANY_ID"] + [f"{d},{missing if v is None else repr(v)}" for d, v in zip(days, values, strict=True)]
    (read_back,) = read(end.join(lines) + (end if closed else ""))
    check(read_back, days, values)


@QUICK
@given(daily(), st.sampled_from(["%m/%d/%Y", "%d.%m.%Y", "%Y%m%d", "%d-%b-%Y", "%Y/%m/%d"]), st.randoms())
def test_every_date_format_in_any_order_with_decimal_comma(series, pattern, random):
    days, values = series
    rows = [f"{d.strftime(pattern)};{'' if v is None else format(v, '.7f').replace('.', ',')}"
            for d, v in zip(days, values, strict=True)]
    random.shuffle(rows)
    try:
        (read_back,) = read("date;ANY_ID\n" + "\n".join(rows) + "\n")
    except InputError as error:  # 01/02 … 05/06 alone do not tell the order of day and month
        assert pattern == "%m/%d/%Y" and max(d.day for d in days) <= 12, error
        return
    check(read_back, days, [None if v is None else float(format(v, ".7f")) for v in values])


@QUICK
@given(daily(), daily())
def test_wide_tables_keep_their_columns_apart(one, two):
    rows = {}
    for j, (days, values) in enumerate((one, two)):
        for d, v in zip(days, values, strict=True):
            rows.setdefault(d, ["", ""])[j] = "" if v is None else repr(v)
    text = "date,A1,B2\n" + "".join(f"{d},{a},{b}\n" for d, (a, b) in sorted(rows.items()))
    for series, (days, values) in zip(read(text), (one, two), strict=True):
        check(series, days, values)


@QUICK
@given(daily(least=8), st.data())
def test_a_damaged_cell_is_an_error_with_its_row_never_a_number(series, data):
    days, values = series
    k = data.draw(st.integers(0, len(days) - 1))
    junk = data.draw(st.sampled_from(["abc", "1.2.3", "1e", "--4", "0x1F", "1 2", "4,,5", "٣", "1_0", "∞", "#N/A!"]))
    cells = [repr(v) if v is not None else "" for v in values]
    cells[k] = f'"{junk}"'
    try:
        read("date,ANY_ID\n" + "".join(f"{d},{c}\n" for d, c in zip(days, cells, strict=True)))
    except InputError as error:
        assert any(p.row == k + 2 for p in error.problems)
    else:
        raise AssertionError(f"{junk} was read")


@QUICK
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_never_a_crash(content):
    try:
        read_publication(content, "x.bin")
    except InputError as error:
        assert error.problems


@QUICK
@given(st.text(alphabet="0123456789-/.,;\t\n \"%aDdTt:", max_size=200))
def test_any_text_is_read_or_refused_never_a_crash(text):
    try:
        read_publication(("date,A\n" + text).encode(), "x.csv")
    except InputError as error:
        assert error.problems


@QUICK
@given(daily(), daily())
def test_the_store_merges_as_a_dictionary_would(tmp_path_factory, one, two):
    folder = tmp_path_factory.mktemp("merge")
    expected = {}
    for days, values in (one, two):
        text = "date,ANY_ID\n" + "".join(f"{d},{'' if v is None else repr(v)}\n"
                                          for d, v in zip(days, values, strict=True))
        series = read(text)
        try:
            write_series(series, folder)
        except InputError as error:  # with most days missing it looks weekly, and the store keeps what it has
            assert "the frequency differs" in str(error)
            continue
        first, last = str(series[0].dates[0]), str(series[0].dates[-1])
        expected = {d: v for d, v in expected.items() if d < first or d > last}
        expected |= {d.isoformat(): v for d, v in zip(days, values, strict=True) if v is not None}
    dates, values = open_store(folder).read("ANY_ID")
    assert dict(zip(map(str, dates), values.tolist(), strict=True)) == dict(sorted(expected.items()))
