"""Files with faults: what can be read is read and told, what cannot is an error with row, column and rule."""

from __future__ import annotations

import io

import polars as pl
import pytest

from riskengine.base.errors import InputError
from riskengine.data.readers.recognise import read_publication

DAYS = [f"2023-03-{d:02d}" for d in (1, 2, 3, 6, 7, 8, 9, 10, 13, 14)]
ROWS = [f"{d},{4 + i / 100:.2f}" for i, d in enumerate(DAYS)]
GOOD = "observation_date,DGS10\n" + "\n".join(ROWS) + "\n"


def read(text, name="file.csv"):
    content = text if isinstance(text, bytes) else text.encode()
    return read_publication(content, name, None, "2026-01-01")


def values(text):
    (series,) = read(text).series
    return series.values.tolist()


EXPECTED = values(GOOD)


@pytest.mark.parametrize("content", [
    b"\xef\xbb\xbf" + GOOD.encode(), GOOD.encode("utf-16"), GOOD.encode("utf-16-le"), GOOD.encode("utf-16-be"),
    GOOD.replace("\n", "\r\n").encode(), GOOD.replace("\n", "\r").encode(), GOOD.rstrip("\n").encode(),
    GOOD.replace("\n", ",\n").encode(), GOOD.replace("\n2023", ",,\n2023").encode(),
    ("\n\n" + GOOD.replace("\n2023-03-06", "\n\n2023-03-06") + "\n\n").encode(),
    GOOD.replace(",", ";").encode(), GOOD.replace(",", "\t").encode(), GOOD.replace(",", " , ").encode(),
    GOOD.replace("4.", '"4.').replace("\n2", '"\n2').replace('DGS10"', "DGS10")[:-1].encode() + b'"\n',
    "\n".join(["observation_date,DGS10", *ROWS[::-1]]).encode(),
    GOOD.replace(",", ";").replace(".", ",").encode(),
    GOOD.replace(",4.", ',"4,').replace("\n2", '"\n2').replace('DGS10"', "DGS10")[:-1].encode() + b'"\n',
    GOOD.replace(",4", ",+4").encode(), GOOD.replace("\n", " \n").encode(),
], ids=["bom", "utf16", "utf16le", "utf16be", "crlf", "cr", "no last break", "trailing comma everywhere",
        "trailing commas in rows", "blank lines", "semicolon", "tab", "spaces", "quoted", "descending",
        "decimal comma, semicolons", "decimal comma, quoted", "plus signs", "trailing blanks"])
def test_the_same_figures_in_many_dresses(content):
    assert values(content) == EXPECTED


def test_latin_1_is_read_and_told():
    publication = read("date,Zürich\n".encode("latin-1") + "\n".join(ROWS).encode() + b"\n")
    assert publication.series[0].id == "z_rich" and "1252" in str(publication.remarks[0])


def test_thousands_separators_quoted_spaced_and_swiss():
    for cell in ('"8,{i:03d},123.5"', "8 {i:03d} 123.5", "8'{i:03d}'123.5", "8\u00a0{i:03d}\u00a0123.5"):
        text = "date,A\n" + "".join(f"{d},{cell.format(i=i)}\n" for i, d in enumerate(DAYS))
        assert values(text) == [8_000_123.5 + 1000 * i for i in range(10)]
    text = "Datum;A\n" + "".join(f"{d[8:]}.{d[5:7]}.{d[:4]};1.234,{i:02d}\n" for i, d in enumerate(DAYS))
    assert values(text) == [float(f"1234.{i:02d}") for i in range(10)]


