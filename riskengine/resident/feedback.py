"""A held state under a scenario whose holders sell after losses: simulated step by step, then measured like
any other.

    rows without policy   the base run of ``engine.feedback`` (the ordinary night carries the same selling)
    rows with it          its scenario run;  channel ``holders_feedback`` = their gain less that without
    selling

Nothing of it is held between questions but its result: a moved knob or a new trade simulates again, which
takes seconds instead of milliseconds.  Numbers equal those of ``engine.run`` to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from riskengine.engine.feedback import CHANNEL, simulate_feedback
from riskengine.engine.paths import PreparedScenario
from riskengine.execution import Serial
from riskengine.resident.answer import View, view_state
from riskengine.resident.cache import addresses
from riskengine.resident.measures import GroupRisks, combine, mean_rows, measure_rows
from riskengine.resident.rows import PnlRows
from riskengine.resident.what_if import Resident


@dataclass(frozen=True, slots=True)
class Selling:
    """What holders sell after losses, USD bn at the horizon, sales negative: median, p16, p84 over paths.

    base : in the run without the policy.  loop_gain : below one half.
    """

    case: str
    shocked: tuple[float, float, float]
    base: tuple[float, float, float]
    loop_gain: float

    def flag(self, added: float) -> str:
        """A sentence for the reader; added : what selling adds to expected P&L, USD."""
        return (f"holders sell after losses on the path (assumptions of [feedback], {self.case} case): median orders "
                f"{self.shocked[0]:,.0f} USD bn ({self.base[0]:,.0f} in the base run), expected P&L "
                f"{added / 1e6:+,.1f} USD mn, loop gain {self.loop_gain:.2f}")

    def to_json(self) -> dict:
        """As plain JSON."""
        return {"case": self.case, "loop_gain": self.loop_gain,
                "orders_usd_bn": dict(zip(("median", "p16", "p84"), self.shocked, strict=True)),
                "base_orders_usd_bn": dict(zip(("median", "p16", "p84"), self.base, strict=True))}


def with_selling(state: Resident, prepared: PreparedScenario) -> tuple[Resident, Selling]:
    """*state*, under the policy of *prepared* without selling, with the rows of both runs with selling.

    Raises what ``engine.feedback.simulate_feedback`` raises: pinned factors, a loop gain of 0.5 or more.
    """
    setting = state.setting
    found = simulate_feedback(prepared, state.portfolio, setting.world, setting.spec, setting.executor,
                              keep_groups=True)
    labels = found.pnl.book.group_labels
    base = _rows(labels, found.pnl.groups[0], found.pnl.total[0], state, None)
    policy = _rows(labels, found.pnl.groups[1], found.pnl.total[1], state, base)
    settings = prepared.scenario.feedback
    shocked, still = (_band(row) for row in (found.orders[1], found.orders[0]))
    return (replace(state, baseline=base, policy=policy, past=()),
            Selling(settings.case if settings else "", shocked, still, found.feedback.loop_gain))


def view_with_selling(state: Resident, plain: View, prepared: PreparedScenario | None) -> View:
    """Numbers of a state of :func:`with_selling`; *plain*: those of the same state without selling."""
    view = view_state(state, prepared)
    if not view.channels:
        return view
    return replace(view, channels={**plain.channels,
                                   CHANNEL: view.total.expected.minus(plain.total.expected)})


def _rows(
    labels: tuple, groups: np.ndarray, total: np.ndarray, state: Resident, reference: PnlRows | None
) -> PnlRows:
    spec = state.setting.spec
    rows = tuple(np.ascontiguousarray(row) for row in groups)
    total = np.ascontiguousarray(total)
    for row in (*rows, total):
        row.flags.writeable = False
    where = addresses(rows)
    means = mean_rows(where, total.size, Serial())
    risks = GroupRisks(spec.levels, dict(zip(labels, rows, strict=True)),
                       dict(zip(labels, means, strict=True)), where=where)
    tail, = measure_rows((total,), spec.levels, Serial())
    return PnlRows(tuple(labels), rows, total,
                   combine(spec.levels, tail, risks, None if reference is None else reference.measures),
                   where)


def _band(values: np.ndarray) -> tuple[float, float, float]:
    low, middle, high = np.percentile(values, (16, 50, 84)) + 0.0
    return float(middle), float(low), float(high)
