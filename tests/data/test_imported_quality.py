"""Remarks on imported series: every planted fault is named by its series, and calm series are left alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from imported_data import business_days, series, write
from riskengine.cli import run
from riskengine.data.imported_quality import family_of, robust_scores, unit_changes
from riskengine.data.quality import data_quality, vintage_policies
from riskengine.data.selection import use_store

AS_OF = "2024-09-24"
DAYS = business_days("2018-01-01", AS_OF)
RNG = np.random.Generator(np.random.Philox(5))


def walk(level: float = 100.0, vol: float = 0.01) -> np.ndarray:
    return level * np.exp(np.cumsum(vol * RNG.standard_normal(len(DAYS))))


def remarks(folder, given, as_of: str = AS_OF):
    write(folder, given)
    with use_store(folder):
        return [i for i in data_quality(as_of)]


@pytest.mark.parametrize("factor, text", [(100, "× 100"), (0.001, "÷ 1,000"), (1e6, "× 1,000,000")])
def test_a_change_of_unit_is_found_on_its_day(factor, text):
    x = walk()
    x[700:] *= factor
    assert unit_changes(x) == [(700, text)]
    assert unit_changes(walk()) == [] and unit_changes(walk(0.0001)) == []


def test_an_inversion_is_found_and_a_misprint_is_none():
    x = walk(7.0, 0.001)
    x[500:] = 1.0 / x[500:]
    assert unit_changes(x) == [(500, "inverted")]
    y = walk()
    y[300] *= 100
    assert unit_changes(y) == []
    assert unit_changes(np.r_[walk(), -1.0]) == []


def test_planted_faults_are_named(tmp_path):
    jump, zero, odd = walk(), walk(), walk()
    jump[800:] *= 100
    zero[900] = 0.0
    sunday = np.datetime64("2023-04-02")
    at = int(np.searchsorted(DAYS, sunday))
    found = remarks(tmp_path, [
        series("etf.JUMP", DAYS, jump), series("etf.ZERO", DAYS, zero), series("etf.CALM", DAYS, walk()),
        series("etf.ODD", np.insert(DAYS, at, sunday), np.insert(odd, at, odd[at])),
        series("etf.OLD", DAYS[:-60], walk()[:-60]), series("UNHEARDOF", DAYS, walk()),
        series("CSUSHPINSA", np.array(["2022-01-31", "2022-02-28"], "datetime64[D]"), np.array([1.0, 2.0]),
               "monthly")])
    text = {(i.severity, i.series): i.message for i in found}
    assert str(DAYS[800]) in text["red", "etf.JUMP"] and "× 100" in text["red", "etf.JUMP"]
    assert str(DAYS[900]) in text["red", "etf.ZERO"]
    assert "2023-04-02" in text["warning", "etf.ODD"]
    assert "CSUSHPINSA 2022-02-28" in text["info", "FRED"]
    assert any("etf.OLD" in i.message and str(DAYS[-61]) in i.message for i in found if i.severity == "warning")
    assert any("does not know the series: UNHEARDOF" in i.message for i in found)
    assert not any("CALM" in i.series or "etf.CALM" in i.message for i in found)


def test_a_day_on_which_all_move_is_the_markets(tmp_path):
    paths = [walk() for _ in range(8)]
    for x in paths:
        x[1000:] *= 0.8  # all fall by a fifth
    paths[3][1200:] *= 1.25  # one rises alone
    found = remarks(tmp_path, [series(f"etf.F{k}", DAYS, x) for k, x in enumerate(paths)])
    alone = [i.message for i in found if "did not move as a whole" in i.message]
    assert len(alone) == 1 and "etf.F3 1 (largest" in alone[0] and str(DAYS[1200]) in alone[0]
    assert "etf.F0" not in alone[0]
    assert any("market-wide" in i.message and str(DAYS[1000]) in i.message for i in found)


def test_scores_skip_gaps_and_series_that_hardly_move():
    x = walk()
    x[500:] *= 3.0
    days = DAYS.copy()
    days[500:] += np.timedelta64(40, "D")
    when, z = robust_scores("price", days, x)
    assert np.isnan(z[499]) and np.nanmax(np.abs(z)) < 8
    assert np.isnan(robust_scores("rate", DAYS, np.r_[np.zeros(len(DAYS) - 1), 1.0])[1]).all()


def test_policies_state_lag_and_vintage_of_every_series(tmp_path):
    write(tmp_path, [series("DFF", DAYS, walk(5.0)), series("etf.SPY", DAYS, walk())])
    with use_store(tmp_path):
        rows = {r["id"]: r for r in vintage_policies(AS_OF)}
    assert rows["DFF"]["lag"] == "1" and rows["DFF"]["vintage"] == "final" and rows["DFF"]["last"] == "2024-09-23"
    assert "first release not known" in rows["etf.SPY"]["vintage"]
    assert "90 for a fourth quarter" in rows["external_saving_quarterly.GDP"]["lag"]
    assert rows["fx_daily.EUR"]["vintage"] == "final" and rows["macro_monthly.PCE"]["lag"] == "31"


def test_the_command_prints_and_answers_json(tmp_path, capsys):
    write(tmp_path, [series("etf.SPY", DAYS, walk())])
    assert run(["data", "quality", "--data", str(tmp_path), "--as-of", AS_OF]) == 0
    text = capsys.readouterr().out
    assert "RED" in text and "imported etf" in text and "first release is not known" in text
    assert run(["data", "quality", "--data", str(tmp_path), "--as-of", AS_OF, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["as_of"] == AS_OF and len(told["data_version"]) == 64
    assert {"severity", "series", "message"} <= set(told["items"][0])
    assert any(r["id"] == "etf.SPY" for r in told["series"])


def test_families():
    assert [family_of(n) for n in ("tic.slt.japan.treas_pos", "etf.SPY", "DGS10")] == ["tic.slt", "etf", "FRED"]
