"""The benchmark compares like with like: engine and NumPy peers agree, synthetic books load as files do."""

import json
import math
import xml.dom.minidom

import numpy as np
import pytest

from riskengine.base.errors import InputError
from riskengine.benchmark import books, peers, run, scaling, workloads
from riskengine.data.portfolios import load_portfolio
from riskengine.execution import Threads
from riskengine.instruments.book import compile_book


def test_w1_agrees_with_numpy_within_errors():
    work, paths = workloads.horizon_workload(), 100_000
    tails = work.run(paths)
    rows, components = peers.run_horizon(work, paths, np.float64, 2, workloads.LEVELS)
    for measure, error, i in ((tails.var, tails.se_var, 0), (tails.es, tails.se_es, 1)):
        z = (measure - rows[:, :, i]) / np.hypot(error, rows[:, :, i + 2])
        assert np.abs(z).max() < 4.5
        assert np.sqrt((z**2).mean()) > 0.3, "independent draws differ"
    assert np.allclose(components.sum(axis=0), rows[-1, :, 1], rtol=2e-5)
    assert np.allclose(tails.component_es.sum(axis=0), tails.es[-1], rtol=1e-11)
    single = work.run(paths, precision="float64")
    assert np.abs(single.es / tails.es - 1).max() < 1e-5


def test_w1_tails_of_the_peer_equal_ours_on_the_same_paths():
    work = workloads.horizon_workload()
    groups, total = peers.horizon_pnl(work, 20_000, np.float64)
    ours = workloads.measure_group_tails(groups, total, workloads.LEVELS)
    rows, components = peers.horizon_tails(groups, total, workloads.LEVELS)
    theirs = np.moveaxis(rows, 2, 0)
    for a, b in zip((ours.var, ours.es, ours.se_var, ours.se_es), theirs, strict=True):
        assert np.allclose(a, b, rtol=1e-9)
    assert np.allclose(ours.component_es, components, rtol=1e-9, atol=1e-6)


def test_w2_agrees_with_numpy_within_errors():
    work, paths = workloads.path_workload(), 5_024
    terminal, drawdown, tails = work.run(paths)
    there, fall, rows = peers.run_paths(work, paths, np.float64, 2)
    for ours, theirs in ((terminal, there), (drawdown, fall)):
        se = math.hypot(ours.std(), theirs.std()) / math.sqrt(paths)
        assert abs(ours.mean() - theirs.mean()) < 4.5 * se
    z = (tails.var[-1, 0] - rows[0][0, 0]) / math.hypot(tails.se_var[-1, 0], rows[0][0, 2])
    assert abs(z) < 4.5
    z = (tails.var[0, 0] - rows[1][0, 0]) / math.hypot(tails.se_var[0, 0], rows[1][0, 2])
    assert abs(z) < 4.5


def test_w3_is_the_same_number_position_by_position():
    work, moves = workloads.revaluation_workload(), workloads.revaluation_moves(3_000)
    theirs = peers.Revaluation(work)
    expected = theirs.run(moves, batch=700)
    with Threads(2) as pool:
        pnl = work.run(moves, pool, chunk_paths=1_000)
    assert theirs.flow_count == 250 * 30 and len(work.portfolio.positions) == 500
    assert len(work.book.legs_by_group.pair_index) > 0.95 * theirs.flow_count, "merging hardly helps here"
    assert np.abs(pnl - expected).max() < 1e-12 * np.abs(expected).max()
    assert np.array_equal(pnl, work.run(moves))
    assert np.all(work.run(0.0 * moves[:, :3])[:, 0] == work.run(0.0 * moves[:, :3])[:, 2])
    assert np.abs(work.run(0.0 * moves[:, :3])).max() < 1e-6


def test_a_move_that_is_not_a_number_is_seen_in_its_path_only():
    work, moves = workloads.revaluation_workload(), workloads.revaluation_moves(500)
    good = work.book.pnl(moves)
    bad = moves.copy()
    bad[25, 123], bad[0, 300] = np.nan, np.inf
    pnl = work.book.pnl(bad)
    assert np.isnan(pnl[:, [123, 300]]).all()
    others = np.delete(np.arange(500), [123, 300])
    assert np.array_equal(pnl[:, others], good[:, others])


def test_a_synthetic_book_is_the_file_it_writes(tmp_path):
    file = tmp_path / "book.csv"
    file.write_text(books.synthetic_csv(200), encoding="utf-8")
    loaded, problems = load_portfolio(file, books.AS_OF)
    assert not problems
    made = books.synthetic_portfolio(200)
    assert [p.instrument for p in loaded.positions] == [p.instrument for p in made.positions]
    assert books.synthetic_rows(50) == books.synthetic_rows(200)[:50], "a larger book holds the smaller"
    assert {p.asset_class for p in made.positions} == {"fx", "treasury", "equity", "real_estate"}
    book = compile_book(made, workloads.snapshot())
    assert np.isfinite(book.base_value).all() and book.nav != 0


def test_measurements_are_paired_and_the_first_is_the_unit():
    calls = []
    records = run.measure({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert calls == ["a", "b"] * 4
    assert records[0]["ratio"] == 1.0 and records[1]["case"] == "b"
    with pytest.raises(InputError, match="unknown workload"):
        run.run_benchmark(["W9"])
    assert json.dumps(run.machine())
    assert 20 < run.resident_mb() < 20_000


def test_the_scaling_picture_holds_every_point():
    records = [{"against": "paths & more", "size": 10**i, "median_ms": 2.0 * 10**i} for i in range(1, 4)]
    picture = xml.dom.minidom.parseString(scaling.draw_scaling(records))
    assert len(picture.getElementsByTagName("circle")) == 3
