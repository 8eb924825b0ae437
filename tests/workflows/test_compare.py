"""Two run folders side by side: stored split, plain differences, and what can be wrong with a folder."""

from __future__ import annotations

import copy
import json

import pytest

from riskengine.base.errors import InputError
from riskengine.workflows.compare import SPLIT, compare_runs

CHAIN = ("gross_orders_usd_bn", "net_outflow_usd_bn", "dollars_out_usd_bn", "broad_dollar",
         "treasury_10y_flow_bp", "treasury_10y_path_bp", "current_account_change_usd_bn_per_year")


def _tail(scale):
    zero = {"0.975": 0.0, "0.99": 0.0}
    error = {"var": zero, "es": zero}
    return {"var": {"0.975": 2.0 * scale, "0.99": 3.0 * scale},
            "es": {"0.975": 2.5 * scale, "0.99": 4.0 * scale},
            "standard_error": {"sampling": error, "given_draws": error}}


def _scenario(name, pnl):
    return {"name": name, "horizon_days": 260, "expected_pnl_usd": pnl, **_tail(-pnl), "by_asset_class": {},
            "channels": {}, "moves": {}, "chain": {k: {"median": 0.0, "p16": 0.0, "p84": 0.0} for k in CHAIN},
            "ledger_max_imbalance_usd_bn": 0.0, "variance_share": {"parameters": 0.3, "markets": 0.7},
            "plausibility": {"mahalanobis": 1.0, "probability": 0.9}, "flags": []}


def _summary(run_id, scale, scenarios, comparison=None):
    horizons = [{"horizon_days": days, **_tail(scale * days)} for days in (1, 10)]
    return {"schema_version": "1.0", "as_of": "2024-09-24", "accounts_as_of": "2023-06", "run_id": run_id,
            "seed": 1, "paths": 1024, "nav_usd": 100.0 * scale,
            "baseline": {**horizons[0], "by_horizon": horizons},
            "scenarios": scenarios, "limits": [], "data_quality": [], "comparison": comparison}


def _manifest(run_id, **hashes):
    return {"run_id": run_id, "as_of": "2024-09-24", "seed": 1, "paths": 1024, "draws": 512,
            "noise": "student_t", "hashes": {"portfolio": "aa", "data": "bb", "config": "cc"} | hashes}


def _write(folder, summary, manifest):
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


SPLIT_ROW = {"metric": "es_97.5_10d", "scope": "total", "before": 25.0, "after": 50.0, "change": 25.0,
             "positions": 20.0, "market_state": 4.0, "parameters": 0.5, "data": 0.0, "sampling": 0.5}
FAILED_ROW = {"metric": "var_99_1d", "scope": "total", "before": 3.0, "after": 6.0, "change": 3.0,
              **dict.fromkeys(SPLIT)}


@pytest.fixture
def runs(tmp_path):
    a = _write(tmp_path / "a", _summary("one", 1.0, [_scenario("exodus", -10.0), _scenario("old", -1.0)]),
               _manifest("one"))
    comparison = {"previous_run_id": "one", "note": "the older accounts are gone",
                  "rows": [SPLIT_ROW, FAILED_ROW]}
    later = [_scenario("exodus", -14.0), _scenario("new", -2.0)]
    b = _write(tmp_path / "b", _summary("two", 2.0, later, comparison), _manifest("two", portfolio="ff"))
    c = _write(tmp_path / "c", _summary("three", 2.0, later[:1]),
               _manifest("three", data="00") | {"paths": 2048, "as_of": "2024-09-25"})
    return a, b, c


def _rows(a, b):
    return {(r["metric"], r["scope"]): r for r in compare_runs(a, b)}


def test_the_split_stored_by_the_night_is_read_back_and_adds_up(runs):
    rows = _rows(*runs[:2])
    row = rows["es_975_10d", "total"]
    assert (row["before"], row["after"], row["change"]) == (25.0, 50.0, 25.0)
    assert [row[c] for c in SPLIT] == [20.0, 4.0, 0.5, 0.0, 0.5]
    assert sum(row[c] for c in SPLIT) == row["change"] and row["note"] == ""


def test_a_split_that_could_not_be_made_says_why(runs):
    rows = _rows(*runs[:2])
    assert rows["var_99_1d", "total"]["note"] == "the older accounts are gone"
    assert rows["var_99_1d", "total"]["sampling"] is None
    assert rows["expected_pnl", "exodus"]["note"] == "the night splits its main metrics only"


def test_every_metric_has_a_row_with_its_change(runs):
    rows = _rows(*runs[:2])
    assert list(rows)[:3] == [("nav", "total"), ("var_975_1d", "total"), ("var_99_1d", "total")]
    assert rows["nav", "total"]["change"] == 100.0
    assert rows["var_99_10d", "total"]["change"] == 30.0
    assert rows["expected_pnl", "exodus"]["change"] == -4.0
    assert rows["es_99_260d", "exodus"]["change"] == 16.0
    assert set(rows["nav", "total"]) == {"metric", "scope", "before", "after", "change", "note", *SPLIT}


def test_a_scenario_of_one_run_only_has_no_change(runs):
    rows = _rows(*runs[:2])
    old, new = rows["expected_pnl", "old"], rows["expected_pnl", "new"]
    assert (old["before"], old["after"], old["change"]) == (-1.0, None, None)
    assert (new["before"], new["after"], new["change"]) == (None, -2.0, None)
    assert (old["note"], new["note"]) == ("only in the earlier run", "only in the later run")


def test_runs_that_were_not_compared_give_differences_and_say_what_differs(runs):
    a, b, c = runs
    row = _rows(a, c)["es_975_10d", "total"]
    assert row["change"] == 25.0 and all(row[cause] is None for cause in SPLIT)
    assert row["note"] == ("difference only, the later run had no run before it; "
                           "what differs: as_of, data, paths")
    assert "reverse order" in _rows(b, a)["nav", "total"]["note"]
    assert "split against one" in _rows(c, b)["nav", "total"]["note"]
    assert _rows(a, a)["nav", "total"]["note"] == "the same run twice"


def test_a_metric_that_is_null_has_no_change(runs, tmp_path):
    summary = copy.deepcopy(json.loads((runs[0] / "summary.json").read_text()))
    summary["baseline"]["by_horizon"][0]["var"]["0.99"] = None
    d = _write(tmp_path / "d", summary | {"run_id": "four"}, _manifest("four"))
    row = _rows(d, runs[2])["var_99_1d", "total"]
    assert (row["before"], row["after"], row["change"]) == (None, 6.0, None)


def test_all_problems_of_both_folders_come_at_once(runs, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "summary.json").write_text('{"schema_version": "1.0"}')
    (broken / "manifest.json").write_text("[]")
    with pytest.raises(InputError) as caught:
        compare_runs(tmp_path / "nowhere", broken)
    texts = [str(p) for p in caught.value.problems]
    assert "not a run folder" in texts[0] and "nowhere" in texts[0]
    assert any("summary.json" in t and "'run_id'" in t for t in texts)
    assert any("manifest.json" in t and "list instead of an object" in t for t in texts)


def test_an_unfinished_folder_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        compare_runs(tmp_path / "empty", tmp_path / "empty")
    assert len(caught.value.problems) == 4
