"""What changed between two runs? One row per metric: before, after, change, and why.

    change = positions + market_state + parameters + data + sampling

The split needs simulations that replace one ingredient after the other, so it is made while a night runs,
against the night before it, and stored in ``summary.json`` under ``comparison``
(:mod:`riskengine.workflows.attribution`).  When the later run was compared with the earlier one this is what
is read back; for any other pair of runs the rows are plain differences, the split is empty and the note says
what differs between the two (inputs by hash, seed, paths).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from riskengine.base.errors import InputError, Problem
from riskengine.measures.limits import metric_name
from riskengine.reports.summary import parse_summary

SPLIT = ("positions", "market_state", "parameters", "data", "sampling")
"""The causes of a change, in the order in which the night replaces them."""

_SAMPLING = ("seed", "paths", "draws", "noise")


def compare_runs(a: Path, b: Path) -> list[dict]:
    """Rows {metric, scope, before, after, change, positions, market_state, parameters, data, sampling, note}.

    Parameters
    ----------
    a, b : run folders, the earlier one first.

    Returns
    -------
    list of dict : NAV, VaR and ES of the ordinary night by level and horizon (``var_99_1d``), then per
        scenario the expected P&L and its ES, in USD.  A metric that only one run has shows None for the other
        and for the change; a metric without a stored split shows None for its five parts, and the note says
        why.

    Raises
    ------
    InputError : a folder that is no finished run, or a file in it that cannot be read; all problems at once.
    """
    problems: list[Problem] = []
    runs = [_read_run(Path(folder), problems) for folder in (a, b)]
    if problems:
        raise InputError(problems)
    (before, old_manifest), (after, new_manifest) = runs
    stored, why = _stored_split(before, after, old_manifest, new_manifest)
    values_before, values_after = dict(_values(before)), dict(_values(after))
    rows = []
    for key in dict.fromkeys([*values_before, *values_after]):
        was, now = values_before.get(key), values_after.get(key)
        split, note = dict.fromkeys(SPLIT), why
        if key in stored:
            split = {cause: stored[key].get(cause) for cause in SPLIT}
            note = stored[key].get("note", "") if split["positions"] is not None else why
        elif stored:
            note = "the night splits its main metrics only"
        if was is None or now is None:
            note = f"only in the {'later' if was is None else 'earlier'} run"
        change = None if was is None or now is None else now - was
        rows.append({"metric": key[0], "scope": key[1], "before": was, "after": now, "change": change,
                     **split, "note": note})
    return rows


def _read_run(folder: Path, problems: list[Problem]) -> tuple[dict, dict]:
    """summary.json (validated) and manifest.json of one run folder."""
    if not folder.is_dir():
        problems.append(Problem("not a run folder", file=str(folder), accepted="a folder of `nightly`"))
        return {}, {}
    summary: dict = {}
    manifest: dict = {}
    try:
        summary = parse_summary((folder / "summary.json").read_text(encoding="utf-8"))
    except InputError as error:
        problems += [Problem(p.rule, str(folder / "summary.json"), p.row, p.field, p.got, p.accepted)
                     for p in error.problems]
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem("cannot be read", file=str(folder / "summary.json"), got=str(error)))
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if not isinstance(manifest, dict):
            raise ValueError(f"a {type(manifest).__name__} instead of an object")
    except (OSError, ValueError) as error:
        problems.append(Problem("cannot be read", file=str(folder / "manifest.json"), got=str(error)))
        manifest = {}
    return summary, manifest


def _stored_split(
    before: Mapping, after: Mapping, old_manifest: Mapping, new_manifest: Mapping
) -> tuple[dict[tuple[str, str], Mapping], str]:
    """(metric, scope) → stored row if the later run was compared with the earlier one; the note otherwise."""
    comparison = after.get("comparison") or {}
    if comparison.get("previous_run_id") == before["run_id"]:
        rows = {(_plain_name(r["metric"]), r["scope"]): r for r in comparison.get("rows", ())}
        return rows, comparison.get("note") or "the night stored no split for this metric"
    if before["run_id"] == after["run_id"]:
        return {}, "the same run twice"
    against = comparison.get("previous_run_id")
    compared = "the later run had no run before it"
    if against:
        compared = f"the later run was split against {against}"
    if (before.get("comparison") or {}).get("previous_run_id") == after["run_id"]:
        compared = "the runs are in reverse order: the first was split against the second"
    return {}, f"difference only, {compared}; what differs: {_differences(old_manifest, new_manifest)}"


def _differences(old: Mapping, new: Mapping) -> str:
    """Names of the inputs (by hash) and sampling settings in which two manifests differ."""
    old_hashes, new_hashes = old.get("hashes") or {}, new.get("hashes") or {}
    names = [n for n in sorted({*old_hashes, *new_hashes}) if old_hashes.get(n) != new_hashes.get(n)]
    names = ["as_of"] * (old.get("as_of") != new.get("as_of")) + names
    names += [n for n in _SAMPLING if old.get(n) != new.get(n)]
    return ", ".join(names) or "nothing recorded"


def _values(summary: Mapping) -> Iterator[tuple[tuple[str, str], float | None]]:
    """(metric, scope) → USD, in the order of the rows."""
    yield ("nav", "total"), summary["nav_usd"]
    baseline = summary["baseline"]
    for risk in baseline.get("by_horizon") or [baseline]:
        for measure in ("var", "es"):
            for level, value in sorted(risk[measure].items(), key=lambda item: float(item[0])):
                yield (metric_name(measure, float(level), risk["horizon_days"]), "total"), value
    for scenario in summary["scenarios"]:
        yield ("expected_pnl", scenario["name"]), scenario["expected_pnl_usd"]
        for level, value in sorted(scenario["es"].items(), key=lambda item: float(item[0])):
            yield (metric_name("es", float(level), scenario["horizon_days"]), scenario["name"]), value


def _plain_name(metric: str) -> str:
    """'es_97.5_10d' and 'es_975_10d' are the same metric."""
    return metric.replace(".", "")
