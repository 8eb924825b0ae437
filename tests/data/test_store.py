"""Run folders appear whole or not at all, whatever happens to the writer."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskengine.base.errors import InputError
from riskengine.data import store as store_module
from riskengine.data.run_files import hash_arrays, hash_files, hash_json, plain, write_json, write_table
from riskengine.data.store import RunStore, make_run_id

ROOT = Path(__file__).resolve().parents[2]
AS_OF = "2024-09-24"


def run_id(n: int, tag: str = "0123abcd") -> str:
    return make_run_id(datetime(2024, 9, 24, 20, tzinfo=UTC) + timedelta(seconds=n), tag)


def publish(store: RunStore, n: int, tag: str = "0123abcd") -> Path:
    with store.begin(AS_OF, run_id(n, tag)) as folder:
        write_json(folder / "summary.json", {"n": n})
    return store.path(AS_OF, run_id(n, tag))


def hidden(out: Path) -> list[str]:
    return [e.name for e in out.iterdir() if e.name.startswith(".") and e.name != ".lock"]


def test_run_id_is_utc_and_sorts_by_time():
    madrid = datetime(2024, 9, 24, 22, 0, 0, 5_000, tzinfo=timezone(timedelta(hours=2)))
    assert make_run_id(madrid, "0123abcdef") == "20240924T200000005Z-0123abcd"
    assert run_id(1) < run_id(2)
    with pytest.raises(InputError):
        make_run_id(datetime(2024, 9, 24), "0123abcd")
    with pytest.raises(InputError):
        make_run_id(madrid, "xyz")


def test_a_run_appears_only_when_it_is_complete(tmp_path):
    store = RunStore(tmp_path / "runs")
    with store.begin(AS_OF, run_id(1)) as folder:
        (folder / "report.html").write_text("half")
        (folder / "inputs").mkdir()
        (folder / "inputs" / "portfolio.csv").write_text("x")
        assert store.finished_runs() == [] and store.latest() is None
        assert not store.path(AS_OF, run_id(1)).exists()
    final = store.path(AS_OF, run_id(1))
    assert sorted(p.name for p in final.rglob("*")) == ["inputs", "portfolio.csv", "report.html"]
    assert store.latest() == final.resolve() and store.finished_runs() == [final]
    assert os.readlink(store.out / "latest") == f"{AS_OF}/{run_id(1)}"  # relative: the folder can be moved
    assert hidden(store.out) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_or_interrupted_run_leaves_nothing(tmp_path, error):
    store = RunStore(tmp_path)
    with pytest.raises(error), store.begin(AS_OF, run_id(1)) as folder:
        (folder / "report.html").write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


WRITER = textwrap.dedent("""
    import sys, time
    from riskengine.data.store import RunStore
    store = RunStore(sys.argv[1])
    with store.begin("2024-09-24", "20240924T200000000Z-deadbeef") as folder:
        (folder / "report.html").write_text("half")
        print("writing", flush=True)
        time.sleep(60)
