"""The one-page scorecard of the court: lights, hits, skill with its leave-one-out range, where not to trust.

Everything is read from the two results (coverage, episodes); the sentences are written from their figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from riskengine.coverage_result import CoverageCell, CoverageReport
from riskengine.reports.charts import Bar, bar_chart
from riskengine.reports.charts.svg import figure
from riskengine.reports.formats import name, number, percent
from riskengine.reports.html_table import Cell, Column, Table, text
from riskengine.reports.sections.court_episodes import (
    COVARIANCE, ENGINE, HORIZONS, NO_SCENARIO, forecasts_of, unit_of, variable_name,
)

RIVALS = {NO_SCENARIO: "the same model without a scenario", COVARIANCE: "scaled historical covariance"}
LOSS = -0.01
"""An episode whose skill against no scenario is below this is explained."""
LIGHTS = (("green", "●", "status-ok"), ("yellow", "▲", "status-warning"), ("red", "■", "status-breach"))
REJECTED = 0.01
"""p-value below which a test refutes a model on the scorecard: many books are tested."""


def figures(report: CoverageReport, result: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """(heading, value, small print, bad) of the strip."""
    loo, controls = result["leave_one_out"], [c for c in result["controls"] if c["small"] is not None]
    level = report.levels[0]
    own = [c for c in report.cells if c.level == level and c.model == report.default_model]
    kept = sum(c.kupiec_p >= REJECTED for c in own)
    small = sum(bool(c["small"]) for c in controls)
    cells = sum(r["cells"] for r in loo)
    inside = sum(r["inside_80"] * r["cells"] for r in loo) / cells if cells else float("nan")
    skill = loo[0]["skill_with_all"] if loo else float("nan")
    without = [r["skill_without"] for r in loo]
    out = [
        ("Days forecast, default model", f"{sum(c.observations for c in own):,}",
         f"{len(own)} books, {min(c.first for c in own)[:4]} to {max(c.last for c in own)[:4]}" if own
         else "", False),
        (f"Exceptions at {level:.0%}, default model", f"{sum(c.exceptions for c in own):,}",
         f"{sum(c.expected for c in own):,.0f} expected", False),
        ("Books not refuted (Kupiec)", f"{kept} of {len(own)}", f"p ≥ {REJECTED:.2f}, {report.default_model}",
         kept < len(own)),
        ("Episodes scored", str(len(loo)), _left_out(result) + "ten to twelve independent",
         bool(result["failed"])),
        ("Inside the 80% band", percent(inside, 0), f"of {cells:,} outcomes, dependent", inside < 0.75),
        ("Skill against no scenario", percent(skill, 1, True),
         f"{percent(min(without), 1, True)} to {percent(max(without), 1, True)} leaving one out" if without
         else "",
         skill < 0),
        ("Negative controls small", f"{small} of {len(controls)}", "the scenario's own response",
         small < len(controls)),
    ]
    return out


def _left_out(result: Mapping[str, Any]) -> str:
    """'1 not applicable, 2 not replayed; '."""
    idle = sum(bool(r["not_applicable"]) for r in result["episodes"])
    counts = ((idle, "not applicable"), (len(result["failed"]), "not replayed"))
    parts = [f"{n} {words}" for n, words in counts if n]
    return ", ".join(parts) + "; " if parts else ""


def lights(report: CoverageReport) -> Table:
    """Model × asset class: how many books are green, yellow, red over all days at the first level."""
    level = report.levels[0]
    cells = [c for c in report.cells if c.level == level]
    classes = list(dict.fromkeys(c.asset_class for c in cells))
    books = {k: _books(cells, k) for k in classes}
    columns = (Column("Model", numeric=False),
               *(Column(name(k), f"{n} book{'s' if n > 1 else ''}", numeric=False) for k, n in books.items()),
               Column("Exceptions / expected"), Column("Kupiec holds", f"p ≥ {REJECTED:.2f}"))
    rows = []
    for model in sorted(report.models, key=lambda m: m != report.default_model):
        mine = [c for c in cells if c.model == model]
        rows.append((
            text(model + (" (default)" if model == report.default_model else ""),
                 "strong" if model == report.default_model else ""),
            *(_light([c for c in mine if c.asset_class == k]) for k in classes),
            Cell(number(sum(c.exceptions for c in mine) / max(sum(c.expected for c in mine), 1e-9), 2),
                 sum(c.exceptions for c in mine) / max(sum(c.expected for c in mine), 1e-9)),
            Cell(f"{sum(c.kupiec_p >= REJECTED for c in mine)} of {len(mine)}",
                 float(sum(c.kupiec_p >= REJECTED for c in mine)))))
    return Table(f"Coverage lights, {level:.0%} VaR of one day", columns, tuple(rows), sortable=False,
                 note="Each book's zone over all its days: green below 95% of the binomial distribution of a "
                      "right model, red above 99.99% (Basel; too few exceptions stay green, Kupiec sees "
                      "them). ● green ▲ yellow ■ red, with the number of books.")


def group_name(group: str) -> str:
    """'ten-year beyond the path' → 'Ten-year beyond the path'."""
    return group[:1].upper() + group[1:]


def _books(cells: Sequence[CoverageCell], asset_class: str) -> int:
    return len({c.book for c in cells if c.asset_class == asset_class})


def _light(cells: Sequence[CoverageCell]) -> Cell:
    found = [(symbol, css, sum(c.traffic_light == colour for c in cells)) for colour, symbol, css in LIGHTS]
    shown = Markup("\u2002").join(Markup('<span class="{}">{}\u202f{}</span>').format(css, symbol, n)
                                   for symbol, css, n in found if n)
    return Cell(shown or "–", float(-sum(n * 100**i for i, (_, _, n) in enumerate(found))), css="status")


def skill_table(result: Mapping[str, Any], rival: str) -> Table | None:
    """Group × horizon: skill against *rival* with its leave-one-out range, on a diverging background."""
    rows = [s for s in result["skill"] if s["rival"] == rival]
    if not rows:
        return None
    by = {(s["group"], s["weeks"]): s for s in rows}
    columns = (Column("", numeric=False), *(Column(words, "[range]") for _, words in HORIZONS))
    body = []
    for group in dict.fromkeys(s["group"] for s in rows):
        body.append((text(group_name(group)), *(_skill_cell(by.get((group, w))) for w, _ in HORIZONS)))
    return Table(f"CRPS skill against {RIVALS[rival]}, %", columns, tuple(body), sortable=False,
                 note="Share of the rival's CRPS saved, [lowest, highest] leaving one episode out. Blue: "
                      "better, orange: worse; strong colour: whichever episode is left out.")


def _skill_cell(s: Mapping[str, Any] | None) -> Cell:
    if s is None:
        return Cell("–")
    sure = s["lowest"] > 0 or s["highest"] < 0
    css = ("h" if s["skill"] > 0 else "hm") + ("2" if sure else "1")
    return Cell(number(100 * s["skill"], 1, plus=True), s["skill"],
                f"[{number(100 * s['lowest'], 1)}, {number(100 * s['highest'], 1)}]", f"heat {css}")


def band_table(result: Mapping[str, Any]) -> Table | None:
    """Group × horizon: outcomes inside the engine's 80% band; sign hits where the response has a sign."""
    by = {(s["group"], s["weeks"]): s for s in result["skill"] if s["rival"] == NO_SCENARIO}
    if not by:
        return None
    columns = (Column("", numeric=False), *(Column(words, "[range]") for _, words in HORIZONS),
               Column("Sign", "right / clear"), Column("Outcomes"))
    body = []
    for group in dict.fromkeys(g for g, _ in by):
        mine = [by[group, w] for w, _ in HORIZONS if (group, w) in by]
        hits, clear = sum(s["sign_hits"] for s in mine), sum(s["sign_cells"] for s in mine)
        body.append((text(group_name(group)), *(_band_cell(by.get((group, w))) for w, _ in HORIZONS),
                     Cell(f"{hits} / {clear}" if clear else "–", hits / clear if clear else None),
                     Cell(str(sum(s["cells"] for s in mine)), float(sum(s["cells"] for s in mine)))))
    return Table("Outcomes inside the engine's 80% band", columns, tuple(body), sortable=False,
                 note="Range: 5% to 95% of the share under a right model if outcomes were independent; they "
                      "are not (episodes overlap, currencies move together), so the true range is wider. "
                      "Orange: below the range. Sign: responses large enough to have one.")


