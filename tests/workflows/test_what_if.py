"""The Python door and the pool of sessions: frames in and out, changed files, the README's example."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas
import polars
import pyarrow
import pytest

import riskengine
from riskengine.base.errors import InputError
from riskengine.cli import run as command
from riskengine.execution import Serial
from riskengine.resident.request import WhatIfRequest
from riskengine.workflows.what_if import SessionPool, Setup

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "configs" / "portfolios" / "global_macro.csv"
PATHS = 2048
ASKED = {"scenario": "china_sells_treasuries", "trades": ["buy 250m UST 10Y"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A configuration of its own, so that files may change."""
    made = tmp_path_factory.mktemp("what_if_config")
    shutil.copytree(ROOT / "configs", made, dirs_exist_ok=True)
    return made


def test_the_readme_example():
    from riskengine import what_if

    answer = what_if("china_sells_treasuries", sets=["foreign_selling.amount_usd_bn=300"],
                     trades=["buy 250m UST 10Y", "sell 500m USDJPY 3M fwd"], paths=8192)
    change = answer.change.filter(polars.col("part") == "total")
    assert change.filter(measure="es", level=0.975)["value"].item() < 0
    assert set(answer.trades["trade"]) == {"buy 250m UST 10Y", "sell 500m USDJPY 3M fwd", "all together"}


@pytest.mark.parametrize(("read", "kind"), [
    (lambda: polars.read_csv(BOOK), polars.DataFrame), (lambda: pandas.read_csv(BOOK), pandas.DataFrame),
    (lambda: polars.read_csv(BOOK).to_arrow(), pyarrow.Table),
])
def test_frames_in_and_out_are_of_one_kind_and_say_what_the_file_says(read, kind, world):
    frame = read()
    from_frame, from_file = riskengine.load_portfolio(frame, world.as_of), riskengine.load_portfolio(BOOK, world.as_of)
    assert [(p.position_id, p.instrument, p.tags) for p in from_frame.positions] == [
        (p.position_id, p.instrument, p.tags) for p in from_file.positions]
    found = riskengine.what_if("fed_response", portfolio=frame, paths=512)
    assert isinstance(found.change, kind) and isinstance(found.trades, kind)
    want = riskengine.what_if("fed_response", portfolio=BOOK, paths=512)
    assert found.answer["after"] == want.answer["after"]


def test_a_bad_frame_is_refused_with_its_rows(world):
    frame = polars.read_csv(BOOK).with_columns(type=polars.lit("fx_spott"))
    with pytest.raises(InputError) as refused:
        riskengine.load_portfolio(frame, world.as_of)
    assert refused.value.problems[0].row == 2 and "fx_spot" in refused.value.problems[0].accepted
    with pytest.raises(InputError, match="polars, pandas or Arrow"):
        riskengine.load_portfolio(object(), world.as_of)
    with pytest.raises(InputError, match="unknown kind of frame"):
        riskengine.what_if(frames="excel")


def test_html_escapes_what_users_type(world):
    found = riskengine.what_if("fed_response", paths=512)
    found.answer["scenario"]["title"] = "<script>alert(1)</script>"
    html = found._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html and "512 paths" in html


def test_a_changed_file_gives_a_new_session_an_unchanged_one_the_same(folder):
    pool = SessionPool(Serial())
    setup = Setup(config=str(folder / "nightly.toml"), paths=PATHS)
    first = pool.session(setup)
    assert pool.session(setup) is first
    book = folder / "portfolios" / "global_macro.csv"
    book.write_text(book.read_text(encoding="utf-8").replace("FX-EUR-1,fx_spot,,300000000",
                                                             "FX-EUR-1,fx_spot,,310000000"), encoding="utf-8")
    second = pool.session(setup)
    assert second is not first and second.world is first.world
    limits = folder / "limits.toml"
    limits.write_text(limits.read_text(encoding="utf-8").replace("80e6", "70e6"), encoding="utf-8")
    third = pool.session(setup)
    assert third is not second and third.world is first.world
    assert pool.session(Setup(config=setup.config, paths=512)).spec.paths == 512


