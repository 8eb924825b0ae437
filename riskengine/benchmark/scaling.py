"""Cost against size: paths, positions, scenarios, threads; and a log-log picture of it as plain SVG."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import numpy as np

from riskengine.benchmark import workloads
from riskengine.benchmark.books import synthetic_portfolio
from riskengine.execution import Threads, available_cores
from riskengine.instruments.book import compile_book

_COLOURS = ("#1b5e8c", "#c0562b", "#3d7a3d", "#6b4c9a")


def measure_scaling(quick: bool = False) -> list[dict[str, Any]]:
    """Records (against, size, median_ms): W1 over paths and threads, revaluation over
    positions and scenarios."""
    factor = 10 if quick else 1
    pool = Threads()
    horizon = workloads.horizon_workload()
    records = []
    for paths in (31_008, 100_000, 310_016, 1_000_000):
        records.append(_record("paths (W1)", paths // factor // 32 * 32, lambda n: horizon.run(n, pool)))
    for threads in sorted({1, *(2**i for i in range(1, 8) if 2**i <= available_cores()), available_cores()}):
        some = Threads(threads)
        records.append(_record("threads (W1)", threads,
                               lambda _n, e=some: horizon.run(1_000_000 // factor, e)))
    market = workloads.snapshot()
    moves = workloads.revaluation_moves(4_000)
    for positions in (100, 300, 1_000, 3_000):
        book = compile_book(synthetic_portfolio(positions // (1 if not quick else 2)), market)
        records.append(_record("positions (full revaluation, 4,000 paths)", len(book.position_ids),
                               lambda _n, b=book: _revalue(b, moves, pool)))
    book = compile_book(synthetic_portfolio(300), market)
    for scenarios in (1, 3, 10, 30):
        records.append(_record("scenarios (300 positions, 4,000 paths)", scenarios, lambda n: [
            _revalue(book, moves + 1e-3 * i, pool) for i in range(n)]))
    return records


def _revalue(book: Any, moves: np.ndarray, pool: Threads) -> list[np.ndarray]:
    parts = range(0, moves.shape[1], 960)
    return pool.map(lambda lo: book.pnl(moves[:, lo : lo + 960]), parts)


def _record(against: str, size: int, function: Callable[[int], Any]) -> dict[str, Any]:
    function(size)
    spent = []
    for _ in range(3):
        started = time.perf_counter()
        function(size)
        spent.append(time.perf_counter() - started)
    return {"against": against, "size": size, "median_ms": 1e3 * sorted(spent)[1]}


def draw_scaling(records: Sequence[dict[str, Any]], width: int = 760, height: int = 460) -> str:
    """SVG: one line per quantity, both axes logarithmic, each point with its value."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for record in records:
        lines.setdefault(record["against"], []).append((record["size"], record["median_ms"]))
    points = [p for line in lines.values() for p in line]
    low_x, high_x = (f(math.log10(x) for x, _ in points) for f in (min, max))
    low_y, high_y = (f(math.log10(y) for _, y in points) for f in (min, max))

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x, y = math.log10(point[0]), math.log10(point[1])
        return (60 + (width - 90) * (x - low_x) / max(high_x - low_x, 1e-9),
                height - 50 - (height - 80 - 18 * len(lines)) * (y - low_y) / max(high_y - low_y, 1e-9))

    body = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'font-family="sans-serif" font-size="12"><rect width="{width}" height="{height}" fill="white"/>']
    for i, (name, line) in enumerate(lines.items()):
        colour = _COLOURS[i % len(_COLOURS)]
        places = [place(p) for p in sorted(line)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for (x, y), (size, spent) in zip(places, sorted(line), strict=True):
            body.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{size:,.0f}: '
                        f"{spent:,.1f} ms</title></circle>")
            body.append(f'<text x="{x:.1f}" y="{y - 7:.1f}" text-anchor="middle" fill="{colour}">'
                        f"{spent:,.3g}</text>")
        body.append(f'<text x="60" y="{20 + 18 * i}" fill="{colour}">{escape(name)}</text>')
    for power in range(math.ceil(low_x), math.floor(high_x) + 1):
        x, _ = place((10.0**power, 10.0**low_y))
        body.append(f'<text x="{x:.1f}" y="{height - 28}" text-anchor="middle">{10**power:,}</text>')
    body.append(f'<text x="{width / 2}" y="{height - 8}" text-anchor="middle">size</text>'
                f'<text x="8" y="{height - 30}">ms</text></svg>')
    return "\n".join(body)
