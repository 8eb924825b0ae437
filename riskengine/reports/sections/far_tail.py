"""The far tail of the ordinary night: importance sampling beside as many plain paths."""

from __future__ import annotations

from collections.abc import Sequence

from riskengine.reports import formats
from riskengine.reports.html_table import Column, Table, amount, money, text
from riskengine.reports.sections.front import level_name
from riskengine.result import FarTail, RiskResult


def far_tail_table(risks: Sequence[RiskResult]) -> Table | None:
    """VaR and ES by horizon and level with both errors and the variance saved; None when the night has none."""
    found = [risk.far_tail for risk in risks if risk.far_tail is not None]
    if not found:
        return None
    unit = formats.money_unit(v for far in found for v in (*far.var, *far.es))
    columns = (
        Column("Horizon", numeric=False), Column("Level", numeric=False),
        Column("VaR", f"{unit.label} ± s.e."), Column("VaR, plain paths", f"{unit.label} ± s.e."),
        Column("ES", f"{unit.label} ± s.e."), Column("ES, plain paths", f"{unit.label} ± s.e."),
        Column("Variance of VaR", "times lower"), Column("Variance of ES", "times lower"),
        Column("Effective paths", "in the tail"),
    )
    rows = [
        (
            text(formats.horizon(far.horizon_days)), text(level_name(level)),
            money(far.var[i], unit, far.se_var[i], "strong"), money(far.plain_var[i], unit, far.plain_se_var[i]),
            money(far.es[i], unit, far.se_es[i], "strong"), money(far.plain_es[i], unit, far.plain_se_es[i]),
            amount(far.variance_reduction_var[i], 0), amount(far.variance_reduction_es[i], 0),
            amount(far.effective_paths[i], 0, f"plain {formats.number(far.plain_effective_paths[i], 0)}"),
        )
        for far in found
        for i, level in enumerate(far.levels)
    ]
    starts = tuple(sum(len(far.levels) for far in found[:k]) for k in range(1, len(found)))
    return Table("Far tail by importance sampling, full revaluation", columns, tuple(rows), note=_note(found),
                 sortable=False, groups=starts)


def _note(found: Sequence[FarTail]) -> str:
    """Paths, the check of the weights, and on how many days of history a one-day tail rests."""
    weights = ", ".join(f"{formats.number(far.mean_weight, 3)} ± {formats.number(far.se_mean_weight, 3)}"
                        for far in found)
    words = [f"{found[0].paths:,} paths each, drawn where the book loses and weighted back (mean weight {weights}: "
             "1 when the weights are right)"]
    for far in found:
        if far.historical_days is not None and far.horizon_days == 1:
            beyond = far.historical_days * (1.0 - far.levels[-1])
            words.append(f"a one-day path is one of {far.historical_days:,} days of history: beyond "
                         f"{level_name(far.levels[-1])} lie about {beyond:.1f} of them, so the error says how well the "
                         "sum over these days is known, not how well they stand for what may come")
    return ". ".join(w[0].upper() + w[1:] for w in words) + "."