@pytest.mark.parametrize(("text", "row", "column", "words"), [
    (GOOD.replace("4.03", "abc"), 5, "DGS10", "a number is expected"),
    (GOOD.replace("4.03", "4.0.3"), 5, "DGS10", "a number is expected"),
    (GOOD.replace("4.03", "4_0"), 5, "DGS10", "a number is expected"),
    (GOOD.replace("4.03", "inf"), 5, "DGS10", "a number is expected"),
    (GOOD.replace("4.03", "#REF!"), 5, "DGS10", "a number is expected"),
    (GOOD.replace("4.03", "4.03%"), 5, "DGS10", "percent and decimals"),
    (GOOD + "2023-02-30,4.1\n", 12, "observation_date", "impossible date"),
    (GOOD + "2023-13-01,4.1\n", 12, "observation_date", "impossible date"),
    (GOOD + "03/15/2023,4.1\n", 12, "observation_date", "mixed date formats"),
    (GOOD + "20230315,4.1\n", 12, "observation_date", "mixed date formats"),
    (GOOD.replace("2023-03-06", "soon"), 5, "observation_date", "a date is expected"),
    (GOOD + ROWS[3].replace("4.03", "9.99") + "\n", 12, "DGS10", "one date, different values"),
    (GOOD + "2023-03-15", 12, "", "the last line is cut off"),
    (GOOD + "2023-03-15,4.", 12, "DGS10", "the last line is cut off"),
    (GOOD + "2023-0", 12, "", "the last line is cut off"),
    (GOOD.replace(",4.03", ""), 5, "", "fewer cells than columns"),
    (GOOD.replace("4.03", "4,030"), 5, "", "more cells than columns"),
    (GOOD + "Note: a break\n2023-03-15,4.4\n", 12, "", "fewer cells than columns"),
    (GOOD + "2099-03-15,4.4\n", 12, "DGS10", "in the future"),
    (GOOD + "0203-03-15,4.4\n", 12, "DGS10", "before 1600"),
    (GOOD.replace("4.03", '"4.03'), 11, "", "cannot be split into cells"),
    (GOOD.replace("DGS10", "SPY").replace("4.03", "0"), 5, "SPY", "must be positive"),
    ("date,A,B\n" + "".join(f'{d},"4,0{i}","1,234.5"\n' for i, d in enumerate(DAYS)), 2, "A", "decimal comma and"),
    ("date,DGS10,DGS10\n" + "".join(f"{r},5\n" for r in ROWS), 2, "DGS10", "same name and different"),
    ("date,DGS10,\n" + "".join(f"{r},5\n" for r in ROWS), 2, "", "more cells than columns"),
    ("date,A,,B\n" + "".join(f"{r},5,6\n" for r in ROWS), 2, "column 3", "without a name"),
    ("date,A\n45292,1\n45293,2\n", 2, "date", "serial number"),
    ("\n".join(ROWS), 1, "", "no header line"),
    ("date\n2023-01-01\n", 1, "", "no separator"),
    (GOOD.replace("4.03", "4" * 400), 5, "DGS10", "a number is expected"),
    (GOOD.replace("DGS10", "A" * 200), None, "A" * 117 + "…", "too long"),
    ("observation_date,DGS10\n", 1, "", "only a header line"),
    ("observation_date,DGS10\n2023-01-02,.\n2023-01-03,\n", None, "", "no observations"),
    ("observation_date,DGS10\n" + "".join(f"2023-{m:02d}-01,4.1\n" for m in range(1, 13)), 2, "DGS10",
     "another frequency"),
    ("date,A\n" + "".join(f"2023-{m:02d}-01,4.1\n" for m in range(1, 13)) + "2023-06-15,4.2\n", 14, "A",
     "two observations in one period"),
])
def test_faults_are_named_with_row_and_column(text, row, column, words):
    with pytest.raises(InputError) as caught:
        read(text)
    first = caught.value.problems[0]
    assert words in first.rule and (first.row, first.file) == (row, "file.csv")
    assert first.field == column


@pytest.mark.parametrize(("content", "words"), [
    (b"", "empty"), (b" \n\n", "empty"),
    (b"<!DOCTYPE html><html><head><title>503 Busy</title></head></html>", "503 Busy"),
    (b"\n  <html><body>moved</body></html>", "web page"),
    (b'{"error_code":400}', "JSON"), (b'[{"date": 1}]', "JSON"), (b"<?xml version='1.0'?><a/>", "XML"),
    (b"%PDF-1.7 ...", "PDF"), (b"\x89PNG\r\n\x1a\n123", "PNG"), (b"\x1f\x8b\x08000", "gzip"),
    (b"PK\x03\x04broken", "zip archive"), (b"PAR1brokenPAR1", "Parquet"),
    (bytes(range(256)) * 8, "binary"), (b"\xff\xfea", "breaks off"),
    (b"hello world, this is\na letter, not a table\n", "no table found"),
])
def test_what_is_no_table_is_named_for_what_it_is(content, words):
    with pytest.raises(InputError, match=words):
        read(content)


def test_every_fault_of_a_file_at_once_up_to_a_limit():
    with pytest.raises(InputError) as caught:
        read(GOOD.replace("4.03", "x").replace("4.05", "y") + "2023-02-30,4\n")
    assert [p.row for p in caught.value.problems] == [12, 5, 7]
    with pytest.raises(InputError) as caught:
        read("date,A\n" + "".join(f"20{y:02d}-01-01,x\n" for y in range(10, 99)))
    assert len(caught.value.problems) == 41 and "49 more problems" in str(caught.value)


@pytest.mark.parametrize(("text", "words"), [
    ("\n".join(["observation_date,DGS10", ROWS[2], ROWS[0], *ROWS[3:], ROWS[1]]) + "\n", "out of date order; sorted"),
    (GOOD + ROWS[-1] + "\n", "more than once with the same value"),
    ("date,DGS10,DGS10\n" + "".join(f"{r},{r.split(',')[1]}\n" for r in ROWS), "same name and the same figures"),
    (GOOD + "\nSource: a bank, retrieved today\nNote: not adjusted\n", "2 lines after the last observation"),
    (GOOD.replace("\n2023", "%\n2023").replace("DGS10%", "DGS10")[:-1] + "%\n", "percent signs"),
    (GOOD + "2023-03-15,4", "cut off?"),
])
def test_oddities_are_told_and_the_figures_read(text, words):
    publication = read(text)
    assert publication.series[0].values.tolist()[:10] == EXPECTED
    assert any(words in str(r) for r in publication.remarks), publication.remarks


@pytest.mark.parametrize("scale", [lambda i: 1 if i < 5 else 100, lambda i: 100 if i < 5 else 1,
                                   lambda i: 100 if i == 5 else 1])
