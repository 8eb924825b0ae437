"""The limits of the book before and after a what-if: the values of the night, for a book that is only asked
about.

VaR and ES are those of the ordinary night at the limit's own horizon, exposures those of the book; the worst
scenario is the scenario asked about (the night judges all of them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from riskengine.execution import Serial
from riskengine.instruments.exposures import exposures
from riskengine.instruments.portfolio import Portfolio, Position
from riskengine.market import MarketSnapshot
from riskengine.measures.limits import LimitKey, evaluate_limits, limit_values
from riskengine.policy.night import Limit
from riskengine.resident.measures import RowRisk, measure_rows
from riskengine.resident.parts import add_leaves, leaves_by_name
from riskengine.resident.positions import LoweredPosition, compile_lowered
from riskengine.resident.rows import PnlRows
from riskengine.resident.what_if import Remember, Resident, anew


@dataclass(frozen=True, slots=True)
class BookValues:
    """Every value a limit may refer to; and the desks' tails, by horizon in days, among them."""

    values: Mapping[LimitKey, float]
    desks: Mapping[int, Mapping[str, RowRisk]]


class LimitBook:
    """The limits of a book as filed, before and after what-ifs; what does not change is measured once.

    lower : legs of a position today, without horizon.  remember : keeps 'limits'.
    """

    def __init__(self, limits: Sequence[Limit], portfolio: Portfolio, snapshot: MarketSnapshot,
                 lower: Callable[[Position], LoweredPosition], remember: Remember = anew):
        self.limits, self._portfolio, self._snapshot = tuple(limits), portfolio, snapshot
        self._lower, self._remember = lower, remember
        self._filed: BookValues | None = None
        self._today: dict[int, LoweredPosition] = {}

    @property
    def days(self) -> list[int]:
        """Horizons in days at which the book must be held."""
        return sorted({x.horizon_days for x in self.limits if x.horizon_days is not None})

    def compare(
        self, held: Callable[[], Mapping[int, Resident]], loss: Sequence[float | None],
        changed: Mapping[int, Resident] | None = None, book: Portfolio | None = None,
    ) -> list[dict]:
        """Every limit before and after, as plain JSON.

        held : gives the book as filed by horizon in days.  loss : expected loss of the scenario before and
        after, on which alone 'scenario_loss' is judged.  changed : *book* by horizon in days; None: the book
        is as filed.
        """
        if self._filed is None:
            self._filed = self._remember("limits", tuple(self.days),
                                         lambda: self._values(self._portfolio, held()))
        old = new = self._filed
        if changed is not None and book is not None:
            new = self._values(book, changed, held())
        return compare_limits(self.limits, with_scenario_loss(old.values, loss[0]),
                              with_scenario_loss(new.values, loss[1]))

    def _values(
        self, book: Portfolio, held: Mapping[int, Resident], filed: Mapping[int, Resident] | None = None
    ) -> BookValues:
        """Every value a limit may refer to; desks that *book* shares with the one *filed* are not measured
        again."""
        values: dict[LimitKey, float] = {}
        desks: dict[int, dict[str, RowRisk]] = {}
        for days, state in held.items():
            known = {} if filed is None or self._filed is None else self._filed.desks[days]
            desks[days] = _desk_tails(state, None if filed is None else filed[days].rows, known)
            measures = state.measures
            tails = {"total": measures.total, **{f"desk:{n}": tail for n, tail in desks[days].items()}}
            for scope, tail in tails.items():
                for level, var, es in zip(measures.levels, tail.var, tail.es, strict=True):
                    values[LimitKey("var", scope, level, days)] = var
                    values[LimitKey("es", scope, level, days)] = es
        compiled = compile_lowered(book, [self._position(p) for p in book.positions], None)
        return BookValues(values | limit_values((), (), exposures(book, compiled, self._snapshot)), desks)

    def _position(self, position: Position) -> LoweredPosition:
        """Legs of a position today; those of the book as filed are lowered once."""
        if not self._today:
            self._today = {id(p): self._lower(p) for p in self._portfolio.positions}
        found = self._today.get(id(position))
        return self._lower(position) if found is None else found


def _desk_tails(state: Resident, other: PnlRows | None, known: Mapping[str, RowRisk]) -> dict[str, RowRisk]:
    """Tails by desk; those of *known* where the rows of *other* are the very same."""
    rows, levels = state.rows, state.measures.levels
    mine = leaves_by_name(rows)["desk"]
    theirs = {} if other is None else leaves_by_name(other)["desk"]
    fresh = [name for name, leaves in mine.items() if other is None or name not in theirs or name not in known
             or [id(rows.rows[g]) for g in leaves] != [id(other.rows[g]) for g in theirs[name]]]
    tails = state.setting.executor.map(
        lambda name: measure_rows((add_leaves(rows, mine[name]),), levels, Serial())[0], fresh)
    found = dict(zip(fresh, tails, strict=True))
    return {name: found[name] if name in found else known[name] for name in mine}


def with_scenario_loss(values: Mapping[LimitKey, float], loss: float | None) -> dict[LimitKey, float]:
    """*values* with the expected loss of the scenario asked about; without one that limit is not judged."""
    return dict(values) if loss is None else {**values, LimitKey("scenario_loss"): max(0.0, loss)}


def compare_limits(
    limits: Sequence[Limit], before: Mapping[LimitKey, float], after: Mapping[LimitKey, float]
) -> list[dict]:
    """One row per limit and scope, as plain JSON; a desk that came or went counts as 0 where it is absent."""
    rows = []
    for limit in limits:
        if limit.metric == "scenario_loss" and LimitKey("scenario_loss") not in {**before, **after}:
            continue
        keys = {**before, **after}
        old, new = ({k: float(values.get(k, 0.0)) for k in keys} for values in (before, after))
        for a, b in zip(evaluate_limits([limit], old), evaluate_limits([limit], new), strict=True):
            rows.append({"name": a.name, "metric": a.metric, "scope": a.scope, "unit": a.unit,
                         "warning": a.warning, "hard": a.hard, "before": a.value, "after": b.value,
                         "change": b.value - a.value, "status_before": a.status, "status_after": b.status})
    return rows
