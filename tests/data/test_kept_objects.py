"""Kept objects come back to the bit, whole and of this program, or are made again."""

from __future__ import annotations

import os
import pickle
import stat
import time

import numpy as np
import pytest

from riskengine.base.errors import Problem
from riskengine.data import kept_objects
from riskengine.data.kept_objects import kept, made_of


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RISKENGINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "things"


def never():
    raise AssertionError("made although it was kept")


def thing():
    frozen = np.array([[1.0, np.nan, -0.0], [5e-324, 0.1, 3.0]])
    frozen.flags.writeable = False
    return {"frozen": frozen, "open": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
            "days": np.array(["2024-01-02"], dtype="datetime64[D]"), "problem": Problem("rule", got="x"),
            "number": np.float64(0.1), "same": frozen}


def test_it_comes_back_to_the_bit(folder):
    made = kept("things", "a", thing)
    found = kept("things", "a", never)
    assert found is not made and list(found) == list(made) and found["problem"] == made["problem"]
    for name in ("frozen", "open", "days"):
        old, new = made[name], found[name]
        assert new.dtype == old.dtype and new.strides == old.strides and new.tobytes("A") == old.tobytes("A")
        assert new.flags.writeable == old.flags.writeable and new.flags.aligned
    assert found["same"] is found["frozen"] and found["number"] == 0.1
    assert kept("things", "b", lambda: 1) == 1, "another key is another object"


def test_the_user_alone_may_read_it(folder):
    kept("things", "a", thing)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(f.stat().st_mode) for f in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("harm", [
    lambda f: f.write_bytes(f.read_bytes()[:-1]), lambda f: f.write_bytes(b""),
    lambda f: f.write_bytes(f.read_bytes()[:40] + b"x" + f.read_bytes()[41:]),
    lambda f: f.write_bytes(b"not a kept object at all, and longer than a digest is"),
])
def test_a_damaged_file_is_made_again(folder, harm):
    kept("things", "a", thing)
    (file,) = folder.iterdir()
    harm(file)
    assert kept("things", "a", lambda: "new") == "new"
    assert kept("things", "a", never) == "new"


RAN = []


def run_me():
    RAN.append(1)


class Foreign:
    def __reduce__(self):
        return run_me, ()


@pytest.mark.parametrize("payload", [Foreign(), {"x": [Foreign()]}, print, eval])
def test_code_of_others_is_not_run(folder, payload):
    import hashlib

    kept("things", "a", thing)
    (file,) = folder.iterdir()
    body = pickle.dumps(payload)
    file.write_bytes(hashlib.sha256(body).digest() + body)
    assert kept("things", "a", lambda: "new") == "new" and not RAN


def test_a_folder_open_to_others_is_neither_read_nor_written(folder):
    kept("things", "a", thing)
    folder.chmod(0o777)
    assert kept("things", "a", lambda: "new") == "new"
    assert kept("things", "b", lambda: "new") == "new" and len(list(folder.iterdir())) == 1


def test_the_oldest_goes_first(folder):
    for n, key in enumerate("abcd"):
        kept("things", key, lambda key=key: key, most=3)
        for f in folder.iterdir():
            os.utime(f, (n, n)) if f.stat().st_mtime > 1e6 else None
    assert len(list(folder.iterdir())) == 3
    assert kept("things", "a", lambda: "again", most=3) == "again"
    assert kept("things", "d", never, most=3) == "d"


def test_what_a_killed_process_left_half_written_goes_after_an_hour(folder):
    kept("things", "a", thing)
    for name, age in ((".old", 4000), (".new", 0)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age,) * 2)
    kept("things", "b", thing)
    assert not (folder / ".old").exists() and (folder / ".new").exists() and len(list(folder.iterdir())) == 3


def test_a_place_that_cannot_be_written_costs_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RISKENGINE_CACHE", str(tmp_path / "file"))
    assert kept("things", "a", lambda: 7) == 7


def test_the_program_and_the_libraries_are_part_of_the_key(tmp_path, monkeypatch):
    before = made_of()
    made_of.cache_clear()
    try:
        assert made_of() == before
        (tmp_path / "other-1.0.dist-info").mkdir()
        monkeypatch.syspath_prepend(str(tmp_path))
        made_of.cache_clear()
        with_other = made_of()
        package = tmp_path / "riskengine"
        (package / "data" / "bundled").mkdir(parents=True)
        monkeypatch.setattr(kept_objects, "_PACKAGE", package)
        seen = {before, with_other}
        for file in ("a.py", "data/bundled/x.parquet"):
            (package / file).write_text("1")
            made_of.cache_clear()
            seen.add(made_of())
        assert len(seen) == 4
    finally:
        made_of.cache_clear()
