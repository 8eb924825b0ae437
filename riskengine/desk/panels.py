"""The numbers of an answer as tables: before, after, change with its 95% interval.  Every text is escaped
here.

Amounts are USD m with one decimal, the digits ``riskengine what-if`` prints; '±' is half the 95% interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from riskengine.reports.formats import horizon, name, number, probability

MILLION = 1e6
Answer = Mapping[str, Any]
_ZERO = {"value": 0.0, "se": 0.0, "low": 0.0, "high": 0.0}
Row = tuple[str, Mapping[str, float] | None, Mapping[str, float] | None, Mapping[str, float]]


def usd_m(usd: float | None, plus: bool = False) -> str:
    """USD m with one decimal."""
    return number(None if usd is None else usd / MILLION, 1, plus)


def half_width(part: Mapping[str, float]) -> str:
    """Half of the 95% interval, USD m."""
    return number((part["high"] - part["low"]) / 2 / MILLION, 1)


def measures_panel(answer: Answer) -> Markup:
    """Expected P&L, VaR and ES of the book, and ES without the policy."""
    parts = [answer[k] for k in ("before", "after", "change")]
    rows: list[Row] = [("Expected P&L", *(p["expected_pnl"] for p in parts))]
    for kind, label in (("var", "VaR"), ("es", "ES")):
        rows += [(f"{label} {100 * x:g}%", *(p[kind][f"{x:g}"] for p in parts)) for x in answer["levels"]]
    if answer["scenario"] is not None:
        level = middle_level(answer)
        base = [answer["baseline"][k]["es"][level] for k in ("before", "after", "change")]
        rows.append((f"ES {100 * float(level):g}%, no policy", *base))
    return table("USD m", rows, good_up=1)


def parts_panel(answer: Answer, which: str) -> Markup:
    """Expected P&L and ES by asset class or desk (*which*: by_asset_class, by_desk)."""
    level = middle_level(answer)
    blocks = []
    for kind, title in (("expected_pnl", "Expected P&L"), ("es", f"ES {100 * float(level):g}%")):
        rows: list[Row] = []
        for part in answer["change"].get(which, {}):
            found = [answer[k][which].get(part) for k in ("before", "after", "change")]
            old, new, moved = (None if x is None else x[kind] if kind == "expected_pnl" else x[kind][level]
                               for x in found)
            rows.append((name(part), old or _ZERO, new or _ZERO, moved))
        blocks.append(table(f"{title}, USD m", rows, good_up=len(rows) if kind == "expected_pnl" else 0))
    return Markup("").join(blocks)


def channels_panel(answer: Answer) -> Markup:
    """Expected P&L by channel of transmission."""
    change = answer["change"]["channels"]
    if not change:
        return empty("Channels belong to a policy: choose a scenario or move a knob.")
    rows: list[Row] = [
        (name(c), answer["before"]["channels"].get(c, _ZERO), answer["after"]["channels"].get(c, _ZERO), x)
        for c, x in change.items()]
    return table("Expected P&L, USD m", rows, good_up=len(rows))


def trades_panel(answer: Answer) -> Markup:
    """What each candidate trade adds to the book after all other changes."""
    if not answer["trades"]:
        return empty("No candidate trades. Type one below the charts, e.g. buy 250m UST 10Y.")
    level = middle_level(answer)
    lines = []
    for row in answer["trades"]:
        x = row["incremental"]
        cells = Markup("").join(
            Markup('<td class="n">{}</td><td class="n pm">{}</td>').format(
                usd_m(p["value"], True), half_width(p))
            for p in (x["expected_pnl"], x["var"][level], x["es"][level]))
        lines.append(Markup('<tr title="{}"><th>{}</th>{}</tr>').format(
            row["understood"], row["trade"], cells))
    return Markup('<table class="t inc"><thead><tr><th title="What a trade adds to the book after '
                  'all other changes">'
                  'Adds, USD m, {}%</th><th class="n">E[P&amp;L]</th><th class="n pm">±</th><th '
                  'class="n">VaR</th>'
                  '<th class="n pm">±</th><th class="n">ES</th><th class="n '
                  'pm">±</th></tr></thead><tbody>{}</tbody>'
                  "</table>").format(f"{100 * float(level):g}", Markup("").join(lines))


def limits_panel(answer: Answer) -> Markup:
    """Every limit before and after, breaches and warnings first."""
    rows = answer.get("limits", ())
    if not rows:
        return empty("This book has no limits.")
    rank = {"breach": 0, "warning": 1, "ok": 2}
    lines = []
    for x in sorted(rows, key=lambda r: (rank[r["status_after"]], r["name"], r["scope"])):
        worse = rank[x["status_after"]] < rank[x["status_before"]]
        scale, unit = 1.0, x["unit"]
        if unit.startswith("USD"):
            scale, unit = (MILLION, unit.replace("USD", "USD m", 1)) if x["hard"] >= 2 * MILLION else (
                1e3, unit.replace("USD", "USD k", 1))
        words = [number(x[k] / scale, 1 if scale == MILLION or abs(x["hard"]) < 100 else 0)
                 for k in ("before", "after", "warning", "hard")]
        label = x["name"].replace(" days", "d").replace(" day", "d")
        if x["scope"] != "total":
            label = f"{name(x['scope'].partition(':')[2] or x['scope'])} {label.partition(', each')[0]}"
        label += "" if unit == "USD m" else f", {unit}"
        status = x["status_after"]
        lines.append(Markup(
            '<tr class="{}"><th title="{}, {}; before: {}">{}</th><td class="n">{}</td><td class="n">{}</td>'
            '<td class="n pm">{}</td><td class="n pm">{}</td><td class="st"><span '
            'class="dot"></span>{}</td></tr>').format(
                f"limit-{status}", label, unit, x["status_before"], label, *words,
                status if status == x["status_before"] else f"{'▲' if worse else '▼'} {status}"))
    return Markup('<table class="t lim"><thead><tr><th>Limit, USD m</th><th class="n">before</th>'
                  '<th class="n">after</th><th class="n pm">warn</th><th class="n '
                  'pm">hard</th><th>status</th></tr>'
                  '</thead><tbody>{}</tbody></table>').format(Markup("").join(lines))


def notes_panel(answer: Answer) -> Markup:
    """What the scenario says, its source, what was flagged, what was understood."""
    scenario = answer["scenario"]
    if scenario is None:
        head = Markup("<p>The ordinary night: market risk of the book without any policy.</p>")
    else:
        head = Markup("<h3>{}</h3><p>{}</p><p class=muted>Source: {}</p>").format(
            scenario["title"], scenario["narrative"], scenario["source"])
    flags = [Markup("<li class=flag>{}</li>").format(f) for f in answer.get("flags", {}).get("after", ())]
    facts = Markup("<p class=muted>{} as of {}, accounts of {}; {:,} paths, {:,} parameter draws, "
                   "seed {}, {} noise; "
                   "data {}. ± is half the 95% interval, clustered by parameter draw; that of a "
                   "change is of the "
                   "difference on the same paths. VaR and ES: + = loss.</p>").format(
        answer["portfolio"] or "portfolio", answer["as_of"], answer["accounts_as_of"], answer["paths"],
        answer["draws"], answer["seed"], name(answer["noise"]), answer["data_version"][:12])
    views = answer["views"]
    told = Markup("") if views is None else Markup(
        "<p class=flag>Every number after stands under {}: {}. {:,.0f} of {:,} scenarios carry it."
        "</p>").format(
            "a view" if len(views["sentences"]) == 1 else f"{len(views['sentences'])} views",
            "; ".join(views["sentences"]), views["effective_scenarios"], answer["paths"])
    return Markup("{}{}<ul>{}</ul>{}").format(head, told, Markup("").join(flags), facts)


def compare_panel(answers: Sequence[tuple[str, Answer | str]]) -> Markup:
    """Up to four what-ifs side by side; an answer that could not be had is its message."""
    good = [(title, a) for title, a in answers if not isinstance(a, str)]
    heads = Markup("").join(Markup('<th class="n">{}</th>').format(title) for title, _ in answers)
    lines = []

    def line(label: str, texts: Sequence[str], css: str = "") -> None:
        cells = Markup("").join(Markup('<td class="n">{}</td>').format(t) for t in texts)
        lines.append(Markup('<tr class="{}"><th>{}</th>{}</tr>').format(css, label, cells))

    def each(find: Any) -> list[str]:
        return ["not available" if isinstance(a, str) else find(a) for _, a in answers]

    line("Scenario", each(lambda a: a["scenario"]["title"] if a["scenario"] else "Ordinary night"), "words")
    line("Horizon", each(lambda a: horizon(a["horizon_days"]["after"])))
    line("Paths", each(lambda a: f"{a['paths']:,}"))
    line("Positions", each(lambda a: number(a["positions"]["after"], 0)))
    if any(a["views"] for _, a in good):
        line("Views", each(lambda a: "; ".join(a["views"]["sentences"]) if a["views"] else "none"), "words")
        line("Effective scenarios", each(lambda a: number(
            a["views"]["effective_scenarios"] if a["views"] else a["paths"], 0)))
    levels = good[0][1]["levels"] if good else []
    kinds: list[tuple[str, Any]] = [("Expected P&L", lambda p: p["expected_pnl"])]
    for kind, label in (("var", "VaR"), ("es", "ES")):
        kinds += [(f"{label} {100 * x:g}%", lambda p, k=kind, v=x: p[k][f"{v:g}"]) for x in levels]
    for label, find in kinds:
        line(f"{label}, after", each(lambda a, f=find: _with_error(f(a["after"]))))
        line("change", each(lambda a, f=find: _with_error(f(a["change"]), True)), "sub")
    for part in ("fx", "treasury", "equity", "real_estate"):
        line(f"Expected P&L, {name(part)}", each(lambda a, c=part: usd_m(
            a["after"]["by_asset_class"].get(c, {}).get("expected_pnl", _ZERO)["value"])))
    line("Broad dollar falls, %", each(lambda a: _chain(a, "broad_dollar", 100.0, 2)))
    line("10-year yield, flow channel, bp", each(lambda a: _chain(a, "treasury_10y_flow_bp", 1.0, 1)))
    line("Dollars out, USD bn", each(lambda a: _chain(a, "dollars_out_usd_bn", 1.0, 0)))
    line("Mahalanobis distance", each(lambda a: number(a["plausibility"]["after"]["mahalanobis"], 2)
                                      if "plausibility" in a else "–"))
    line("P(at least as far)", each(lambda a: probability(a["plausibility"]["after"]["probability"])
                                    if "plausibility" in a else "–"))
    return Markup('<table class="t compare"><thead><tr><th>USD m unless '
                  'named</th>{}</tr></thead><tbody>{}</tbody>'
                  "</table>").format(heads, Markup("").join(lines))


def table(title: str, rows: Sequence[Row], good_up: int = 0) -> Markup:
    """before, after, change, ±; the first *good_up* rows are P&L (up is good), the others risk (up is bad).

    Painted for every step of a dragged knob: cells hold digits of ``formats.number`` only and are joined
    as they are; labels are escaped.
    """
    lines = []
    for n, (label, before, after, change) in enumerate(rows):
        cells = "".join(f'<td class="n">{usd_m(part["value"])}</td>'
                        f'<td class="n pm wide">{half_width(part)}</td>'
                        for part in (before or _ZERO, after or _ZERO))
        moved = change["value"] if n < good_up else -change["value"]
        shown = usd_m(change["value"], True)
        tone = "" if not any(c in "123456789" for c in shown) else "up" if moved > 0 else "down"
        lines.append(f'<tr><th>{escape(label)}</th>{cells}<td class="n {tone}">{shown}</td>'
                     f'<td class="n pm">{half_width(change)}</td></tr>')
    return Markup(
        f'<table class="t"><thead><tr><th>{escape(title)}</th><th class="n">before</th>'
        '<th class="n pm wide">±</th>'
        '<th class="n">after</th><th class="n pm wide">±</th><th class="n">change</th><th class="n '
        'pm">±</th></tr>'
        f"</thead><tbody>{''.join(lines)}</tbody></table>")


def errors_panel(problems: Sequence[str]) -> Markup:
    """Every problem on a line of its own."""
    return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(p) for p in problems))


def empty(words: str) -> Markup:
    """What stands where there is nothing yet."""
    return Markup('<p class="empty">{}</p>').format(words)


def caution(words: str) -> Markup:
    """What must be known before the numbers below are read."""
    return Markup('<p class="flag">{}</p>').format(words)


def middle_level(answer: Answer) -> str:
    """The level in the middle, as its key."""
    return f"{answer['levels'][len(answer['levels']) // 2]:g}"


def _with_error(part: Mapping[str, float], plus: bool = False) -> str:
    return f"{usd_m(part['value'], plus)} ± {half_width(part)}"


def _chain(answer: Answer, key: str, factor: float, decimals: int) -> str:
    if "chain" not in answer:
        return "–"
    x = answer["chain"]["after"][key]
    return (f"{number(factor * x['median'], decimals)} [{number(factor * x['p16'], decimals)} to "
            f"{number(factor * x['p84'], decimals)}]")
