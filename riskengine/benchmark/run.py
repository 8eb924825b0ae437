"""Paired measurements: every workload by the engine and by its peers, in alternation, in one process.

Medians of five alternated repetitions of wall-clock time; the ratio of a peer is the median of the paired
ratios, so that a busy machine slows both sides alike.  CPU time of the process is printed beside it: on a
machine that other processes share it is the fairer figure.  Memory is the peak resident set of a fresh
process that runs the workload once, imports and compiled code included.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.benchmark import array_peers, peers, workloads
from riskengine.execution import Threads, available_cores

WORKLOADS = ("W1", "W2", "W3", "NORMALS")
PATHS = {"W1": 1_000_000, "W2": 100_000, "W3": 100_000, "NORMALS": 1_000_000}
QUICK_PATHS = {"W1": 100_000, "W2": 8_000, "W3": 8_000, "NORMALS": 100_000}
REPEATS, QUICK_REPEATS = 5, 3
WHAT_IF = "riskengine what-if: ramp moved"
"""The whole answer of W2 for a policy knob that moves the ramp: drawn, walked and measured again."""
ENGINE, ENGINE64, NUMPY, NUMPY32 = "riskengine", "riskengine float64", "numpy float64", "numpy float32"
WHOLE, WHOLE32 = "numpy float64, whole arrays", "numpy float32, whole arrays"
"""W1 as most people would write it: one thread, no batches."""

Case = Callable[[], Any]


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, versions, and the load when asked."""
    return {
        "processor": _processor(),
        "cores": available_cores(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": version("numba"),
        **array_peers.versions(),
    }


def _processor() -> str:
    """The name in /proc/cpuinfo where there is one."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    vector = "AVX-512" if any("avx512f" in line for line in lines) else "AVX2" if any(
        " avx2 " in line for line in lines) else ""
    return " ".join(filter(None, (names[0] if names else platform.processor() or platform.machine(), vector)))


def cases(workload: str, paths: int, threads: int) -> dict[str, Case]:
    """Name → what to time; the engine first, then every peer that is at hand.

    NumPy works on batches on a pool of *threads*; its BLAS should have one thread (run_benchmark sees to it).
    NORMALS is on one thread: the rate of one core.
    """
    pool = Threads(threads)
    libraries = [array_peers.open_library(name, threads)
                 for name, there in array_peers.installed().items() if there and workload != "NORMALS"]
    if workload == "W1":
        work = workloads.horizon_workload()
        found: dict[str, Case] = {
            ENGINE: lambda: work.run(paths, pool),
            ENGINE64: lambda: work.run(paths, pool, "float64"),
        }
        for name, real in ((NUMPY, np.float64), (NUMPY32, np.float32)):
            found[name] = lambda real=real: peers.run_horizon(work, paths, real, threads, workloads.LEVELS)
        for name, real in ((WHOLE, np.float64), (WHOLE32, np.float32)):
            found[name] = lambda real=real: peers.run_horizon(work, paths, real, 1, workloads.LEVELS, paths)
        return found | {f"{one.name} float32": array_peers.prepare_horizon(one, work, paths, workloads.LEVELS)
                        for one in libraries}
    if workload == "W2":
        walk = workloads.path_workload()
        moved = walk.with_ramp(1.25)
        found = {ENGINE: lambda: walk.run(paths, pool), ENGINE64: lambda: walk.run(paths, pool, "float64"),
                 WHAT_IF: lambda: moved.run(paths, pool)}
        for name, real in ((NUMPY, np.float64), (NUMPY32, np.float32)):
            found[name] = lambda real=real: peers.run_paths(walk, paths, real, threads)
        return found | {f"{one.name} float32": array_peers.prepare_paths(one, walk, paths)
                        for one in libraries}
    if workload == "W3":
        book = workloads.revaluation_workload()
        moves = workloads.revaluation_moves(paths)
        by_position = peers.Revaluation(book)
        found = {ENGINE: lambda: book.run(moves, pool), NUMPY: lambda: by_position.run(moves, threads)}
        return found | {f"{one.name} float64": array_peers.prepare_revaluation(one, by_position, moves)
                        for one in libraries}
    if workload == "NORMALS":
        return {
            ENGINE: lambda: workloads.draw_normals(paths, np.float32),
            ENGINE64: lambda: workloads.draw_normals(paths, np.float64),
            NUMPY: lambda: peers.draw_normals(paths, np.float64),
            NUMPY32: lambda: peers.draw_normals(paths, np.float32),
        }
    raise InputError(Problem("unknown workload", got=workload, accepted=", ".join(WORKLOADS)))


def measure(found: dict[str, Case], repeats: int) -> list[dict[str, Any]]:
    """One record per case: median and smallest wall, median CPU time (ms), paired ratios to the first."""
    wall: dict[str, list[float]] = {name: [] for name in found}
    cpu: dict[str, list[float]] = {name: [] for name in found}
    for case in found.values():
        case()
    for _ in range(repeats):
        for name, case in found.items():
            started, busy = time.perf_counter(), time.process_time()
            case()
            wall[name].append(time.perf_counter() - started)
            cpu[name].append(time.process_time() - busy)
    first = next(iter(found))
    return [
        {
            "case": name,
            "median_ms": 1e3 * statistics.median(wall[name]),
            "min_ms": 1e3 * min(wall[name]),
            "cpu_ms": 1e3 * statistics.median(cpu[name]),
            "ratio": statistics.median(a / b for a, b in zip(wall[name], wall[first], strict=True)),
            "cpu_ratio": statistics.median(a / b for a, b in zip(cpu[name], cpu[first], strict=True)),
        }
        for name in found
    ]


def run_benchmark(chosen: Sequence[str] = WORKLOADS, quick: bool = False, threads: int | None = None,
                  progress: Callable[[str, int, int], None] | None = None) -> dict[str, Any]:
    """Machine, and one record per workload and case, with the peak memory of engine and NumPy.

    A fresh process does the work, its BLAS with one thread: pools and threaded BLAS slow each other.

    quick : a tenth of the paths and three repetitions: to see that everything runs, not to quote.
    progress : called as progress(workload, done, total) after its measurement and each measurement of memory.
    The machine's load is that before the start.
    """
    unknown = [name for name in chosen if name not in WORKLOADS]
    if unknown:
        raise InputError(Problem("unknown workload", got=", ".join(unknown), accepted=", ".join(WORKLOADS)))
    threads = threads or available_cores()
    before = machine()
    tell = progress or (lambda workload, done, total: None)
    records: list[dict[str, Any]] = []
    for name in chosen:
        paths = (QUICK_PATHS if quick else PATHS)[name]
        repeats = QUICK_REPEATS if quick else REPEATS
        tell(name, 0, 3)
        found = json.loads(_fresh(f"measure(cases({name!r}, {paths}, {threads}), {repeats})"))
        tell(name, 1, 3)
        for record in found:
            if record["case"] in (ENGINE, NUMPY):
                tell(name, 1 if record["case"] == ENGINE else 2, 3)
                record["peak_mb"] = peak_memory(name, record["case"], paths, threads)
            if name == "NORMALS":
                record["million_normals_per_s"] = paths * workloads.FACTOR_COUNT / record["median_ms"] / 1e3
            records.append({"workload": name, "paths": paths, **record})
        tell(name, 3, 3)
    return {"machine": before, "threads": threads, "quick": quick, "results": records}


def peak_memory(workload: str, case: str, paths: int, threads: int) -> float:
    """Peak resident memory in MB of a fresh process that runs *case* once."""
    return float(_fresh(f"(cases({workload!r}, {paths}, {threads})[{case!r}](), resident_mb())[1]"))


def resident_mb() -> float:
    """Peak resident set of this process, MB (on Linux that of the program itself, not of what started it)."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return float(status.split("VmHWM:")[1].split()[0]) / 2**10
    except (OSError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _fresh(expression: str) -> str:
    """JSON of *expression*, computed in a new process whose BLAS has one thread."""
    code = f"import json\nfrom riskengine.benchmark.run import *\nprint(json.dumps({expression}))"
    one = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | one)
    if done.returncode:
        raise ModelError(f"the benchmark's process failed: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout.splitlines()[-1]
