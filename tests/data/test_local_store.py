"""The data store: content versions, the merge rule, point in time, crashes, damage, two writers at once."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from riskengine.base.errors import InputError
from riskengine.data import local_store
from riskengine.data.local_store import (
    EMBEDDED,
    ImportedSeries,
    open_store,
    store_folder,
    versions,
    write_batches,
    write_series,
)
from riskengine.data.selection import active_store, select_store, use_store

ROOT = Path(__file__).resolve().parents[2]


def make(series_id="X", dates=("2024-01-02", "2024-01-03", "2024-01-04"), values=(1.0, 2.0, 3.0), **more):
    return ImportedSeries(**({
        "id": series_id, "title": "a title", "unit": "percent", "frequency": "daily", "source": "somebody",
        "publisher_file": "x.csv", "dates": np.array(dates, "M8[D]"), "values": np.array(values, float),
        "lag_days": 0, "revised": False} | more))


def counts(change):
    return (change.added, change.replaced, change.vanished, change.unchanged)


def test_what_is_written_is_read_to_the_bit(tmp_path):
    numbers = np.array([1 / 3, -0.1, 1e-300])
    change = write_series([make(values=numbers)], tmp_path)
    dates, values = open_store(tmp_path).read("X")
    assert values.tobytes() == numbers.tobytes() and dates.dtype == np.dtype("M8[D]")
    entry = change.store.series["X"]
    assert (entry.first, entry.last, entry.rows) == ("2024-01-02", "2024-01-04", 3)
    assert change.before == EMBEDDED and counts(change.changes[0]) == (3, 0, 0, 0)


def test_nothing_there_is_an_empty_store_that_writes_nothing(tmp_path):
    store = open_store(tmp_path / "none")
    assert store.version == EMBEDDED and not store.series and not (tmp_path / "none").exists()
    with pytest.raises(InputError, match="no such series"):
        store.read("DGS10")


def test_version_depends_on_figures_and_meaning_not_on_names_times_or_order(tmp_path):
    one = write_series([make("A"), make("B", values=(4, 5, 6))], tmp_path / "1").version
    write_series([make("B", values=(4, 5, 6), publisher_file="other.csv")], tmp_path / "2")
    assert write_series([make("A", publisher_file="z.txt")], tmp_path / "2").version == one
    for other in (make("A", values=(1, 2, 3.0000001)), make("A", lag_days=1), make("A", revised=True)):
        assert write_series([other, make("B", values=(4, 5, 6))], tmp_path / repr(other.lag_days) / str(
            other.values[2]) / str(other.revised)).version != one


def test_the_same_again_changes_nothing_on_disk(tmp_path):
    write_series([make()], tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file() and p.name != ".lock"}
    change = write_series([make(publisher_file="again.csv")], tmp_path)
    assert change.version == change.before and counts(change.changes[0]) == (0, 0, 0, 3)
    assert not change.changes[0].any
    assert before == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file() and p.name != ".lock"}


def test_merge_rule_replaces_keeps_what_is_outside_and_takes_out_what_vanished(tmp_path):
    old = write_series([make(dates=[f"2024-01-0{d}" for d in range(1, 8)], values=range(7))], tmp_path)
    new = write_series([make(dates=("2024-01-03", "2024-01-05", "2024-01-06"), values=(2, 40, 50))], tmp_path)
    assert counts(new.changes[0]) == (0, 2, 1, 1)
    dates, values = new.store.read("X")
    assert [str(d)[-1] for d in dates] == ["1", "2", "3", "5", "6", "7"]
    assert values.tolist() == [0, 1, 2, 40, 50, 6]
    assert open_store(tmp_path, old.version[:8]).read("X")[1].tolist() == list(range(7))
    assert [s.version for s in versions(tmp_path)] == [old.version, new.version]


def test_going_back_to_old_figures_is_the_old_version(tmp_path):
    first = write_series([make()], tmp_path).version
    assert write_series([make(values=(1, 2, 9))], tmp_path).version != first
    assert write_series([make()], tmp_path).version == first == open_store(tmp_path).version


def test_a_description_that_changes_is_a_version_without_new_values(tmp_path):
    first = write_series([make()], tmp_path)
    change = write_series([make(lag_days=5)], tmp_path)
    assert change.changes[0].described and counts(change.changes[0]) == (0, 0, 0, 3)
    assert change.version != first.version and len(list((tmp_path / "objects").iterdir())) == 1
    assert change.store.read("X")[1].tolist() == [1, 2, 3]


@pytest.mark.parametrize("field", ["unit", "frequency"])
def test_another_unit_or_frequency_is_refused(tmp_path, field):
    write_series([make()], tmp_path)
    with pytest.raises(InputError, match=f"the {field} differs"):
        write_series([make(**{field: "monthly"})], tmp_path)
    assert open_store(tmp_path).series["X"].unit == "percent"


@pytest.mark.parametrize(("bad", "words"), [
    (make("has space"), "series id"), (make("../up"), "series id"), (make(frequency="hourly"), "frequency"),
    (make(values=(1, 2)), "one date per value"), (make(dates=(), values=()), "at least one"),
    (make(values=(1, np.nan, 3)), "finite"), (make(values=(1, np.inf, 3)), "finite"),
    (make(dates=("2024-01-02", "2024-01-02", "2024-01-04")), "ascend"),
    (make(dates=("2024-01-05", "2024-01-03", "2024-01-04")), "ascend"),
])
def test_malformed_series_are_refused_and_nothing_is_written(tmp_path, bad, words):
    with pytest.raises(InputError, match=words):
        write_series([make("GOOD"), bad], tmp_path)
    assert open_store(tmp_path).version == EMBEDDED


def test_batches_stand_alone_one_version_for_all(tmp_path):
    change, results = write_batches([[make("A")], [make("B"), make("B")], [make("A", values=(1, 2, 4))]], tmp_path)
    assert isinstance(results[1], InputError) and "given twice" in str(results[1])
    assert sorted(change.store.series) == ["A"] and len(versions(tmp_path)) == 1
    assert counts(results[2][0]) == (0, 1, 0, 2) and change.store.read("A")[1].tolist() == [1, 2, 4]


def test_what_was_known_when(tmp_path):
    months = ("2024-09-30", "2024-10-31", "2024-12-31")
    write_series([make("M", months, frequency="monthly", lag_days=10, lag_fourth_quarter=40),
                  make("S", months, published="2024-02-28")], tmp_path)
    store = open_store(tmp_path)
    known = {day: len(store.read_as_of("M", day)[0]) for day in
             ("2024-10-09", "2024-10-10", "2024-11-09", "2024-11-10", "2025-02-08", "2025-02-09")}
    assert known == {
        "2024-10-09": 0, "2024-10-10": 1, "2024-11-09": 1, "2024-11-10": 2, "2025-02-08": 2, "2025-02-09": 3}
    assert len(store.read_as_of("S", "2024-02-27")[0]) == 0 and len(store.read_as_of("S", "2024-02-28")[0]) == 3


# ------------------------------------------------------------------------------------- crashes and damage


@pytest.mark.parametrize("victim", ["objects", "versions", "CURRENT"])
def test_a_crash_at_any_step_leaves_the_old_version(tmp_path, monkeypatch, victim):
    old = write_series([make()], tmp_path).version
    real = local_store._replace

    def dies(path, payload):
        if victim in path.parts[-2:]:
            raise KeyboardInterrupt
        real(path, payload)

    monkeypatch.setattr(local_store, "_replace", dies)
    with pytest.raises(KeyboardInterrupt):
        write_series([make(values=(7, 8, 9))], tmp_path)
    monkeypatch.undo()
    assert open_store(tmp_path).version == old and open_store(tmp_path).read("X")[1].tolist() == [1, 2, 3]
    assert write_series([make(values=(7, 8, 9))], tmp_path).store.read("X")[1].tolist() == [7, 8, 9]


def test_what_a_killed_writer_left_is_cleared(tmp_path):
    write_series([make()], tmp_path)
    left = tmp_path / "objects" / ".partial-abc"
    left.write_bytes(b"half")
    write_series([make(values=(7, 8, 9))], tmp_path)
    assert not left.exists()


def test_damage_is_named(tmp_path):
    write_series([make()], tmp_path)
    (path,) = (tmp_path / "objects").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    local_store._load_object.cache_clear()
    with pytest.raises(InputError, match="damaged"):
        open_store(tmp_path).read("X")
    path.unlink()
    local_store._load_object.cache_clear()
    with pytest.raises(InputError, match="damaged"):
        open_store(tmp_path).read("X")
    (tmp_path / "CURRENT").write_text("nonsense")
    with pytest.raises(InputError, match="CURRENT"):
        open_store(tmp_path)


def test_a_tampered_list_of_entries_is_noticed(tmp_path):
    version = write_series([make()], tmp_path).version
    path = tmp_path / "versions" / f"{version}.json"
    described = json.loads(path.read_text())
    described["series"][0]["lag_days"] = 99
    path.write_text(json.dumps(described))
    local_store._load_version.cache_clear()
    with pytest.raises(InputError, match="does not match its name"):
        open_store(tmp_path)


def test_unknown_versions_and_files_in_place_of_folders(tmp_path):
    version = write_series([make()], tmp_path).version
    with pytest.raises(InputError, match=version[:12]):
        open_store(tmp_path, "abcdef")
    with pytest.raises(InputError, match="no such version"):
        open_store(tmp_path, "not hex")
    assert open_store(tmp_path, EMBEDDED).series == {}
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(InputError, match="not a folder"):
        open_store(file)
    with pytest.raises(InputError, match="cannot be written"):
        write_series([make()], file)


WRITER = """
import sys, numpy as np
from riskengine.data.local_store import ImportedSeries, write_series
days = np.array(["2024-01-02"], "M8[D]")
for k in range(8):
    write_series([ImportedSeries(f"{sys.argv[2]}{k}", "t", "percent", "daily", "s", "f", days,
                                 np.array([float(k)]), 0, False)], sys.argv[1])
