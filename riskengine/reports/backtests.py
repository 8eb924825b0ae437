"""The court's page: a one-page scorecard, every episode, coverage of the nightly noise, what it rests on.

``render_court`` fills ``templates/court.html`` from the two results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from riskengine.coverage_result import CoverageReport
from riskengine.reports.page import render_page
from riskengine.reports.sections import court_coverage, court_episodes, court_liquidity, court_score

CONTENTS = (("scorecard", "Scorecard"), ("episodes", "Episodes"), ("coverage", "Coverage"),
            ("liquidity", "Own trades and liquidity"), ("method", "Method and limits"))


def render_court(
    report: CoverageReport, result: Mapping[str, Any], costs: Sequence[Mapping[str, Any]] = (),
    stressed: Sequence[Mapping[str, Any]] | str = (),
) -> str:
    """The page.

    report : daily coverage.  result : episodes, the layout of episodes.json.  costs : published examples of
    trading costs.  stressed : books' stressed losses, or the sentence why there are none.
    """
    episodes = court_episodes.view(result)
    titles = {r["name"]: r["title"] for r in result["episodes"]}
    return render_page(
        "court.html", report=report, result=result, contents=CONTENTS,
        figures=court_score.figures(report, result), lights=court_score.lights(report),
        band=court_score.band_table(result),
        skill=court_score.skill_table(result, court_score.NO_SCENARIO),
        skill_covariance=court_score.skill_table(result, court_score.COVARIANCE),
        bars=court_score.episode_bars(result), warnings=court_score.warnings(report, result),
        controls=court_episodes.controls_table(
            [{**c, "episode": titles.get(c["episode"], c["episode"])} for c in result["controls"]],
            "Negative controls"),
        leave_one_out=court_score.leave_one_out_table(result), episodes=episodes,
        coverage=court_coverage.view(report), costs=court_liquidity.cost_table(costs),
        stressed=None if isinstance(stressed, str) else court_liquidity.stress_table(stressed),
        stressed_reason=stressed if isinstance(stressed, str) else "",
        revised=_revised(result), absent=_absent(result))


def _revised(result: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Input that is today's vintage → titles of the episodes that say so."""
    out: dict[str, list[str]] = {}
    for record in result["episodes"]:
        for words in record["revised"]:
            out.setdefault(words, []).append(record["title"])
    return list(out.items())


def _absent(result: Mapping[str, Any]) -> list[str]:
    """Titles of the episodes in which some of the judged variables did not exist."""
    return [r["title"] for r in result["episodes"] if any("absent at" in x for x in r["remarks"])]