""")


def test_kill_leaves_nothing_that_looks_finished_and_the_next_run_cleans_up(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        assert process.stdout.readline() == "writing\n"
        watcher = RunStore(tmp_path)  # another run starts while this one writes: it must not touch its folder
        assert len(hidden(tmp_path)) == 1
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    finally:
        process.kill()
        process.stdout.close()
    assert watcher.finished_runs() == [] and watcher.latest() is None
    assert [e for e in tmp_path.iterdir() if not e.name.startswith(".")] == []
    assert len(hidden(tmp_path)) == 1
    publish(RunStore(tmp_path), 1)
    assert hidden(tmp_path) == []


def test_leftovers_are_judged_by_host_and_process_start(tmp_path):
    store = RunStore(tmp_path)
    mine = store._hidden("partial")
    _, _, host, pid, started, token = mine.name.replace(".", "-", 1).split("-")
    same_number_new_process = f".partial-{host}-{pid}-{int(started) + 1}-{token}"
    other_host = f".partial-00000000-{pid}-{int(started) + 1}-{token}"
    dangling_link = f".latest-{host}-{pid}-{int(started) + 1}-{token}"
    for name in (mine.name, same_number_new_process, other_host):
        (tmp_path / name).mkdir()
    (tmp_path / dangling_link).symlink_to("nowhere")
    assert RunStore(tmp_path).clean() == []  # opening the store has cleaned already
    in_doubt = {same_number_new_process, dangling_link} if started == "0" else set()  # without /proc
    assert set(hidden(tmp_path)) == {mine.name, other_host} | in_doubt


def test_two_runs_at_once_do_not_disturb_each_other(tmp_path):
    errors, started = [], threading.Barrier(4)

    def work(tag):
        try:
            store = RunStore(tmp_path)
            started.wait()
            for n in range(8):
                publish(store, n, tag)
                store.prune(6)
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"{i:08x}",)) for i in range(4)]
    for t in threads:
        t.start()
    seen = 0
    while any(t.is_alive() for t in threads):
        latest = RunStore(tmp_path).latest()
        for run in RunStore(tmp_path).finished_runs():
            try:
                assert "n" in json.loads((run / "summary.json").read_text())
                seen += 1
            except FileNotFoundError:
                assert not run.exists()  # pruned meanwhile, as a whole
        time.sleep(0.001)
        assert latest is None or latest.parent.name == AS_OF
    for t in threads:
        t.join()
    assert errors == [] and seen > 0
    store = RunStore(tmp_path)
    assert 6 <= len(store.finished_runs()) <= 10 and store.latest() is not None and hidden(tmp_path) == []


def test_the_same_run_is_not_written_twice(tmp_path):
    store = RunStore(tmp_path)
    final = publish(store, 1)
    with pytest.raises(InputError, match="exists already"):
        publish(store, 1)
    with pytest.raises(InputError, match="exists already"), store.begin(AS_OF, run_id(2)) as folder:
        (folder / "a").write_text("mine")
        publish(RunStore(tmp_path), 2)  # somebody else is faster
    assert json.loads((final / "summary.json").read_text()) == {"n": 1}
    assert json.loads((store.path(AS_OF, run_id(2)) / "summary.json").read_text()) == {"n": 2}
    assert hidden(tmp_path) == []


def test_latest_without_links(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no links here")

    monkeypatch.setattr(os, "symlink", refuse)
    store = RunStore(tmp_path)
    publish(store, 1)
    final = publish(store, 2)
    assert (tmp_path / "latest").read_text() == f"{AS_OF}/{run_id(2)}\n"
    assert store.latest() == final.resolve()


def test_latest_that_is_a_real_folder_is_refused(tmp_path):
    (tmp_path / "latest").mkdir()
    with pytest.raises(InputError, match="'latest' must be free"):
        RunStore(tmp_path)


def test_previous_run(tmp_path):
    store = RunStore(tmp_path)
    first, second = publish(store, 1), publish(store, 5)
    assert store.previous_run(run_id(1)) is None
    assert store.previous_run(run_id(5)) == first
    assert store.previous_run(run_id(9)) == second
    to_the_second = "20240924T200003Z-0123abcd"
    assert store.previous_run(to_the_second) == first


def test_prune_keeps_the_newest_and_the_latest(tmp_path):
    store = RunStore(tmp_path)
    runs = [publish(store, n) for n in (2, 3, 4, 1)]  # the last to finish is the oldest to begin
    assert store.latest() == runs[3].resolve()
    assert store.prune(2) == [runs[0]]
    assert store.finished_runs() == [runs[3], runs[1], runs[2]]
    with pytest.raises(InputError):
        store.prune(0)


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_out_that_is_a_file_is_refused(tmp_path, place):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is not a folder"):
        RunStore(tmp_path / place)


def test_out_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(store_module.Path, "touch", refuse)
    with pytest.raises(InputError, match="cannot be written .Permission denied"):
        RunStore(tmp_path)


@pytest.mark.parametrize("as_of, name", [("2024-9-24", run_id(1)), (AS_OF, "../../etc"), (AS_OF, "latest")])
def test_names_that_are_no_run_are_refused(tmp_path, as_of, name):
    with pytest.raises(InputError, match="run folder name"):
        RunStore(tmp_path).path(as_of, name)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12)


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_json_round_trip(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "round_trip.json"
    write_json(path, value)
    assert json.loads(path.read_text(encoding="utf-8")) == value
    assert hash_json(value) == hash_json(json.loads(path.read_text(encoding="utf-8")))


def test_json_is_strict(tmp_path):
    value = {"a": float("nan"), "b": np.array([1.0, np.inf]), "c": (np.int64(3), np.bool_(True)),
             0.95: np.float64(2), "d": np.array(["2024-09-24"], dtype="datetime64[D]"),
             "e": np.datetime64("2024-09-24")}
    write_json(tmp_path / "x.json", value)

    def refuse(word):
        raise AssertionError(word)

    assert json.loads((tmp_path / "x.json").read_text(), parse_constant=refuse) == {
        "a": None, "b": [1.0, None], "c": [3, True], "0.95": 2.0, "d": ["2024-09-24"], "e": "2024-09-24"}
    with pytest.raises(TypeError, match="set has no JSON form"):
        plain({"a": {1, 2}})


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(), st.integers(-(2**62), 2**62), st.text()), min_size=1, max_size=20))
def test_table_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "round_trip.parquet"
    frame = pl.DataFrame(rows, schema={"x": pl.Float64, "n": pl.Int64, "s": pl.String}, orient="row")
    write_table(path, frame)
    assert pl.read_parquet(path).equals(frame)
    assert pl.read_parquet_metadata(path)["schema_version"] == "1.0"


def test_tables_from_rows_whose_first_values_are_missing(tmp_path):
    write_table(tmp_path / "t.parquet", [{"a": None, "b": 1}] * 200 + [{"a": 0.5, "b": 2}])
    back = pl.read_parquet(tmp_path / "t.parquet")
    assert back.schema == {"a": pl.Float64, "b": pl.Int64} and back["a"][-1] == 0.5


def test_hashes_see_what_matters_and_nothing_else(tmp_path):
    (tmp_path / "a.csv").write_text("1")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.csv").write_text("1")
    assert hash_files([tmp_path / "a.csv"]) == hash_files([tmp_path / "sub" / "a.csv"])
    (tmp_path / "sub" / "a.csv").write_text("2")
    assert hash_files([tmp_path / "a.csv"]) != hash_files([tmp_path / "sub" / "a.csv"])
    x = np.arange(6.0).reshape(2, 3)
    assert hash_arrays({"x": x}) == hash_arrays({"x": np.asfortranarray(x)})
    assert hash_arrays({"x": x}) != hash_arrays({"x": x.reshape(3, 2)})
    assert hash_arrays({"x": x}) != hash_arrays({"x": x.astype(np.float32)})
    assert hash_json({"a": 1, "b": 2}) == hash_json({"b": 2, "a": 1}) != hash_json({"a": 1, "b": 3})