def test_a_change_of_unit_inside_a_file_is_a_warning_at_its_row(scale):
    text = "observation_date,DGS10\n" + "".join(f"{d},{(4 + i / 100) / scale(i):.8f}\n" for i, d in enumerate(DAYS))
    (remark,) = read(text).remarks
    assert "factor of 100" in remark.rule and remark.row == 7 and remark.field == "DGS10"
    assert not read(GOOD).remarks


def test_order_of_day_and_month_by_what_the_rows_allow():
    swapped = "date,A\n" + "".join(f"{d[8:]}/{d[5:7]}/{d[:4]},{i + 1}\n" for i, d in enumerate(DAYS))
    assert str(read(swapped).series[0].dates[-1]) == "2023-03-14"
    with pytest.raises(InputError, match="impossible date"):
        read(swapped + "03/25/2023,5\n")
    open_question = read("date,A\n01/02/2023,1\n01/03/2023,2\n02/04/2023,3\n")
    assert any("month/day/year" in str(r) for r in open_question.remarks)


def test_parquet_with_text_intraday_stamps_nested_or_no_rows():
    def write(table):
        buffer = io.BytesIO()
        table.write_parquet(buffer)
        return buffer.getvalue()

    stamps = pl.datetime_range(pl.datetime(2023, 3, 1), pl.datetime(2023, 3, 1, 9), "1h", eager=True)
    for table, words in (
        (pl.DataFrame({"date": stamps, "A": range(10)}), "one date, different values"),
        (pl.DataFrame({"date": DAYS, "A": [*map(str, range(9)), "x"]}), "a number is expected"),
        (pl.DataFrame({"date": DAYS, "A": [[1]] * 10}), "holds no figures"),
        (pl.DataFrame({"date": [], "A": []}), "no observations"),
    ):
        with pytest.raises(InputError, match=words):
            read(write(table))
    with pytest.raises(InputError, match="cannot be read"):
        read(write(pl.DataFrame({"date": DAYS, "A": range(10)}))[:200])


def test_a_preamble_may_talk_of_months():
    text = "Series,ten-year yield\nFrequency,Month\nUnit,percent\n\n" + GOOD
    assert values(text) == EXPECTED


def test_another_frequency_goes_in_under_an_id_of_its_own():
    text = "observation_date,DGS10\n" + "".join(f"2023-{m:02d}-01,4.{m:02d}\n" for m in range(1, 13))
    (series,) = read_publication(text.encode(), "x.csv", "DGS10_monthly").series
    assert (series.id, series.frequency, str(series.dates[1])) == ("DGS10_monthly", "monthly", "2023-02-28")
    assert "assumed" in series.note


def test_two_observations_tell_their_period_when_they_begin_or_end_months():
    for days, frequency, last in ((("2020-01-01", "2020-07-01"), "irregular", "2020-07-01"),
                                  (("2020-01-01", "2020-04-01"), "quarterly", "2020-06-30"),
                                  (("2020-01-31", "2020-02-29"), "monthly", "2020-02-29"),
                                  (("2020-01-02", "2020-01-03"), "daily", "2020-01-03")):
        (series,) = read("date,MY_OWN\n" + "".join(f"{d},1.5\n" for d in days)).series
        assert (series.frequency, str(series.dates[-1])) == (frequency, last)


@pytest.mark.parametrize(("head", "cell", "words"), [
    ("DEXJPUS", lambda i: 150.1 + i / 10 if i < 5 else 1 / (150.1 + i / 10), "the other way round"),
    ("MY_STOCK", lambda i: 8_000 + i if i < 5 else 8 + i / 1000, "a factor of 1,000"),
    ("MY_STOCK", lambda i: 8 + i if i != 5 else (8 + i) * 1e6, "a factor of 1,000,000"),
])
def test_turned_quotes_and_other_scales_inside_a_file_are_told_at_their_row(head, cell, words):
    remarks = read(f"date,{head}\n" + "".join(f"{d},{cell(i):.8f}\n" for i, d in enumerate(DAYS))).remarks
    assert len(remarks) == 1 and words in remarks[0].rule and remarks[0].row == 7


def test_decimals_where_the_publisher_writes_percent_are_told():
    days = [f"2023-03-{d:02d}" for d in range(1, 31)]
    yields = "observation_date,DGS10\n" + "".join(f"{d},0.0{40 + i}\n" for i, d in enumerate(days))
    assert any("look like decimals" in str(r) for r in read(yields).remarks)
    bills = yields.replace("DGS10", "DGS1MO")  # below 0.1 percent for years
    assert not read(bills).remarks


def test_the_first_days_of_january_are_not_taken_for_months_in_silence():
    text = "date,A\n" + "".join(f"{d:02d}/01/2024,{d}\n" for d in (2, 3, 4, 5, 8, 9))
    assert any("not certain" in str(r) for r in read(text).remarks)
    months = "date,A\n" + "".join(f"{m}/1/{y},{m}\n" for y in (2023, 2024) for m in range(1, 13))
    assert not read(months).remarks
