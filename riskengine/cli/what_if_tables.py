"""How a what-if looks on a terminal: before, after and change with their intervals, in aligned columns."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

MILLION = 1e6
WIDTH = 100
"""Columns of a sentence; tables stay within it for the books and limits that are shipped."""
UNITS = ("every amount in USD mn; ± is a 95% interval of the estimate, clustered by parameter draw; that of a "
         "change is of the difference on the same paths; VaR, ES: + = loss")


def print_answers(answers: Sequence[dict[str, Any]]) -> None:
    """One block per scenario; several scenarios begin with a table of all of them."""
    for line in _shared(answers[0]):
        _print_wrapped(line, "  ")
    if len(answers) > 1:
        _print_overview(answers)
        _print_trades_by_scenario(answers)
    for answer in answers:
        _print_one(answer, len(answers) > 1)
    _print_wrapped(UNITS)


def _print_wrapped(text: str, indent: str = "") -> None:
    """A sentence over as many lines of WIDTH as it needs; later lines begin with *indent*."""
    print(fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> None:
    """Aligned columns, numbers to the right; the first *left* columns to the left; an empty line after."""
    if not rows:
        return
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        cells = [c.ljust(w) if i < left else c.rjust(w)
                 for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        print("  ".join(cells).rstrip())
    print()


def _shared(answer: dict[str, Any]) -> list[str]:
    lines = [f"{answer['portfolio'] or 'portfolio'} as of {answer['as_of']}, accounts of {answer['accounts_as_of']}, "
             f"{answer['paths']:,} paths, seed {answer['seed']}, data {answer['data_version'][:12]}"]
    for n, trade in enumerate([t for t in answer["trades"] if t["position_id"]], 1):
        lines.append(f"trade {n}: {trade['understood']}")
    return [*lines, ""]


def _print_one(answer: dict[str, Any], many: bool) -> None:
    scenario = answer["scenario"]
    days = answer["horizon_days"]
    horizon = f"{days['after']} days" if days["before"] == days["after"] else (
        f"{days['before']} days before, {days['after']} after")
    if scenario is None:
        print(f"Ordinary night, no policy · horizon {horizon}")
    else:
        _print_wrapped(f"{scenario['name']} · {scenario['title']} · horizon {horizon}, probability "
                       f"{100 * scenario['probability']:.3g}%", "  ")
        for knob in scenario["sets"]:
            _print_wrapped(f"  set {knob}", "    ")
    before, after, change = answer["before"], answer["after"], answer["change"]
    rows = [_row(label, *(find(part) for part in (before, after, change)))
            for label, find in _measures(answer)]
    base = answer["baseline"]
    if scenario is not None:
        level = answer["levels"][len(answer["levels"]) // 2]
        rows.append(_row(f"without policy: ES {level:.1%}", *(
            base[k]["es"][f"{level:g}"] for k in ("before", "after", "change"))))
    print_table(("", "before", "±", "after", "±", "change", "±"), rows)
    _print_views(answer)
    _print_parameters(before, after, change)
    for name, title in (("by_asset_class", "by asset class"), ("by_desk", "by desk")):
        _print_parts(answer, name, title)
    if change["channels"]:
        zero = {"value": 0.0, "se": 0.0, "low": 0.0, "high": 0.0}
        print_table(("expected P&L by channel", "before", "±", "after", "±", "change", "±"), [
            _row(name.replace("_", " "), before["channels"].get(name, zero),
                 after["channels"].get(name, zero), x)
            for name, x in change["channels"].items()])
    if not many:
        _print_trades(answer)
    _print_plausibility(answer)
    marked = [x for x in answer.get("limits", ()) if "ok" not in (x["status_before"], x["status_after"])
              or x["status_before"] != x["status_after"]]
    if "limits" in answer:
        print_table(("limit", "scope", "before", "after", "warning", "hard", "unit", "status"), [
            (x["name"], x["scope"], *_limit_cells(x),
             x["status_after"] if x["status_before"] == x["status_after"]
             else f"{x['status_before']} → {x['status_after']}") for x in marked], left=2)
        if not marked:
            print(f"limits: all {len(answer['limits'])} within, before and after\n")
    for flag in answer.get("flags", {}).get("after", ()):
        _print_wrapped(f"note: {flag}", "  ")


def _limit_cells(row: dict[str, Any]) -> tuple[str, ...]:
    """before, after, warning, hard, unit; dollars in millions."""
    numbers = [row[key] for key in ("before", "after", "warning", "hard")]
    if row["unit"] == "USD":
        return (*(f"{x / MILLION:,.1f}" for x in numbers), "USD mn")
    return (*(f"{x:,.2f}" if abs(x) < 10 else f"{x:,.0f}" for x in numbers), row["unit"])


def _measures(answer: dict[str, Any]) -> list[tuple[str, Any]]:
    found = [("expected P&L", lambda part: part["expected_pnl"])]
    for kind, label in (("var", "VaR"), ("es", "ES")):
        found += [(f"{label} {level:.1%}", lambda part, k=kind, x=level: part[k][f"{x:g}"])
                  for level in answer["levels"]]
    return found


def _row(label: str, before: dict, after: dict, change: dict) -> tuple[str, ...]:
    return (label, *(cell for part, signed in ((before, False), (after, False), (change, True))
                     for cell in (_millions(part["value"], signed), _half(part))))


def _half(part: dict) -> str:
    return f"{(part['high'] - part['low']) / 2 / MILLION:,.1f}"


def _millions(usd: float, signed: bool = False) -> str:
    text = f"{usd / MILLION:+,.1f}" if signed else f"{usd / MILLION:,.1f}"
    return text.replace("-0.0", "0.0") if text in ("-0.0", "+0.0") and not signed else text


def _print_parameters(before: dict, after: dict, change: dict) -> None:
    """The band of expected P&L over parameters: how much the answer depends on the elasticities."""
    rows = []
    for name, part in (("before", before), ("after", after), ("change", change)):
        pnl = part["expected_pnl"]
        if "p10_over_parameters" in pnl:
            rows.append((name, _millions(pnl["p10_over_parameters"]), _millions(pnl["p90_over_parameters"])))
    print_table(("expected P&L, 80% over parameters", "from", "to"), rows)


def _print_views(answer: dict[str, Any]) -> None:
    views = answer.get("views")
    if views:
        for text in views["understood"]:
            _print_wrapped(f"view: {text}", "  ")
        print(f"effective number of scenarios {views['effective_scenarios']:,.0f} of {answer['paths']:,}\n")


def _print_parts(answer: dict[str, Any], name: str, title: str) -> None:
    level = f"{answer['levels'][len(answer['levels']) // 2]:g}"
    before, after, change = answer["before"].get(name), answer["after"].get(name), answer["change"].get(name)
    if not change:
        return
    zero = {"value": 0.0, "se": 0.0, "low": 0.0, "high": 0.0}
    rows = []
    for part, x in change.items():
        old, new = before.get(part), after.get(part)
        rows.append((part.replace("_", " "), *(cell for kind in ("expected_pnl", "es") for cell in (
            _millions((_pick(old, kind, level) or zero)["value"]),
            _millions((_pick(new, kind, level) or zero)["value"]),
            _millions(_pick(x, kind, level)["value"], True), _half(_pick(x, kind, level))))))
    es = f"ES {100 * float(level):g}%"
    print_table((title, "exp. P&L before", "after", "change", "±", f"{es} before", "after", "change", "±"),
                rows)


def _pick(part: dict | None, kind: str, level: str) -> dict | None:
    if part is None:
        return None
    return part[kind] if kind == "expected_pnl" else part[kind][level]


def _print_trades(answer: dict[str, Any]) -> None:
    level = answer["levels"][len(answer["levels"]) // 2]
    rows = []
    for trade in answer["trades"]:
        x = trade["incremental"]
        rows.append((trade["trade"], *(cell for part in (x["expected_pnl"], x["var"][f"{level:g}"],
                                                         x["es"][f"{level:g}"])
                                       for cell in (_millions(part["value"], True), _half(part)))))
    print_table(("incremental, by trade", "exp. P&L", "±", f"VaR {level:.1%}", "±", f"ES {level:.1%}", "±"),
                rows)


def _print_overview(answers: Sequence[dict[str, Any]]) -> None:
    level = answers[0]["levels"][len(answers[0]["levels"]) // 2]
    rows = []
    for answer in answers:
        name = answer["scenario"]["name"] if answer["scenario"] else "ordinary night"
        parts = [(answer[k]["expected_pnl"], answer[k]["es"][f"{level:g}"])
                 for k in ("before", "after", "change")]
        rows.append((name, str(answer["horizon_days"]["after"]),
                     *(cell for i in (0, 1) for cell in (
                         _millions(parts[0][i]["value"]), _millions(parts[1][i]["value"]),
                         _millions(parts[2][i]["value"], True), _half(parts[2][i])))))
    es = f"ES {level:.1%}"
    print_table(("scenario", "days", "exp. P&L before", "after", "change", "±", f"{es} before", "after",
                 "change", "±"),
                rows)


def _print_trades_by_scenario(answers: Sequence[dict[str, Any]]) -> None:
    if not answers[0]["trades"]:
        return
    level = answers[0]["levels"][len(answers[0]["levels"]) // 2]
    names = [a["scenario"]["name"] if a["scenario"] else "ordinary night" for a in answers]
    rows = []
    for n, trade in enumerate(answers[0]["trades"]):
        cells = []
        for answer in answers:
            x = answer["trades"][n]["incremental"]["es"][f"{level:g}"]
            cells.append(f"{_millions(x['value'], True)} ± {_half(x)}")
        rows.append((trade["trade"], *cells))
    print_table((f"incremental ES {level:.1%}, by trade", *names), rows)


def _print_plausibility(answer: dict[str, Any]) -> None:
    found = answer.get("plausibility")
    if not found:
        return
    rows = [(name, f"{x['mahalanobis']:.2f}", _chance(x["probability"])) for name, x in found.items()]
    if rows[0][1:] == rows[1][1:]:
        rows = [("before and after", *rows[0][1:])]
    print_table(("plausibility of the policy's mean move", "Mahalanobis distance", "P(at least as far)"),
                rows)


def _chance(p: float) -> str:
    return f"{p:.1%}" if p >= 0.001 else f"{p:.1e}"