def _band_cell(s: Mapping[str, Any] | None) -> Cell:
    if s is None:
        return Cell("–")
    low, high = s["expected_low"], s["expected_high"]
    css = "heat hm2" if s["inside"] < low else "heat h1" if s["inside"] > high else ""
    return Cell(percent(s["inside"], 0), s["inside"], f"[{100 * low:.0f}, {100 * high:.0f}]", css)


def episode_bars(result: Mapping[str, Any]) -> Markup | None:
    """Skill of each scored episode against no scenario."""
    titles = {r["name"]: f"{r['title']} {r['announced'][:4]}" for r in result["episodes"]}
    bars = [Bar(titles[r["episode"]], 100 * r["own_skill"],
                note=f"inside 80% band {percent(r['inside_80'], 0)}")
            for r in result["leave_one_out"]]
    if not bars:
        return None
    return figure("Skill by episode against no scenario", "% of its CRPS, all variables and horizons",
                  bar_chart(bars, "Skill by episode", "%", 1, row=17, label_share=0.45))


def leave_one_out_table(result: Mapping[str, Any]) -> Table:
    """Every scored episode: cells, hits, its own skill, everything without it."""
    titles = {r["name"]: r["title"] for r in result["episodes"]}
    days = {r["name"]: r["announced"] for r in result["episodes"]}
    columns = (Column("Episode", numeric=False, css="words"), Column("Announced", numeric=False),
               Column("Outcomes"), Column("In 80% band", "%"), Column("Own skill", "%"),
               Column("All without it", "% skill"), Column("Change", "points"))
    rows = tuple((
        text(titles[r["episode"]], link=f"#episode-{r['episode']}"), text(days[r["episode"]]),
        Cell(str(r["cells"]), float(r["cells"])),
        Cell(number(100 * r["inside_80"], 0), r["inside_80"]),
        Cell(number(100 * r["own_skill"], 1, plus=True), r["own_skill"], css="neg" if r["own_skill"] < 0
             else ""),
        Cell(number(100 * r["skill_without"], 1, plus=True), r["skill_without"]),
        Cell(number(100 * (r["skill_without"] - r["skill_with_all"]), 1, plus=True),
             r["skill_without"] - r["skill_with_all"])) for r in result["leave_one_out"])
    return Table("Leaving one episode out", columns, rows,
                 note="Skill: 1 − CRPS / CRPS of the same model without a scenario, over all variables and "
                      "horizons, each divided by the historical standard deviation of its cell.")


