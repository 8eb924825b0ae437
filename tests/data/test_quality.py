"""Defects put into data are found; the state of the embedded data is told as it is."""

from dataclasses import replace

import numpy as np
import pytest

from riskengine.data import quality
from riskengine.data.catalog import DEFAULT_AS_OF, PANELS, SERIES
from riskengine.data.panels import load_panel
from riskengine.data.quality import count_gaps, data_quality, inspect_moves, series_status

DAYS = np.arange("2020-01-01", "2021-01-01", dtype="datetime64[D]")
DAYS = DAYS[np.is_busday(DAYS)]
FX, YIELD = SERIES["fx_daily.EUR"], SERIES["treasury_par_daily.10Y"]
FLOW = SERIES["external_saving_quarterly.NETFI"]
NOTHING = {"outliers": 0, "largest": None, "reversals": [], "jumps": []}


def calm_price(seed=0):
    return np.exp(np.cumsum(0.005 * np.random.default_rng(seed).standard_normal(len(DAYS))))


def find(as_of, series):
    return [i for i in data_quality(as_of) if i.series == series]


# ---------------------------------------------------------------- injected defects

def test_calm_series_raises_nothing():
    assert inspect_moves(FX, DAYS, calm_price()) == NOTHING
    yields = 0.04 + np.cumsum(0.0005 * np.random.default_rng(1).standard_normal(len(DAYS)))
    assert inspect_moves(YIELD, DAYS, yields)["outliers"] == 0


def test_revaluation_is_an_outlier_and_not_a_misprint():
    x = calm_price()
    x[100:] *= 1.15
    found = inspect_moves(FX, DAYS, x)
    assert found["outliers"] == 1 and found["largest"][0] == str(DAYS[100]) and found["reversals"] == []
    assert found["largest"][1] == pytest.approx(np.log(1.15), abs=0.02) and found["jumps"] == []


def test_misprint_is_a_reversal():
    x = calm_price()
    x[100] *= 1.3
    assert inspect_moves(FX, DAYS, x)["reversals"] == [str(DAYS[100])]


def test_change_of_unit_is_seen():
    x = calm_price()
    x[100:] *= 1000  # redenomination
    assert inspect_moves(FX, DAYS, x)["jumps"] == [str(DAYS[100])]
    yields = np.full(len(DAYS), 0.04)
    yields[50:] = 4.0  # per cent instead of decimals
    assert inspect_moves(YIELD, DAYS, yields)["jumps"] == [str(DAYS[50])]
    flow = np.linspace(-5, 5, 60)
    flow[40] *= 1000  # millions instead of billions
    quarters = (np.datetime64("2000-04") + 3 * np.arange(60)).astype("datetime64[D]") - 1
    assert str(quarters[40]) in inspect_moves(FLOW, quarters, flow)["jumps"]


def test_move_across_a_long_gap_is_not_a_move():
    x = calm_price()
    x[100:] *= 1.5
    days = DAYS.copy()
    days[100:] += 200
    assert inspect_moves(FX, days, x)["outliers"] == 0


def test_gaps_are_counted():
    calendar = DAYS
    seen = np.delete(calendar, [10, 11, 12, 50])
    assert count_gaps(seen, calendar) == (4, 2, max(np.diff(seen).astype(int)))
    assert count_gaps(calendar, calendar)[:2] == (0, 0)
    assert count_gaps(calendar[5:], calendar)[:2] == (0, 0)  # starting late is no gap
    assert count_gaps(calendar[:1], calendar) == (0, 0, 0)


def test_repeated_dates_and_late_series_are_red(monkeypatch):
    real = quality.known_history

    def broken(name, as_of):
        dates, values = real(name, as_of)
        if name != "fx_daily":
            return dates, values
        dates, values = dates.copy(), values.copy()
        dates[-2] = dates[-3]
        values[-40:, 0] = np.nan
        return dates, values

    monkeypatch.setattr(quality, "known_history", broken)
    texts = [i.message for i in data_quality(DEFAULT_AS_OF) if i.series == "fx_daily" and i.severity == "red"]
    assert any("twice" in t for t in texts) and any("AUD" in t and "days before" in t for t in texts)


# ---------------------------------------------------------------- the embedded data as they are

def test_status_has_one_true_row_per_series():
    rows = series_status(DEFAULT_AS_OF)
    assert [r["id"] for r in rows] == list(SERIES)
    by_id = {r["id"]: r for r in rows}
    assert by_id["fx_daily.EUR"]["first"] == "1999-01-04" and by_id["fx_daily.EUR"]["stale_days"] == 0
    thirty = by_id["treasury_par_daily.30Y"]
    assert (thirty["gaps"], thirty["longest_gap_days"]) == (1, 1455)
    index = by_id["equity_daily.SP500"]
    assert (index["last"], index["stale_days"]) == ("2018-12-31", 2094)
    panel = load_panel("fx_daily", DEFAULT_AS_OF)
    for j, c in enumerate(panel.axis.labels):
        assert by_id[f"fx_daily.{c}"]["observations"] == np.isfinite(panel.values[:, j]).sum()


def test_status_before_a_series_begins():
    by_id = {r["id"]: r for r in series_status("1980-06-30")}
    assert by_id["fx_daily.EUR"]["first"] is None and by_id["fx_daily.EUR"]["observations"] == 0
    assert by_id["fx_daily.JPY"]["observations"] > 2000


def test_default_night_is_red_only_for_the_equity_history():
    items = data_quality(DEFAULT_AS_OF)
    assert [i.series for i in items if i.severity == "red"] == ["equity_daily"]
    assert "2018-12-31" in items[0].message and "import" in items[0].message
    order = [("red", "warning", "info").index(i.severity) for i in items]
    assert order == sorted(order)


def test_equity_history_is_not_red_while_it_lasts():
    assert not any(i.severity == "red" for i in find("2015-03-02", "equity_daily"))


def test_known_defects_are_told():
    text = " ".join(i.message for i in find(DEFAULT_AS_OF, "fx_daily"))
    assert "CNY" in text and "1994-01-03" in text and "DKK 1985-05-14" in text
    assert "2002-02-15" in find(DEFAULT_AS_OF, "treasury_par_daily.30Y")[0].message
    for as_of, tenor in (("2004-06-01", "30Y"), ("1992-05-04", "20Y")):
        items = find(as_of, "treasury_par_daily")
        assert any(i.severity == "warning" and tenor in i.message for i in items)
    assert any("revisions" in i.message for i in data_quality(DEFAULT_AS_OF))


def test_stale_market_data_are_red():
    red = {i.series for i in data_quality("2025-06-30") if i.severity == "red"}
    assert {"fx_daily", "treasury_par_daily", "equity_daily"} <= red


def test_overdue_release_is_a_warning():
    series = PANELS["external_saving_quarterly"].series[0]
    newest = quality._newest_due
    assert str(newest(series, np.datetime64("2024-08-28"))) == "2024-03-31"
    assert str(newest(series, np.datetime64("2024-08-29"))) == "2024-06-30"
    assert str(newest(series, np.datetime64("2024-03-29"))) == "2023-09-30"
    assert str(newest(replace(series, frequency="monthly", lag_days=0, lag_fourth_quarter=None),
                      np.datetime64("2024-02-29"))) == "2024-02-29"
    assert any(i.severity == "warning" for i in find("2025-06-30", "stress_history_quarterly"))
    assert not any(i.severity == "warning" for i in find(DEFAULT_AS_OF, "external_saving_quarterly"))
