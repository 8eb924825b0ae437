"""Portfolio files: what is accepted, and that nothing wrong gets through or gets lost."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import polars
import pytest

from riskengine.base.errors import InputError
from riskengine.data.portfolios import load_portfolio
from riskengine.instruments.equity import EquityHolding, EquityOption
from riskengine.instruments.fx import FxForward, FxOption, FxSpot
from riskengine.instruments.options import Strike
from riskengine.instruments.real_estate import Property, Residential
from riskengine.instruments.treasury import TreasuryBill, TreasuryCouponBond

AS_OF = "2024-09-24"
SHIPPED = Path(__file__).resolve().parents[2] / "configs" / "portfolios" / "global_macro.csv"
COLUMNS = ["position_id", "type", "quantity", "notional", "currency", "desk", "book", "strategy", "maturity", "coupon",
           "frequency", "expiry", "strike", "put_call", "underlying", "multiplier", "forward_rate", "property_type",
           "noi", "cap_rate", "ltv", "debt", "loan_rate", "metro", "value", "region"]
LABELS = {"desk": "macro", "book": "one", "strategy": "test"}

GOOD = {
    "fx_spot": {"notional": "1e6", "currency": "EUR"},
    "fx_forward": {"notional": "-5e8", "currency": "JPY", "maturity": "3M"},
    "fx_option": {"notional": "1e6", "currency": "CNY", "expiry": "2025-03-24", "strike": "102%F", "put_call": "call"},
    "treasury_bill": {"quantity": "1000000", "maturity": "6M"},
    "treasury_note": {"quantity": "1e6", "maturity": "2034-08-15", "coupon": "0.03875", "currency": "USD"},
    "treasury_bond": {"quantity": "-1e6", "maturity": "30Y", "coupon": "par"},
    "equity_index": {"quantity": "100", "underlying": "SP500"},
    "equity_future": {"quantity": "-10", "underlying": "NASDAQ", "expiry": "3M", "multiplier": "20"},
    "equity_option": {"quantity": "5", "underlying": "SP500", "expiry": "3M", "strike": "95%", "put_call": "PUT",
                      "multiplier": "100"},
    "equity_basket": {"notional": "-1e6", "underlying": "importers"},
    "listed_real_estate": {"notional": "1e6"},
    "property": {"property_type": "office", "noi": "7e6", "cap_rate": "0.07", "ltv": "0.5", "loan_rate": "0.055"},
    "residential": {"metro": "MIAMI", "value": "1e8", "noi": "4e6"},
}


def write(tmp_path, rows, columns=COLUMNS, name="book.csv", encoding="utf-8"):
    text = io.StringIO()
    out = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    out.writeheader()
    out.writerows(rows)
    path = tmp_path / name
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def good_row(kind, **changes):
    return {"position_id": f"id-{kind}", "type": kind, **LABELS, **GOOD[kind], **changes}


def test_every_type_is_read(tmp_path):
    portfolio, problems = load_portfolio(write(tmp_path, [good_row(k, region="asia") for k in GOOD]), AS_OF)
    assert problems == ()
    found = {p.type: p.instrument for p in portfolio.positions}
    assert set(found) == set(GOOD)
    assert found["fx_spot"] == FxSpot("EUR", 1e6)
    assert found["fx_forward"] == FxForward("JPY", -5e8, date(2024, 12, 24), Strike(1.0, "forward"))
    assert found["fx_option"] == FxOption("CNY", 1e6, date(2025, 3, 24), Strike(1.02, "forward"), 1.0)
    assert found["treasury_bill"] == TreasuryBill(1e6, date(2025, 3, 24))
    assert found["treasury_note"] == TreasuryCouponBond(1e6, date(2034, 8, 15), 0.03875, 2)
    assert found["treasury_bond"] == TreasuryCouponBond(-1e6, date(2054, 9, 24), "par", 2)
    assert found["equity_index"] == EquityHolding("SP500", units=100.0)
    assert found["equity_option"] == EquityOption("SP500", 5.0, 100.0, date(2024, 12, 24), Strike(0.95, "spot"), -1.0)
    assert found["equity_basket"] == EquityHolding("IMPORTERS", value=-1e6)
    assert found["property"] == Property("OFFICE", 7e6, 0.07, 0.0, 0.5, 0.055, 1.0)
    assert found["residential"] == Residential("MIAMI", 1e8, 4e6)
    assert portfolio.tag_names == ("region",)
    assert all(p.tags == (("region", "asia"),) for p in portfolio.positions)


def test_tenors_roll_with_the_as_of_date_and_dates_do_not(tmp_path):
    path = write(tmp_path, [good_row("treasury_note"), good_row("treasury_bond"), good_row("fx_forward", maturity="1M")])
    ends = [[p.instrument.maturity for p in load_portfolio(path, day)[0].positions] for day in (AS_OF, "2024-01-31")]
    assert ends == [[date(2034, 8, 15), date(2054, 9, 24), date(2024, 10, 24)],
                    [date(2034, 8, 15), date(2054, 1, 31), date(2024, 2, 29)]]


def test_the_shipped_book_loads_at_any_date():
    for day in (AS_OF, "2007-08-09", "2015-12-31", "2024-02-29"):
        portfolio, problems = load_portfolio(SHIPPED, day)
        assert problems == () and len(portfolio.positions) == 66


def test_column_order_case_blank_lines_and_a_byte_order_mark_do_not_matter(tmp_path):
    rows = [good_row(k) for k in GOOD]
    plain = load_portfolio(write(tmp_path, rows), AS_OF)[0]
    shuffled = write(tmp_path, rows, sorted(COLUMNS, reverse=True), "shuffled.csv", "utf-8-sig")
    shuffled.write_bytes(shuffled.read_bytes().replace(b"\n", b"\r\n\r\n").replace(b"position_id", b" Position_ID "))
    other = load_portfolio(shuffled, AS_OF)[0]
    assert [p.instrument for p in other.positions] == [p.instrument for p in plain.positions]


def test_parquet_with_typed_columns_equals_csv(tmp_path):
    rows = [good_row(k, region="asia") for k in GOOD]
    expected = load_portfolio(write(tmp_path, rows), AS_OF)[0]
    frame = polars.DataFrame([{c: r.get(c) for c in COLUMNS} for r in rows], infer_schema_length=None)
    frame = frame.with_columns(polars.col("notional", "quantity", "noi", "cap_rate", "multiplier").cast(polars.Float64))
    frame = frame.with_columns(polars.when(polars.col("expiry") == "2025-03-24").then(polars.lit(date(2025, 3, 24)))
                               .otherwise(None).alias("day"))
    path = tmp_path / "book.parquet"
    frame.drop("day").write_parquet(path)
    assert load_portfolio(path, AS_OF)[0].positions == expected.positions
    option = frame.filter(polars.col("type") == "fx_option").drop("expiry").rename({"day": "expiry"})
    option.write_parquet(path)
    assert load_portfolio(path, AS_OF)[0].positions[0].instrument == expected.positions[2].instrument


MALFORMED = {
    "unknown type": ("fx_spot", {"type": "fx_swap"}, "type", "unknown instrument type"),
    "blank id": ("fx_spot", {"position_id": " "}, "position_id", "blank"),
    "blank desk": ("fx_spot", {"desk": ""}, "desk", "blank"),
    "unknown currency": ("fx_spot", {"currency": "EURO"}, "currency", "unknown foreign currency"),
    "no currency": ("fx_spot", {"currency": ""}, "currency", "missing"),
    "dollars against dollars": ("fx_spot", {"currency": "USD"}, "currency", "unknown foreign currency"),
    "foreign Treasury": ("treasury_note", {"currency": "EUR"}, "currency", "USD"),
    "no size": ("fx_spot", {"notional": ""}, "notional", "size is missing"),
    "two sizes": ("treasury_bill", {"notional": "5"}, "quantity", "size once"),
    "zero": ("fx_spot", {"notional": "0"}, "notional", "zero"),
    "not a number": ("fx_spot", {"notional": "10 million"}, "notional", "finite number"),
    "thousands separators": ("fx_spot", {"notional": "1,000,000"}, "notional", "thousands"),
    "nan": ("treasury_bill", {"quantity": "nan"}, "quantity", "finite number"),
    "inf": ("treasury_bill", {"quantity": "-inf"}, "quantity", "finite number"),
    "no maturity": ("treasury_note", {"maturity": ""}, "maturity", "needs this term"),
    "matured": ("treasury_note", {"maturity": "2024-09-24"}, "maturity", "expired"),
    "expired option": ("fx_option", {"expiry": "2023-01-31"}, "expiry", "expired"),
    "US date": ("treasury_note", {"maturity": "08/15/2034"}, "maturity", "date or a tenor"),
    "no such day": ("treasury_note", {"maturity": "2034-02-30"}, "maturity", "date or a tenor"),
    "wrong tenor": ("treasury_note", {"maturity": "10 years"}, "maturity", "date or a tenor"),
    "absurd tenor": ("treasury_note", {"maturity": "9999Y"}, "maturity", "date or a tenor"),
    "past a century": ("treasury_note", {"maturity": "500Y"}, "maturity", "century"),
    "coupon in per cent": ("treasury_note", {"coupon": "3.875"}, "coupon", "range"),
    "frequency": ("treasury_note", {"frequency": "3"}, "frequency", "coupons a year"),
    "no strike": ("fx_option", {"strike": ""}, "strike", "needs this term"),
    "negative strike": ("fx_option", {"strike": "-1.1"}, "strike", "level or relative"),
    "strange strike": ("fx_option", {"strike": "25 delta"}, "strike", "level or relative"),
    "strike as a fraction of a per cent": ("fx_option", {"strike": "1.02%"}, "strike", "too far"),
    "put or call": ("fx_option", {"put_call": "straddle"}, "put_call", "put or call"),
    "unknown underlying": ("equity_index", {"underlying": "DAX"}, "underlying", "unknown underlying"),
    "basket as an index": ("equity_future", {"underlying": "EXPORTERS"}, "underlying", "unknown underlying"),
    "no multiplier": ("equity_future", {"multiplier": ""}, "multiplier", "needs this term"),
    "negative multiplier": ("equity_option", {"multiplier": "-50"}, "multiplier", "range"),
    "term of another type": ("fx_spot", {"strike": "1.1"}, "strike", "does not use"),
    "property type": ("property", {"property_type": "castle"}, "property_type", "unknown property_type"),
    "no income": ("property", {"noi": ""}, "noi", "needs this term"),
    "cap rate in per cent": ("property", {"cap_rate": "7"}, "cap_rate", "range"),
    "loan above value": ("property", {"ltv": "1.2"}, "ltv", "range"),
    "debt twice": ("property", {"debt": "1e6"}, "ltv", "once"),
    "debt without a rate": ("property", {"loan_rate": ""}, "loan_rate", "interest rate"),
    "short property": ("property", {"quantity": "-1"}, "quantity", "held short"),
    "more than the whole": ("property", {"quantity": "2"}, "quantity", "share owned"),
    "unknown metro": ("residential", {"metro": "CHICAGO"}, "metro", "unknown metro"),
    "short homes": ("residential", {"value": "-5"}, "value", "held short"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_row_is_refused_with_its_place_rule_and_value(tmp_path, name):
    kind, change, field, rule = MALFORMED[name]
    path = write(tmp_path, [{"position_id": "ok", "type": "fx_spot", **LABELS, **GOOD["fx_spot"]},
                            good_row(kind, **change)])
    with pytest.raises(InputError) as caught:
        load_portfolio(path, AS_OF)
    problems = caught.value.problems
    assert {(p.file, p.row) for p in problems} == {("book.csv", 3)}
    hits = [p for p in problems if p.field == field and rule in p.rule]
    assert hits, str(caught.value)
    value = change.get(field, "")
    assert value.strip() in hits[0].got


def test_all_bad_rows_are_reported_at_once_and_the_good_ones_go_on_when_asked(tmp_path):
    rows = [good_row(kind, position_id=f"bad-{i}") | change for i, (kind, change, *_) in enumerate(MALFORMED.values())]
    path = write(tmp_path, [*rows, *(good_row(k) for k in GOOD)])
    with pytest.raises(InputError) as caught:
        load_portfolio(path, AS_OF)
    assert {p.row for p in caught.value.problems} == set(range(2, 2 + len(MALFORMED)))
    portfolio, problems = load_portfolio(path, AS_OF, skip_bad_rows=True)
    assert [p.type for p in portfolio.positions] == list(GOOD)
    assert problems == caught.value.problems
    assert [p.row for p in problems] == sorted(p.row for p in problems)


def test_several_faults_of_one_row_are_all_reported(tmp_path):
    path = write(tmp_path, [good_row("fx_option", currency="XXX", notional="many", expiry="soon", put_call="both")])
    with pytest.raises(InputError) as caught:
        load_portfolio(path, AS_OF)
    assert {p.field for p in caught.value.problems} == {"currency", "notional", "expiry", "put_call"}


def test_an_id_is_used_once_and_the_first_row_stays(tmp_path):
    path = write(tmp_path, [good_row("fx_spot"), good_row("fx_spot", notional="7")])
    with pytest.raises(InputError, match="row 3.*unique.*first used in row 2"):
        load_portfolio(path, AS_OF)
    portfolio, problems = load_portfolio(path, AS_OF, skip_bad_rows=True)
    assert [p.instrument.notional for p in portfolio.positions] == [1e6]
    assert len(problems) == 1


FILES = {
    "empty": (b"", "empty"),
    "white space": (b" \n\n", "empty"),
    "header only": (",".join(COLUMNS).encode() + b"\n", "no positions"),
    "no header": (b"EUR-1,fx_spot,1e6,EUR\n", "missing column"),
    "missing columns": (b"position_id,type,notional\n1,fx_spot,5\n", "field 'desk': missing column"),
    "no size column": (b"position_id,type,desk,book,strategy\n1,fx_spot,a,b,c\n", "quantity, notional or both"),
    "column twice": (b"position_id,type,desk,book,strategy,notional,desk\n1,fx_spot,a,b,c,5,d\n", "appears twice"),
    "nameless column": (b"position_id,type,desk,book,strategy,notional,\n1,fx_spot,a,b,c,5,d\n", "no name"),
    "Latin-1": ("position_id,type,desk,book,strategy,notional\n1,fx_spot,Z\xfcrich,b,c,5\n".encode("latin-1"), "UTF-8"),
    "UTF-16": ("position_id,type\n".encode("utf-16"), "UTF-8"),
    "binary": (b"PAR1\0\0\0", "NUL"),
    "ragged": (b"position_id,type,desk,book,strategy,notional\n1,fx_spot,a,b,c\n", "number of cells"),
    "semicolons": (b"position_id;type;desk;book;strategy;notional\n1;fx_spot;a;b;c;5\n", "missing column"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("skip", [False, True])
def test_a_file_that_is_no_portfolio_is_refused_even_when_bad_rows_are_skipped(tmp_path, name, skip):
    content, rule = FILES[name]
    path = tmp_path / "book.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_portfolio(path, AS_OF, skip_bad_rows=skip)
    assert rule in str(caught.value)
    assert "book.csv" in str(caught.value)


def test_missing_file_and_false_parquet(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.csv.*does not exist"):
        load_portfolio(tmp_path / "nowhere.csv", AS_OF)
    (tmp_path / "x.parquet").write_text("position_id")
    with pytest.raises(InputError, match="not a Parquet file"):
        load_portfolio(tmp_path / "x.parquet", AS_OF)


def test_line_numbers_count_like_an_editor_with_quoted_line_breaks(tmp_path):
    path = tmp_path / "book.csv"
    path.write_text("position_id,type,desk,book,strategy,notional,currency,note\n"
                    'a,fx_spot,d,b,s,1,EUR,"two\nlines"\n\nb,fx_spot,d,b,s,x,EUR,\n', encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_portfolio(path, AS_OF)
    assert [p.row for p in caught.value.problems] == [5]
