"""summary.json keeps its keys; the archive loses nothing; the Parquet tables carry schema and run."""

import copy
import dataclasses
import json
import math
from datetime import date

import numpy as np
import polars as pl
import pytest
from night_factory import make_night

from riskengine.base.errors import InputError
from riskengine.reports.archive import dump_night, load_night
from riskengine.reports.nightly import render_night
from riskengine.reports.summary import (
    CHAIN_KEYS, SCENARIO_KEYS, TOP_KEYS, parse_summary, summarize, validate_summary,
)
from riskengine.reports.tables import TABLES
from riskengine.result import SCHEMA_VERSION


@pytest.fixture(scope="module")
def night():
    return make_night()


def same(a, b):
    """Deep equality in which NaN equals NaN, arrays compare exactly and types must agree."""
    if dataclasses.is_dataclass(a) and not isinstance(a, type):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name))
                                          for f in dataclasses.fields(a))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return isinstance(b, float) and (a == b or math.isnan(a) and math.isnan(b))
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and a == b


def test_summary_has_every_promised_key_and_survives_json(night):
    text = json.dumps(summarize(night), allow_nan=False)
    summary = parse_summary(text)
    assert set(TOP_KEYS) <= set(summary) and summary["schema_version"] == SCHEMA_VERSION
    assert summary["baseline"]["horizon_days"] == 1
    assert [b["horizon_days"] for b in summary["baseline"]["by_horizon"]] == [1, 10]
    assert summary["baseline"]["var"]["0.99"] == night.baseline[0].total.var[2]
    error, tail = summary["baseline"]["standard_error"], night.baseline[0].total
    assert error["sampling"]["es"]["0.975"] == tail.se_es[1]
    assert error["given_draws"]["var"]["0.95"] == tail.se_var_given_draws[0]
    for got, scenario in zip(summary["scenarios"], night.scenarios, strict=True):
        assert set(SCENARIO_KEYS) <= set(got)
        assert got["moves"]["UST_10Y"] == scenario.moves["UST_10Y"]
        assert (got["chain"] is None) == (scenario.chain is None)
        if scenario.chain:
            assert set(got["chain"]) == set(CHAIN_KEYS)
            low, high = got["chain"]["broad_dollar"]["p16"], got["chain"]["broad_dollar"]["p84"]
            assert low <= got["chain"]["broad_dollar"]["median"] <= high
            assert got["ledger_max_imbalance_usd_bn"] == scenario.ledger.max_imbalance_usd_bn
    assert summary["limits"][4]["value"] is None  # NaN in the result
    far, got = night.baseline[1].far_tail, summary["baseline"]["by_horizon"][1]["far_tail"]
    assert got["es"]["0.999"] == far.es[1] and got["plain"]["standard_error"]["var"]["0.99"] == far.plain_se_var[0]
    assert got["variance_reduction"]["es"]["0.99"] == far.variance_reduction_es[0]
    bare = dataclasses.replace(night, baseline=tuple(dataclasses.replace(r, far_tail=None) for r in night.baseline))
    assert summarize(bare)["baseline"]["far_tail"] is None


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (lambda s: s.pop("nav_usd"), "nav_usd"),
        (lambda s: s["baseline"].pop("standard_error"), "baseline.standard_error"),
        (lambda s: s["scenarios"][1].pop("plausibility"), "scenarios[1].plausibility"),
        (lambda s: s["scenarios"][2]["chain"].pop("broad_dollar"), "scenarios[2].chain.broad_dollar"),
        (lambda s: s["scenarios"][2]["chain"]["broad_dollar"].pop("p16"),
         "scenarios[2].chain.broad_dollar.p16"),
        (lambda s: s["scenarios"][0].update(expected_pnl_usd="much"), "scenarios[0].expected_pnl_usd"),
        (lambda s: s["scenarios"][0]["var"].update({"0.99": True}), "scenarios[0].var.0.99"),
        (lambda s: s.update(schema_version="9.0"), "schema_version"),
        (lambda s: s.update(limits={}), "limits"),
    ],
)
def test_a_broken_summary_is_named(night, spoil, field):
    summary = copy.deepcopy(summarize(night))
    assert validate_summary(summary) == []
    spoil(summary)
    assert field in [p.field for p in validate_summary(summary)]
    with pytest.raises(InputError, match=field.split(".")[-1]):
        parse_summary(json.dumps(summary))


def test_nan_in_a_summary_file_is_refused():
    with pytest.raises(InputError, match="NaN"):
        parse_summary('{"nav_usd": NaN}')


