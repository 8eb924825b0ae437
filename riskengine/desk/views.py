"""Views of a trader on the page: what was understood, how many scenarios still carry the answer, and the
refusal.

The floor is that of ``measures.entropy_pooling``: a tenth of the scenarios there were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from riskengine.base.errors import Problem
from riskengine.desk.panels import empty
from riskengine.measures.entropy_pooling import LEAST_EFFECTIVE
from riskengine.measures.view_sentences import BOOK

EXAMPLES = ("mean(FX_JPY) = 5%", "mean(UST_10Y) >= 25bp", "vol(EQ_SP500) = 30%", "prob(UST_10Y > 50bp) = 20%",
            "corr(FX_EUR, UST_10Y) = 0.3", "rank FX_JPY > FX_EUR > FX_GBP", f"mean({BOOK}) <= -100m",
            "confidence 60%")
"""Sentences that a click puts into the line; every form there is."""


def views_panel(answer: Mapping[str, Any]) -> Markup:
    """The views in force, each as understood, and the effective number of scenarios."""
    found = answer["views"]
    if found is None:
        return empty("No views. A view reweighs the same paths (entropy pooling): the least change "
                     "of their weights "
                     "that makes the sentence true.")
    sentences = found["sentences"]
    rows = [Markup('<tr><th><b>{}</b><small>{}</small></th><td><button type="button" data-drop-view="{}" '
                   'title="Take this view out" aria-label="take out {}">×</button></td></tr>').format(
                       s, words, n, s)
            for n, (s, words) in enumerate(zip(sentences, found["understood"], strict=False))]
    rest = "; ".join(found["understood"][len(sentences):])
    return Markup('{}<table class="t views"><tbody>{}</tbody></table><p class="muted">{}</p>').format(
        gauge(found["effective_scenarios"], answer["paths"]), Markup("").join(rows), rest)


def gauge(effective: float, paths: int) -> Markup:
    """A bar of the effective number of scenarios, with the floor marked."""
    share = effective / paths
    tone = "low" if share < LEAST_EFFECTIVE else "thin" if share < 3 * LEAST_EFFECTIVE else "ok"
    return Markup(
        '<div class="gauge {}"><span>Effective scenarios</span><b>{:,.0f}</b><span>of {:,}, {:.1f}%</span>'
        '<div class="bar" role="img" aria-label="{:.1f}% of the scenarios carry the answer; the '
        'floor is {:.0f}%">'
        '<i style="width:{:.2f}%"></i><u style="left:{:.0f}%" title="floor: {:.0f}%"></u>'
        "</div></div>").format(
            tone, effective, paths, 100 * share, 100 * share, 100 * LEAST_EFFECTIVE, 100 * min(share, 1.0),
            100 * LEAST_EFFECTIVE, 100 * LEAST_EFFECTIVE)


def refusal_panel(problems: Sequence[Problem]) -> Markup:
    """Why views were not taken, and what can be done; the buttons answer to ``data-views``."""
    few = any("effective scenarios" in p.rule for p in problems)
    lines = [Markup("<li><b>{}</b>{}{}</li>").format(
        p.rule[:1].upper() + p.rule[1:], Markup("<small>{}</small>").format(p.got) if p.got else "",
        Markup("<small>Accepted: {}</small>").format(p.accepted) if p.accepted else "") for p in problems]
    title = "Too few scenarios are left" if few else "This view cannot be taken"
    why = Markup("<p>Below {:.0f}% of the scenarios the answer would rest on a handful of paths, so "
                 "it is not given. "
                 "The numbers on the page are those without this view.</p>").format(100 * LEAST_EFFECTIVE)
    ways = Markup('<div class="ways"><button type="button" data-views="blend">Blend at 50% '
                  'confidence</button>'
                  '<button type="button" data-views="force">Take it anyway</button>'
                  '<button type="button" data-views="drop">Leave it</button></div>')
    return Markup('<div class="refusal" role="alert"><h3>{}</h3><ul>{}</ul>{}{}</div>').format(
        title, Markup("").join(lines), why if few else "", ways if few else "")