def test_a_scenario_beside_the_configuration_is_read_at_every_question(folder):
    pool = SessionPool(Serial())
    setup = Setup(config=str(folder / "nightly.toml"), paths=512)
    file = folder / "scenarios" / "china_sells_treasuries.toml"
    before = pool.answer(setup, [WhatIfRequest("china_sells_treasuries")])[0]
    file.write_text(file.read_text(encoding="utf-8").replace("months = 12 }", "months = 6 }", 1), encoding="utf-8")
    after = pool.answer(setup, [WhatIfRequest("china_sells_treasuries")])[0]
    assert (before["horizon_days"]["after"], after["horizon_days"]["after"]) == (260, 130)


@pytest.mark.parametrize(("setup", "wanted"), [
    ({"paths": 1000}, "multiple"), ({"as_of": "yesterday"}, "--as-of"), ({"portfolio": "nowhere.csv"}, "does not exist"),
    ({"as_of": "1890-01-01"}, "--as-of"), ({"accounts": "soon"}, "--accounts"),
])
def test_a_wrong_setup_is_refused(setup, wanted):
    with pytest.raises(InputError) as refused:
        SessionPool(Serial()).session(Setup.from_json(setup))
    assert wanted in str(refused.value)


def test_a_setup_from_json_is_checked():
    for bad in ([], {"pathz": 1}, {"paths": "many"}, {"paths": True}, {"config": 5}):
        with pytest.raises(InputError):
            Setup.from_json(bad)


def test_the_command_prints_the_session_s_numbers(capsys):
    arguments = ["what-if", "china_sells_treasuries", "--trade", ASKED["trades"][0], "--paths", str(PATHS),
                 "--no-resident"]
    assert command([*arguments, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)["what_ifs"][0]
    want = SessionPool(Serial()).answer(Setup(paths=PATHS), [WhatIfRequest(**ASKED)])[0]
    for answer in (printed, want):
        answer.pop("seconds")
    assert printed == want
    assert command(arguments) == 0
    text = capsys.readouterr().out
    assert f"{want['after']['es']['0.975']['value'] / 1e6:,.1f}" in text
    assert want["trades"][0]["understood"] in " ".join(text.split()) and "incremental" in text


def test_several_scenarios_and_trades_give_a_table(capsys):
    assert command(["what-if", "fed_response", "dollar_2022", "--trade", "buy 250m UST 10Y", "--trade", "short 2000 ES",
                    "--paths", "512", "--no-resident"]) == 0
    text = capsys.readouterr().out
    assert text.count("incremental ES 97.5%") == 1, "one table for all scenarios, not one each"
    head = next(line for line in text.splitlines() if line.startswith("incremental ES"))
    assert "fed_response" in head and "dollar_2022" in head


@pytest.mark.parametrize(("arguments", "wanted"), [
    (["nope"], "unknown scenario"), (["fed_response", "--set", "x=1"], "no such knob"),
    (["--trade", "buy eggs"], "'eggs'"), (["--scale", "UST"], "--scale"), (["--remove", "NOPE"], "no such position"),
    (["--horizon", "soon"], "tenor"), (["--paths", "7"], "multiple"),
    (["--paths", str(512 * 10**7)], "too many paths"), (["--scale", "UST-N6=nan"], "not a size"),
    (["--scale", "UST-N6=1e300"], "out of range"), ([""], "name of a scenario is empty"),
    (["--data", "no/such/folder"], "no such folder"), (["fed_response", "--set", "horizon=soon"], "26w"),
    (["--trade", ""], "the trade is empty"),
])
def test_a_wrong_line_is_one_message_and_exit_code_1(arguments, wanted, capsys):
    assert command(["what-if", *arguments, "--no-resident"]) == 1
    captured = capsys.readouterr()
    assert wanted in captured.err and captured.out == "" and "Traceback" not in captured.err


def test_sentences_on_the_terminal_stay_within_100_columns(capsys):
    assert command(["what-if", "exodus_10pct", "--trade", "buy 250m UST 10Y", "--set", "foreign_selling.share=20%",
                    "--paths", "2048", "--no-resident"]) == 0
    text = capsys.readouterr().out
    assert [line for line in text.splitlines() if len(line) > 100] == []
    assert "USD mn" in text and "probability 2%" in text
