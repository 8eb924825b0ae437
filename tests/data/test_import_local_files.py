"""The files of ../shared/data, when they are there: all import, with the series and spans expected of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from riskengine.data.local_store import open_store
from riskengine.workflows.data import group_status, import_files, imported_status

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")
LOCAL_FAMILIES = {
    "acm": 6, "case_shiller": 23, "etf": 21, "fed_stress": 84, "ff10": 10, "ff5": 6, "fredqd": 245,
    "fx_close": 4, "h10": 12, "sovereign10y": 7, "tic.flows": 24, "tic.holders": 57, "tic.slt": 1536,
}
FRED = {"COMREPUSQ159N", "CSUSHPINSA", "DFF", "DFII10", "DFII30", "DFII5", "DGS1", "DGS10", "DGS1MO", "DGS2",
        "DGS20", "DGS30", "DGS3MO", "DGS5", "DGS6MO", "DGS7", "DTWEXBGS", "DTWEXM", "IIPUSNETIQ", "SP500",
        "T10YIE", "T5YIE", "VIXCLS"}


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    return import_files([SHARED / "local"], folder), open_store(folder)


def test_every_local_file_imports_with_the_series_expected(imported):
    outcome, store = imported
    assert not outcome.failed, [str(p) for f in outcome.failed for p in f.problems]
    assert len(outcome.files) == sum(p.is_file() for p in (SHARED / "local").rglob("*")) >= 42
    prefixes = Counter(".".join(i.split(".")[:2]) if i.startswith("tic.") else i.split(".")[0]
                       for i in store.series if "." in i)
    assert prefixes == LOCAL_FAMILIES
    assert {i for i in store.series if "." not in i} == FRED


def test_spans_units_and_frequencies(imported):
    _, store = imported
    for series_id, first, last, frequency, unit in (
        ("DGS10", "1962-01-02", "2024-12-31", "daily", "percent"),
        ("DTWEXBGS", "2006-01-02", "2024-12-31", "daily", "index, January 2006 = 100"),
        ("SP500", "1962-01-02", "2024-12-31", "daily", "index points"),
        ("IIPUSNETIQ", "2006-03-31", "2022-06-30", "quarterly", "USD mn"),
        ("CSUSHPINSA", "1987-01-31", "2024-12-31", "monthly", "index, January 2000 = 100"),
        ("etf.VNQ", "2004-09-29", "2024-12-31", "daily", "USD per share"),
        ("ff5.Mkt-RF", "1963-07-01", "2024-12-31", "daily", "percent return"),
        ("h10.KRW", "1981-04-13", "2021-07-02", "daily", "KRW per USD"),
        ("h10.EUR", "1999-01-04", "2024-12-31", "daily", "USD per EUR"),
        ("tic.slt.japan.treas_pos", "2020-01-31", "2024-12-31", "monthly", "USD mn"),
        ("tic.flows.official.treas_net", "1985-01-31", "2024-12-31", "monthly", "USD mn"),
        ("tic.holders.japan", "2000-03-31", "2024-12-31", "monthly", "USD bn"),
        ("fed_stress.usd_per_gbp", "1976-03-31", "2024-12-31", "quarterly", "USD per GBP"),
        ("fredqd.GDPC1", "1959-03-31", "2024-12-31", "quarterly", "as published by FRED-QD"),
        ("acm.ACMY10", "1961-06-30", "2024-12-31", "monthly", "percent"),
    ):
        entry = store.series[series_id]
        assert entry.last == last and entry.frequency == frequency and entry.unit == unit, entry
        assert entry.first[:7] == first[:7], entry


def test_sums_that_must_hold_in_what_was_read(imported):
    _, store = imported

    def at(series_id, day):
        dates, values = store.read(series_id)
        return float(values[dates == np.datetime64(day)][0])

    for day in ("2020-06-30", "2024-12-31"):
        classes = sum(at(f"tic.slt.grand_total.{c}_pos", day) for c in ("treas", "agcy", "corp", "eqty"))
        assert classes == pytest.approx(at("tic.slt.grand_total.total_pos", day), rel=1e-6)
        both = at("tic.slt.foreign_official.treas_pos", day) + at("tic.slt.foreign_non_official.treas_pos", day)
        assert both == pytest.approx(at("tic.slt.grand_total.treas_pos", day), rel=1e-6)
        assert at("tic.flows.total.treas_pos", "2024-12-31") == at("tic.slt.grand_total.treas_pos", "2024-12-31")
    breakeven = at("DGS10", "2024-12-31") - at("DFII10", "2024-12-31")
    assert breakeven == pytest.approx(at("T10YIE", "2024-12-31"), abs=0.011)


def test_reading_again_changes_nothing_and_is_quick_enough(imported):
    outcome, store = imported
    again = import_files([SHARED / "local" / "treasury", SHARED / "local" / "fed_stress_test"], store.folder)
    assert again.version == outcome.version and not any(f.added or f.replaced or f.vanished for f in again.files)


def test_the_scenarios_are_not_observations(imported):
    _, store = imported
    assert store.series["fed_stress.severely_adverse_2025.vix_quarter_max"].published == "2025-02-28"
    assert not len(store.read_as_of("fed_stress.severely_adverse_2025.vix_quarter_max", "2024-12-31")[0])
    late = [e for e in store.series.values() if e.last > "2024-12-31"]
    assert late and all(e.published for e in late)


def test_status_shows_families_and_every_entry_says_what_it_is(imported):
    _, store = imported
    rows = imported_status(store, "2024-12-31")
    assert len(rows) == 2058 and all(r["unit"] and r["source"] != "not stated" for r in rows)
    families = {r["series"]: r["count"] for r in group_status(rows)}
    assert families["tic.slt.*"] == 1536 and families["DGS10"] == 1


def test_the_public_files_import_too(tmp_path):
    outcome = import_files([SHARED / "public"], tmp_path, latest="2026-12-31")
    assert not outcome.failed, [str(p) for f in outcome.failed for p in f.problems]
    store = open_store(tmp_path)
    assert {"treasury.10Y", "h10_per_usd.EUR", "g5_per_usd.KRW", "GDP", "CPIAUCSL", "GS10",
            "fed_stress.vix_quarter_max"} <= set(store.series)
    assert store.series["GDP"].first == "1947-03-31" and store.series["treasury.10Y"].first == "1962-01-02"
    assert store.series["h10_per_usd.EUR"].unit == "EUR per USD"
