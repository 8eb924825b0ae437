"""The benchmark's tables: every case with its ratios, 100 columns, and a word when others use the machine."""

import pytest

from riskengine.benchmark import run
from riskengine.cli import benchmark_tables
from riskengine.cli import run as command

IDLE = {"processor": "Some(R) Processor AVX2", "cores": 2, "load": 0.2, "python": "3.11.7", "numpy": "2.4.6",
        "numba": "0.68.1", "jax": "not installed", "torch": "2.13.0"}


def record(workload, case, ms, **more):
    return {"workload": workload, "paths": run.PATHS[workload], "case": case, "median_ms": ms, "min_ms": ms - 1,
            "cpu_ms": 2 * ms, "ratio": ms / 97.2, "cpu_ratio": ms / 100.0} | more


@pytest.fixture
def outcome():
    results = [record(name, case, ms) for name in run.WORKLOADS
               for case, ms in (("riskengine", 97.2), ("numpy float64", 1_234.5), ("torch float32", 19_416.0))]
    results[0]["peak_mb"] = 312.4
    what_if = [{"workload": "W4", "horizon": "52 weeks", "operation": "policy knob moved", "paths": 100_352,
                "median_ms": 14.2, "min_ms": 13.0, "numpy_median_ms": None, "ratio": None}]
    return {"machine": IDLE, "threads": 2, "quick": False, "results": results, "what_if": what_if}


def test_every_case_stands_in_its_table_within_100_columns(outcome, capsys):
    benchmark_tables.print_benchmark(outcome)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[:2] == ["Some(R) Processor AVX2, 2 cores, 2 threads, load 0.2 before the start",
                         "Python 3.11.7, NumPy 2.4.6, Numba 0.68.1, JAX not installed, torch 2.13.0"]
    assert [line[:2] for line in lines if line[:2] in ("W1", "W2", "W3", "W4", "NO")] == [
        "W1", "W2", "W3", "NO", "W4"]
    start = lines.index(next(line for line in lines if line.startswith("W1")))
    header, first, second, _ = lines[start + 1 : start + 5]
    assert header.split() == ["median", "ms", "least", "ms", "CPU", "ms", "×", "wall", "×", "CPU", "peak", "MB"]
    assert first.split() == ["riskengine", "97.2", "96.2", "194.4", "1.00", "0.97", "312"]
    assert second.split() == ["numpy", "float64", "1,234.5", "1,233.5", "2,469.0", "12.70", "12.35"]
    assert second.index("12.70") + 5 == header.index("wall") + 4, "numbers end where their title ends"
    assert not any("warning" in line or "--quick" in line for line in lines)


def test_a_busy_machine_and_a_quick_run_are_said(outcome, capsys):
    benchmark_tables.print_benchmark(outcome | {"machine": IDLE | {"load": 1.9}, "quick": True})
    printed = capsys.readouterr().out
    assert "warning: others use this machine (load 1.9 on 2 cores)" in printed
    assert printed.rstrip().endswith("not to be quoted")


def test_only_chooses_workloads_and_tells_what_is_going_on(monkeypatch, capsys, outcome):
    asked = []

    def measured(chosen, quick, threads, progress):
        asked.append((chosen, quick, threads))
        progress("W3", 1, 3)
        return outcome | {"what_if": []}

    monkeypatch.setattr(run, "run_benchmark", measured)
    assert command(["benchmark", "--only", "w3,normals", "--threads", "2"]) == 0
    assert asked == [(["W3", "NORMALS"], False, 2)]
    printed = capsys.readouterr()
    assert printed.err.startswith("measuring W3, NORMALS (all five take about 3 minutes")
    assert "× = the case's time over riskengine's" in printed.out


def test_the_load_is_that_before_the_start_and_progress_is_told(monkeypatch):
    loads, told = iter((0.1, 9.0)), []
    monkeypatch.setattr(run, "machine", lambda: IDLE | {"load": next(loads)})
    monkeypatch.setattr(run, "_fresh", lambda code: '[{"case": "riskengine", "median_ms": 1.0}]'
                        if code.startswith("measure") else "123.0")
    found = run.run_benchmark(["W3"], progress=lambda *step: told.append(step))
    assert found["machine"]["load"] == 0.1 and found["results"][0]["peak_mb"] == 123.0
    assert told[0] == ("W3", 0, 3) and told[-1] == ("W3", 3, 3)


@pytest.mark.parametrize(("line", "message"), [
    (["--only", "W9"], "unknown workload (got W9). Accepted: W1, W2, W3, W4, NORMALS"),
    (["--only", " , "], "no workload"),
    (["--plot", "nowhere/at/all.html"], "field '--plot': no such folder"),
])
def test_what_cannot_be_measured_is_said_before_anything_is(line, message, capsys):
    assert command(["benchmark", *line]) == 1
    found = capsys.readouterr()
    assert message in found.err and "measuring" not in found.err and not found.out
