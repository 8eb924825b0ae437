"""Which publisher's layout is this file in, and which series does it hold?

``read_publication(content, file)`` looks at the content, never at the name alone: Parquet by its magic bytes,
the Treasury's holders table by its title, everything else by the header line.  A file is read whole or not at
all: every fault found in it travels in one InputError.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from riskengine.base.errors import Problem
from riskengine.data.readers import fama_french, fed_stress, long_table, tic
from riskengine.data.readers.assembly import Assembly
from riskengine.data.readers.families import read_family
from riskengine.data.readers.findings import Findings
from riskengine.data.readers.frame import find_frame
from riskengine.data.readers.parquet_table import MAGIC, read_parquet_rows
from riskengine.data.readers.raw_text import decode, split_rows, unpack
from riskengine.data.series_entries import ImportedSeries

EXTRA_ROWS = ("factors", "transform")
"""First cells of the lines FRED-QD and FRED-MD put between header and data."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What a file turned out to be: its layout, its series, and what the user should know about it."""

    file: str
    layout: str
    series: tuple[ImportedSeries, ...]
    remarks: tuple[Problem, ...]


def read_publication(content: bytes, file: str, series_id: str | None = None,
                     latest: str | np.datetime64 | None = None) -> Publication:
    """The series of one file.

    Parameters
    ----------
    content : the bytes of the file.
    file : its name, for messages and for series whose header has no name.
    series_id : id for the only series of the file (``--as``).
    latest : an observation after this day is an error (paths of scenarios aside).

    InputError lists every fault with file, row, column, what came and what is accepted.
    """
    with _collector_at_rest():
        return _read(content, file, series_id, latest)


@contextlib.contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Millions of short-lived cells, no cycles among them: the garbage collector would double the time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _read(content: bytes, file: str, series_id: str | None,
          latest: str | np.datetime64 | None) -> Publication:
    findings = Findings(file)
    assembly = Assembly(findings, None if latest is None else np.datetime64(latest, "D"), series_id)
    content = unpack(content, findings)
    if content[:4] == MAGIC:
        table = read_parquet_rows(content, findings)
    else:
        text = decode(content, findings)
        table = split_rows(text, findings)
        if tic.is_holders_blocks(text) and not any(tic.is_tidy_holders(r) for r in table.rows[:5]):
            return _finish(tic.read_holders_blocks(text, table, findings, assembly), assembly)
    if fama_french.is_fama_french(table):
        return _finish(fama_french.read_fama_french(table, findings, assembly), assembly)
    frame = find_frame(table, findings, EXTRA_ROWS)
    if tic.is_slt(frame.header):
        layout = tic.read_slt(frame, assembly)
    elif tic.is_flows(frame.header):
        layout = tic.read_flows(frame, assembly)
    elif tic.is_tidy_holders(frame.header):
        layout = tic.read_tidy_holders(frame, assembly)
    elif fed_stress.is_stress(frame.header):
        layout = fed_stress.read_stress(frame, assembly)
    elif long_table.is_long(frame):
        layout = long_table.read_long(frame, assembly)
    else:
        layout = read_family(frame, assembly, file, series_id)
    return _finish(layout, assembly)


def _finish(layout: str, assembly: Assembly) -> Publication:
    series = assembly.finish()
    return Publication(assembly.findings.file, layout, tuple(series), tuple(assembly.findings.remarks))