def warnings(report: CoverageReport, result: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """(heading, sentences) of 'where not to trust the engine'; headings without a case say so."""
    return [("Where a rival is better", _worse(result)),
            ("Where the bands are too narrow", _narrow(report, result)),
            ("Episodes that the scenario made worse, and why", _losses(result)),
            ("Controls that moved", _controls(result)),
            ("Books the default model does not cover", _uncovered(report))]


def _worse(result: Mapping[str, Any]) -> list[str]:
    out = [f"{s[:1].upper()}{s[1:]}." for s in result["worse"]]
    horizon = dict(HORIZONS)
    for s in result["skill"]:
        if s["skill"] < 0 and s["highest"] >= 0:
            out.append(f"{group_name(s['group'])} at {horizon[s['weeks']]}: no better than "
                       f"{RIVALS[s['rival']]} ({percent(s['skill'], 1, True)}; "
                       f"{percent(s['lowest'], 1, True)} to {percent(s['highest'], 1, True)} leaving one "
                       f"episode out).")
    one = sorted({(group_name(s["group"]), horizon[s["weeks"]], s["most_needed"]) for s in result["skill"]
                  if s["skill"] > 0 >= s["lowest"]})
    if one:
        titles = {r["name"]: r["title"] for r in result["episodes"]}
        by: dict[str, list[str]] = {}
        for group, words, needed in one:
            by.setdefault(titles.get(needed, needed), []).append(f"{group.lower()} at {words}")
        out += [f"Only with “{title}” is the engine ahead of a rival for {', '.join(cells)}."
                for title, cells in by.items()]
    return out


def _narrow(report: CoverageReport, result: Mapping[str, Any]) -> list[str]:
    horizon = dict(HORIZONS)
    out = [f"{group_name(s['group'])} at {horizon[s['weeks']]}: {percent(s['inside'], 0)} of {s['cells']} "
            f"outcomes in the 80% band, a right model {percent(s['expected_low'], 0)} to "
            f"{percent(s['expected_high'], 0)}."
            for s in result["skill"] if s["rival"] == NO_SCENARIO and s["inside"] < s["expected_low"]]
    return out + _announcement_day(report, result.get("announcement_day"))


def _announcement_day(report: CoverageReport, day: Mapping[str, Any] | None) -> list[str]:
    """Why one-day bands of currencies are narrow: the day of the announcement is not an ordinary day."""
    if day is None or day["lowest"] <= 1.0:
        return []
    counts = [c.pit_counts for c in report.cells if c.asset_class == "currencies"
              and c.model == report.default_model and c.level == report.levels[0] and len(c.pit_counts) == 20]
    ordinary = sum(sum(c[2:18]) for c in counts) / max(sum(map(sum, counts)), 1)
    known = f"; on all days of their books the same band held {percent(ordinary, 0)}" if counts else ""
    return [f"Currencies at 1 day, without a scenario: {percent(day['inside'], 0)} of {day['cells']} moves "
            f"on the day after an announcement in the 80% band{known}. A band {number(day['widening'], 1)} "
            f"times as wide ({number(day['lowest'], 1)} to {number(day['highest'], 1)} leaving one episode "
            f"out) would have held 80%, and {percent(day['inside_left_out'], 0)} of the episode left out. "
            f"The engine does not widen: in {day['calm']} of {day['episodes']} episodes most currencies "
            f"stayed inside, which ones would not was unknowable, and the episodes were chosen because they "
            f"are remembered."]


def _losses(result: Mapping[str, Any]) -> list[str]:
    own = {r["episode"]: r["own_skill"] for r in result["leave_one_out"]}
    out = []
    for record in sorted((r for r in result["episodes"] if own.get(r["name"], 0.0) < LOSS),
                         key=lambda r: own[r["name"]]):
        out.append(f"{record['title']}, {record['announced'][:4]} ({percent(own[record['name']], 1, True)}): "
                   f"{_largest_loss(record)}. Unknowable that evening: {record['unknowable']}")
    return out


def _largest_loss(record: Mapping[str, Any]) -> str:
    """The variable and horizon at which the scenario cost most CRPS, with prediction and outcome."""
    found, horizon = forecasts_of(record), dict(HORIZONS)
    worst, most = None, 0.0
    for (variable, weeks, model), f in found.items():
        if model != ENGINE or f["crps"] is None or variable.startswith("BOOK_"):
            continue
        rival = found[variable, weeks, COVARIANCE]["quantiles"]
        spread = (rival[5] - rival[1]) / 2.5632
        lost = (f["crps"] - found[variable, weeks, NO_SCENARIO]["crps"]) / spread if spread > 0 else 0.0
        if lost > most:
            worst, most = (variable, weeks), lost
    if worst is None:
        return "no single variable lost much"
    variable, weeks = worst
    unit, scale, decimals = unit_of(variable)
    f = found[variable, weeks, ENGINE]
    shown = "%" if unit == "%" else f" {unit}"
    return (f"most lost on {variable_name(variable)} at {horizon[weeks]}, predicted "
            f"{number(scale * f['quantiles'][3], decimals, plus=True)}{shown}, happened "
            f"{number(scale * f['realised'], decimals, plus=True)}{shown}")


def _controls(result: Mapping[str, Any]) -> list[str]:
    out = []
    titles = {r["name"]: r["title"] for r in result["episodes"]}
    for c in result["controls"]:
        if c["small"] is False:
            unit, scale, decimals = unit_of(c["factor"])
            out.append(f"{titles.get(c['episode'], c['episode'])}: {variable_name(c['factor'])} responds by "
                       f"{number(scale * c['response'], decimals + 1)} {unit}, limit "
                       f"{number(scale * c['most'], decimals)} {unit} ({c['reason']}).")
    return out


def _uncovered(report: CoverageReport) -> list[str]:
    """Books on which the default model is refuted: too many exceptions one by one, too few in one
    sentence."""
    level = report.levels[0]
    refuted = [c for c in report.cells if c.level == level and c.model == report.default_model
               and (c.kupiec_p < REJECTED or c.traffic_light == "red")]
    out = [f"{c.book}: VaR too small, {c.exceptions} exceptions where {number(c.expected, 0)} were expected "
           f"({c.first[:4]} to {c.last[:4]}; Kupiec p {_p(c.kupiec_p)}; zone {c.traffic_light}; other tail "
           f"{c.other_tail_exceptions})." for c in refuted if c.exceptions > c.expected]
    few = [c for c in refuted if c.exceptions <= c.expected]
    if few:
        out.append("VaR too large: " + "; ".join(
            f"{c.book} {c.exceptions} of {number(c.expected, 0)} expected (other tail "
            f"{c.other_tail_exceptions})"
            for c in few) + ".")
    for group, found in _dependent(report, level).items():
        out.append(f"{group}: {found}.")
    return out


def _dependent(report: CoverageReport, level: float) -> dict[str, str]:
    """Books whose exceptions come in clusters, and whose ES is too small."""
    own = [c for c in report.cells if c.level == level and c.model == report.default_model]
    clusters = [c.book for c in own if min(c.christoffersen_p, c.duration_p) < REJECTED]
    small = [f"{c.book} (Z2 {number(c.z2, 2)})" for c in own if c.z2_p < REJECTED and c.z2 < 0]
    out = {}
    if clusters:
        out["Exceptions come in clusters (Markov or duration test below 1%)"] = ", ".join(clusters)
    if small:
        words = "Losses beyond the VaR larger or more frequent than the ES says (Acerbi–Székely Z2 below 1%)"
        out[words] = ", ".join(small)
    return out


def _p(value: float) -> str:
    return "< 0.001" if value < 0.0005 else f"{value:.3f}"
