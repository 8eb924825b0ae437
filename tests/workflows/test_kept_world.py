"""A kept world, kept draws and kept limits answer with the bits of a world just built, and only while valid."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from riskengine.base.errors import InputError
from riskengine.execution import Serial
from riskengine.resident.request import WhatIfRequest
from riskengine.workflows import build_world as room
from riskengine.workflows import what_if
from riskengine.workflows.build_world import build_world, kept_world
from riskengine.workflows.what_if import SessionPool, Setup

ROOT = Path(__file__).resolve().parents[2]
QUESTION = WhatIfRequest("china_sells_treasuries", ("foreign_selling.amount_usd_bn=300",))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RISKENGINE_CACHE", str(tmp_path))
    return tmp_path


def same(a, b):
    """Equal in type and to the bit, arrays in memory order and flags as well."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert (a.dtype, a.shape, a.strides) == (b.dtype, b.shape, b.strides) and a.tobytes() == b.tobytes()
        assert a.flags.writeable == b.flags.writeable
    elif dataclasses.is_dataclass(a):
        for f in dataclasses.fields(a):
            same(getattr(a, f.name), getattr(b, f.name))
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert a == b or a != a


def test_a_kept_world_is_the_built_one_to_the_bit(cache, monkeypatch):
    day = "2019-06-28"
    kept_world(day, "as_of", "x")
    built = []
    monkeypatch.setattr(room, "build_world", lambda *args: built.append(args))
    found = kept_world(day, "as_of", "x")
    assert not built
    monkeypatch.undo()
    same(found, build_world(day, "as_of"))


def test_another_day_accounts_or_configuration_is_another_world(cache, monkeypatch):
    monkeypatch.setattr(room, "build_world", lambda *args: args)
    for question in (("2019-06-28", "as_of", "x"), ("2019-06-27", "as_of", "x"), ("2019-06-28", "latest", "x"),
                     ("2019-06-28", "as_of", "y")):
        assert kept_world(*question) == question[:2]
    assert len(list((cache / "worlds").iterdir())) == 4
    with pytest.raises(InputError, match="outside the data"):
        kept_world("1999-01-04", "as_of", "x")


def test_an_answer_from_memory_has_the_bits_of_one_from_scratch(cache, monkeypatch):
    setup = Setup(paths=2048)
    changed = dataclasses.replace(QUESTION, trades=("buy 250m UST 10Y",))
    first = SessionPool(Serial()).answer(setup, [QUESTION, changed])
    assert {f.name for f in cache.iterdir()} >= {"worlds", "draws", "limits"}
    monkeypatch.setattr("riskengine.resident.what_if.draw_cache", lambda *_: pytest.fail("simulated again"))
    again = SessionPool(Serial()).answer(setup, [QUESTION])
    monkeypatch.undo()
    monkeypatch.setenv("RISKENGINE_CACHE", str(cache / "other"))
    scratch = SessionPool(Serial()).answer(setup, [QUESTION, changed])
    for found, want in ((first[0], scratch[0]), (first[1], scratch[1]), (again[0], scratch[0])):
        assert {**found, "seconds": 0} == {**want, "seconds": 0}


def test_another_seed_or_world_is_remembered_apart_and_limits_by_book(cache):
    spec = SessionPool(Serial()).session(Setup(paths=512)).spec
    other = dataclasses.replace(spec, seed=spec.seed + 1)
    questions = [("w", spec, "b", "draws"), ("w2", spec, "b", "draws"), ("w", other, "b", "draws"),
                 ("w", spec, "b", "limits"), ("w", spec, "b2", "limits"), ("w", other, "b", "limits")]
    for n, (world, chosen, book, what) in enumerate(questions):
        remember = what_if._memory((world,), chosen, book, True)
        assert remember(what, "key", lambda n=n: n) == n and remember(what, "key", lambda: -1) == n
    assert what_if._memory(("w",), spec, "b2", True)("draws", "key", lambda: -1) == 0, "draws need no book"


def test_books_that_are_no_files_and_very_many_paths_are_not_kept(cache):
    spec = SessionPool(Serial()).session(Setup(paths=512)).spec
    many = dataclasses.replace(spec, paths=what_if.MOST_KEPT_PATHS + spec.draws)
    assert what_if._memory((), spec, None, False)("limits", 1, lambda: 1) == 1
    assert what_if._memory((), many, None, True)("draws", 1, lambda: 1) == 1
    assert not (cache / "limits").exists() and not (cache / "draws").exists()


def test_a_warm_what_if_loads_neither_the_readers_nor_the_laboratory(cache):
    code = ("import sys\nfrom riskengine.cli import run\nassert run(sys.argv[1:]) == 0\n"
            "print([m for m in ('polars', 'factors', 'statsmodels', 'pandas', 'numba.np.linalg', 'plotly', 'jinja2')"
            " if m in sys.modules], file=sys.stderr)")
    line = [sys.executable, "-c", code, "what-if", "fed_response", "--paths", "512", "--no-resident"]
    for _ in range(2):
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.stderr.strip() == "[]", done.stderr