"""


def test_two_writers_at_once_lose_nothing(tmp_path):
    running = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name], cwd=ROOT) for name in "AB"]
    assert [p.wait(timeout=60) for p in running] == [0, 0]
    store = open_store(tmp_path)
    assert sorted(store.series) == sorted(f"{n}{k}" for n in "AB" for k in range(8))
    assert all(store.read(f"{n}{k}")[1].tolist() == [k] for n in "AB" for k in range(8))


# ------------------------------------------------------------------------------------- selection


def test_where_the_store_lies(tmp_path, monkeypatch):
    monkeypatch.setenv("RISKENGINE_DATA", str(tmp_path / "env"))
    assert store_folder() == tmp_path / "env" and store_folder(tmp_path) == tmp_path
    monkeypatch.delenv("RISKENGINE_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    if sys.platform.startswith("linux"):
        assert store_folder() == tmp_path / "xdg" / "riskengine" / "data"


def test_a_block_reads_one_version_whatever_is_imported_meanwhile(tmp_path):
    first = write_series([make()], tmp_path)
    with use_store(tmp_path) as store:
        write_series([make(values=(7, 8, 9))], tmp_path)
        assert active_store() is store and active_store().read("X")[1].tolist() == [1, 2, 3]
        with use_store(tmp_path):
            assert active_store().read("X")[1].tolist() == [7, 8, 9]
        assert active_store().version == first.version
    assert active_store().version == EMBEDDED  # the folder of the tests
    with use_store(tmp_path, first.version[:6]):
        assert active_store().version == first.version


def test_the_choice_for_the_process_holds_in_every_thread(tmp_path):
    version = write_series([make()], tmp_path).version
    seen = []
    select_store(tmp_path)
    try:
        thread = threading.Thread(target=lambda: seen.append(active_store().version))
        thread.start()
        thread.join()
    finally:
        select_store()
    assert seen == [version] and active_store().version == EMBEDDED


def test_an_entry_says_where_it_came_from_and_what_was_assumed(tmp_path):
    entry = write_series([replace(make(), note="lag assumed")], tmp_path).store.series["X"]
    assert entry.publisher_file == "x.csv" and entry.note == "lag assumed" and entry.imported_at


def test_figures_a_hundred_times_the_stored_ones_are_another_unit(tmp_path):
    write_series([make()], tmp_path)
    for scale in (100, 0.01):
        with pytest.raises(InputError, match="another unit"):
            write_series([make(values=np.array([1.0, 2.0, 3.0]) * scale)], tmp_path)
    assert write_series([make(values=(1.0, 2.0, 300.0))], tmp_path).changes[0].replaced == 1


@pytest.mark.parametrize(("change", "words"), [
    (lambda v: v / 1000, "1/1,000 of"), (lambda v: v * 1e6, "1,000,000 times"), (lambda v: 1 / v, "one over"),
    (lambda v: np.r_[v[0] * 1.7, v[1:] / 100], "1/100 of"),
])
def test_another_scale_or_a_turned_quote_is_refused_and_the_store_stays(tmp_path, change, words):
    days = np.arange("2024-01-01", "2024-01-06", dtype="datetime64[D]")
    values = np.array([150.1, 151.0, 149.5, 150.7, 152.2])
    first = write_series([make("X", days, values)], tmp_path)
    with pytest.raises(InputError, match=words):
        write_series([make("X", days, change(values))], tmp_path)
    assert open_store(tmp_path).version == first.version
    assert write_series([make("X", days, values * 1.3)], tmp_path).changes[0].replaced == 5  # rebased