def test_archive_round_trip_is_lossless_and_renders_the_same_report(night):
    odd = dataclasses.replace(night, tables={
        **night.tables, "odd": [{"day": date(2024, 9, 24), "pair": (1, 2.5), "nan": math.nan,
                                 "inf": -math.inf,
                                 "array": np.array([[1.0, math.nan]]), 3: "integer key",
                                 "$tuple": "not a tag",
                                 "flags": np.array([True, False]),
                                 "day64": np.datetime64("2024-09-24", "D")}]})
    back = load_night(json.loads(json.dumps(dump_night(odd), allow_nan=False)))
    assert same(odd, back)
    assert render_night(back) == render_night(odd)


def test_archive_unpacks_numpy_scalars_to_equal_values(night):
    changed = dataclasses.replace(night, nav_usd=np.float64(1.5), seed=np.int64(3))
    back = load_night(json.loads(json.dumps(dump_night(changed))))
    assert back.nav_usd == 1.5 and type(back.nav_usd) is float and back.seed == 3


def test_archives_of_other_kinds_and_versions_are_refused(night):
    archive = dump_night(night)
    for spoiled, word in (
        ({}, "not an archive"), ({**archive, "schema_version": "9.1"}, "another version"),
        ({**archive, "night": {"$type": "Popen"}}, "unknown type"),
        ({**archive, "night": {**archive["night"], "new": 1}}, "unknown field"),
        ({**archive, "night": {k: v for k, v in archive["night"].items() if k != "as_of"}}, "missing field"),
        ({**archive, "night": {"$code": "x"}}, "unknown tag"),
    ):
        with pytest.raises(InputError, match=word):
            load_night(spoiled)
    with pytest.raises(InputError, match="cannot be archived"):
        dump_night(dataclasses.replace(night, tables={"bad": object()}))


def test_a_position_without_sensitivities_has_an_empty_list(night):
    first, *others = night.baseline[0].positions
    bare = dataclasses.replace(first, sensitivities={}, assumed_inputs=())
    risk = dataclasses.replace(night.baseline[0], positions=(bare, *others))
    frame = TABLES["risk"](dataclasses.replace(night, baseline=(risk, *night.baseline[1:])))
    of = frame.filter((pl.col("node") == first.position_id) & (pl.col("horizon_days") == risk.horizon_days))
    assert of["sensitivities"].to_list() == [[]] and of["assumed_inputs"].to_list() == [[]]
    groups = frame.filter(pl.col("node_type") != "position")
    assert groups["sensitivities"].null_count() == groups.height > 0


def test_tables_carry_schema_run_and_the_numbers_of_the_result(night, tmp_path):
    frames = {name: build(night) for name, build in TABLES.items()}
    for name, frame in frames.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
        assert pl.read_parquet(tmp_path / f"{name}.parquet").equals(frame, null_equal=True)
        assert frame["schema_version"].unique().to_list() == [SCHEMA_VERSION]
        assert frame["run_id"].unique().to_list() == [night.run_id]
    risk = frames["risk"]
    late = risk.filter((pl.col("horizon_days") == 10) & (pl.col("level") == 0.975))
    total, desks = (late.filter(pl.col("node_type") == kind) for kind in ("total", "desk"))
    assert total["standalone_es_usd"].item() == night.baseline[1].total.es[1]
    assert desks["component_es_usd"].sum() == pytest.approx(total["component_es_usd"].item())
    first = night.baseline[0].positions[0]
    row = risk.filter((pl.col("node") == first.position_id) & (pl.col("horizon_days") == 1)).row(0,
                                                                                                 named=True)
    assert {s["factor"]: s["usd"] for s in row["sensitivities"]} == first.sensitivities
    scenarios = frames["scenarios"].filter(pl.col("measure") == "expected_pnl")
    for s in night.scenarios:
        rows = scenarios.filter(pl.col("scenario") == s.name)
        by = {d: rows.filter(pl.col("dimension") == d)["value"].sum()
              for d in ("total", "asset_class", "channel", "position")}
        assert all(v == pytest.approx(s.expected_pnl_usd, abs=1.0) for v in by.values())
    ledger = frames["ledger"]
    assert len(ledger) == sum(len(s.ledger.rows) for s in night.scenarios if s.ledger)
    sums = ledger.filter(pl.col("identity") != "memo").group_by("scenario",
                                                                "identity").agg(pl.col("median_usd_bn").sum())
    assert sums["median_usd_bn"].abs().max() < 1e-9
    ladder = frames["exposures"].filter((pl.col("kind") == "key_rate_dv01") & (pl.col("desk") == "total"))
    assert dict(zip(ladder["name"], ladder["value"], strict=True)) == night.exposures.key_rate_dv01
