"""The held state of a what-if: cached draws and P&L by leaf group; trades, policy and volatility move at a
blink."""

from __future__ import annotations

from riskengine.resident.latency import Latency, measure_latencies
from riskengine.resident.measures import Change, Measures, RowRisk
from riskengine.resident.what_if import MODES, Resident, hold

__all__ = ["MODES", "Change", "Latency", "Measures", "Resident", "RowRisk", "hold", "measure_latencies"]
