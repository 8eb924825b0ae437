"""What ``riskengine benchmark`` prints: the machine, one table per workload, all within 100 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from riskengine.base.errors import InputError, Problem
from riskengine.cli.printing import print_table, say

WORKLOAD_TITLES = {
    "W1": "W1: {paths:,} paths × 40 Student-t factors, 1,000 positions: VaR, ES, contributions, errors",
    "W2": "W2: {paths:,} paths × 60 steps × 40 factors: GARCH, ramp, feedback, drawdown",
    "W3": "W3: {paths:,} scenarios × 500 instruments, revalued in full",
    "NORMALS": "NORMALS: {paths:,} × 40 normals on one thread",
}
WHAT_IF = "W4"
NAMES = {"python": "Python", "numpy": "NumPy", "numba": "Numba", "jax": "JAX"}


def read_workloads(text: str) -> list[str]:
    """Names separated by commas, each once; InputError with those nobody knows."""
    known = sorted((*WORKLOAD_TITLES, WHAT_IF), key=lambda name: (len(name), name))
    chosen = list(dict.fromkeys(word.strip().upper() for word in text.split(",") if word.strip()))
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise InputError(Problem("unknown workload" if unknown else "no workload", field="--only",
                                 got=", ".join(unknown) or text, accepted=", ".join(known)))
    return chosen


def announce(chosen: Sequence[str], quick: bool) -> None:
    """What is going to be measured, and for how long; to stderr."""
    size = "a tenth of the size, not to be quoted" if quick else (
        "all five take about 3 minutes on two quiet cores; --only W1,W3 takes a part")
    say(f"measuring {', '.join(chosen)} ({size})")


def print_benchmark(outcome: dict[str, Any]) -> None:
    """Machine and versions, a warning when it was busy, then the tables."""
    print_machine(outcome["machine"], outcome["threads"])
    for name in dict.fromkeys(record["workload"] for record in outcome["results"]):
        records = [record for record in outcome["results"] if record["workload"] == name]
        print(WORKLOAD_TITLES[name].format(paths=records[0]["paths"]))
        print_table(*_columns(records, {
            "": ("case", ""), "median ms": ("median_ms", ",.1f"), "least ms": ("min_ms", ",.1f"),
            "CPU ms": ("cpu_ms", ",.1f"), "× wall": ("ratio", ".2f"), "× CPU": ("cpu_ratio", ".2f"),
            "peak MB": ("peak_mb", ",.0f"), "million/s": ("million_normals_per_s", ",.0f"),
        }))
    if outcome.get("what_if"):
        print(f"W4: what-if held in memory, {outcome['what_if'][0]['paths']:,} paths, delta-gamma")
        print_table(*_columns(outcome["what_if"], {
            "horizon": ("horizon", ""), "operation": ("operation", ""), "median ms": ("median_ms", ",.2f"),
            "least ms": ("min_ms", ",.2f"), "NumPy ms": ("numpy_median_ms", ",.1f"), "× wall": ("ratio", ".1f"),
        }))
    print("median and least of alternated runs; × = the case's time over riskengine's, median of the pairs")
    if outcome["quick"]:
        print("--quick: small and few runs, not to be quoted")


def print_machine(machine: dict[str, Any], threads: int) -> None:
    """Processor, cores, threads and load, then versions; a warning when others used the machine."""
    load, cores = machine["load"], machine["cores"]
    shown = "unknown" if load is None else f"{load:.1f}"
    print(f"{machine['processor']}, {cores} cores, {threads} threads, load {shown} before the start")
    print(", ".join(f"{NAMES.get(name, name)} {machine[name]}" for name in machine
                    if name not in ("processor", "cores", "load")))
    if load is not None and load > 0.3 * cores:
        print(f"warning: others use this machine (load {load:.1f} on {cores} cores): wall times are too long "
              "and\nratios unsure; × CPU is the fairer column, and neither is to be quoted")
    print()


def _columns(records: Sequence[dict[str, Any]],
             columns: dict[str, tuple[str, str]]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the columns that some record has; numbers to the right."""
    there = {title: column for title, column in columns.items() if any(column[0] in r for r in records)}
    table = []
    for title, (key, form) in there.items():
        cells = ["" if r.get(key) is None else format(r[key], form) for r in records]
        width = max(map(len, [title, *cells]))
        table.append([c.rjust(width) if form else c.ljust(width) for c in [title, *cells]])
    header, *rows = (list(row) for row in zip(*table, strict=True))
    return header, rows
