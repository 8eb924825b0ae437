"""How numbers are printed."""

import math

import pytest

from riskengine.reports import formats
from riskengine.reports.html_table import amount, from_mixed_records, from_records, status


@pytest.mark.parametrize(
    ("value", "decimals", "plus", "shown"),
    [
        (1234.56, 1, False, "1,234.6"), (-1234.56, 1, False, "−1,234.6"), (-0.04, 1, False, "0.0"),
        (0.04, 1, True, "0.0"), (5, 0, True, "+5"), (-5, 0, True, "−5"), (math.nan, 1, False, "–"),
        (None, 1, False, "–"), (math.inf, 1, False, "–"), (True, 0, False, "–"), ("7", 0, False, "–"),
    ],
)
def test_number(value, decimals, plus, shown):
    assert formats.number(value, decimals, plus) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.2345e9, "USD 1.23 bn"), (-3.4e6, "USD −3.40 m"), (123.4e6, "USD 123.4 m"),
     (999_999_999, "USD 1.00 bn"),
     (12, "USD 12"), (0, "USD 0"), (math.nan, "–")],
)
def test_money(value, shown):
    assert formats.money(value) == shown


@pytest.mark.parametrize("largest", [3.0, 4e3, 6e5, 2e6, 5e7, 3e8, 4e9, 5e10, 3e12])
def test_money_unit_is_one_per_column_and_keeps_the_largest_readable(largest):
    unit = formats.money_unit([largest, -largest / 50, math.nan, None])
    assert unit.scale(largest) * unit.divisor == pytest.approx(largest)
    assert 3 <= sum(c.isdigit() for c in unit.text(largest)) <= 6 or largest < 100
    assert unit.text(math.nan) == "–"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.00123456, "0.00123"), (12.345, "12.3"), (-0.5, "−0.5"), (1e-9, "1.00e−09"), (2.5e8, "2.50e+08"),
     (1100, "1,100"), (0, "0"), (math.nan, "–")],
)
def test_significant(value, shown):
    assert formats.significant(value) == shown


def test_probability_never_rounds_to_zero():
    assert formats.probability(1e-7) == "<\u202f0.01%"
    assert formats.probability(0.0) == "0.00%"
    assert formats.probability(0.123) == "12%"
    assert formats.probability(math.nan) == "–"


@pytest.mark.parametrize(
    ("days", "words"), [(1, "1 day"), (10, "10 days"), (25, "5 weeks"), (65, "3 months"), (130, "6 months"),
                        (260, "12 months"), (780, "3 years"), (45, "9 weeks"), (195, "9 months")])
def test_horizon(days, words):
    assert formats.horizon(days) == words


def test_metric_names():
    assert formats.metric("var_99_1d") == "VaR 99%, 1 day"
    assert formats.metric("es_97.5_10d") == "ES 97.5%, 10 days"
    assert formats.metric("expected_pnl") == "Expected P&L"


def test_a_table_of_records_keeps_raw_values_for_sorting_and_dashes_for_missing():
    table = from_records([{"name": "a", "gap_usd_bn": -1.25, "ok": True}, {"name": "b", "gap_usd_bn": None}],
                         "T")
    assert [(c.heading, c.unit, c.numeric) for c in table.columns] == [
        ("Name", "", False), ("Gap", "USD bn", True), ("Ok", "", False)]
    assert table.rows[0][1].sort == -1.25 and table.rows[0][1].text == "−1.25"
    assert table.rows[1][1].text == "–" and table.rows[1][2].text == "–"
    assert "Pass" in table.rows[0][2].text
    assert from_records([], "T") is None and from_records(None, "T") is None


def test_only_what_prints_with_a_minus_sign_is_marked_negative():
    assert amount(-0.04, 1).css == "" and amount(-0.06, 1).css == "neg"
    assert amount(-0.04, 1).sort == -0.04


def test_truths_are_checks_only_where_the_heading_says_so():
    row = from_records([{"holds": False, "revised": False}], "T", {"holds": "Check"}).rows[0]
    assert "Fail" in row[0].text and row[1].text == "no"


def test_records_of_two_kinds_become_two_tables():
    tables = from_mixed_records([{"a": 1}, {"b": 2}, {"a": 3}], "Diagnostics")
    assert [len(t.rows) for t in tables] == [2, 1]
    assert from_mixed_records(None, "Diagnostics") == []


def test_status_is_never_colour_alone():
    symbols = {status(word).text for word in ("ok", "warning", "breach")}
    assert len(symbols) == 3 and all(not s[0].isalnum() and s[-1].isalpha() for s in symbols)
    assert status("ok").sort > status("warning").sort > status("breach").sort
    assert status("unheard-of").text == "unheard-of"
