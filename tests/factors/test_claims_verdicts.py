"""The verdict rule: regions, p-values, Holm, and the words that follow."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from factors.claims.assess import conclude
from factors.claims.drafts import Draft, Wording
from factors.claims.regressions import Measured
from factors.claims.verdicts import Region, benjamini_hochberg, decide, decision_p, holm, p_values

T = np.random.default_rng(1).standard_normal(4999)


def number(value: float, se: float = 1.0) -> Measured:
    return Measured(value, se, value - 1.96 * se, value + 1.96 * se, 100, T)


def draft(name: str, value: float, region: Region, se: float = 1.0, **fields) -> Draft:
    words = Wording(name, "Family", name, "It is so.", "somebody", "y = a + b x", "b", "b")
    return Draft(words, region=region, measured=number(value, se), unit="unit", **fields)


@pytest.mark.parametrize(("value", "region", "expected"), [
    (-5, Region(high=0), "supported"), (5, Region(high=0), "contradicted"),
    (-0.5, Region(high=0), "undecided"),
    (5, Region(low=1), "supported"), (-5, Region(low=1), "contradicted"),
    (0, Region(-8, 8), "supported"), (15, Region(-8, 8), "contradicted"), (7, Region(-8, 8), "undecided"),
    (0, Region(-1, 1), "undecided"),
])
def test_a_verdict_needs_the_whole_interval_on_one_side(value, region, expected):
    pair = p_values(number(value), region)
    assert decide(*pair, decision_p(*pair)) == expected


def test_absence_of_evidence_is_not_evidence_of_absence():
    """'No effect' (within ±2) is not supported by a wide interval around zero, only by a narrow one."""
    wide, narrow = (p_values(number(0.0, se), Region(-2, 2)) for se in (3.0, 0.5))
    assert decide(*wide, decision_p(*wide)) == "undecided"
    assert decide(*narrow, decision_p(*narrow)) == "supported"


def test_corrections_are_those_of_statsmodels():
    p = np.r_[np.random.default_rng(2).random(12) ** 3, 0.01, 0.01]
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])


def test_one_claim_among_many_needs_more():
    alone = conclude([draft("a", -2.5, Region(high=0))])[0]
    crowd = [draft(f"c{i}", 0.1, Region(high=0)) for i in range(20)]
    among = conclude([draft("a", -2.5, Region(high=0)), *crowd])[0]
    assert alone.verdict == "supported" and among.verdict == "undecided"
    assert "alone it would support it" in among.reason and among.p == alone.p < among.p_holm


def test_a_verdict_that_hangs_on_one_point_says_so():
    claim = conclude([draft("a", -5, Region(high=0), influential="2008Q4",
                            without=(("without 2008Q4", number(-0.2)),))])[0]
    assert claim.verdict == "supported"
    assert [(what, verdict) for what, _, verdict in claim.without] == [("without 2008Q4", "undecided")]


def test_identities_figures_untestable_and_missing():
    words = Wording("x", "Family", "Title", "It is so.", "somebody", "a = b", "identity", "identity")
    exact = Measured(0.9, 0.0, 0.9, 0.9, 1)
    claims = conclude([
        Draft(words, identity=(True, "ties")), Draft(words, identity=(False, "does not tie")),
        Draft(words, region=Region(low=1.5), measured=exact, words="0.9"),
        Draft(words, untestable="no variation"), Draft(words, missing=("tic.flows.total.treas_net",)),
        Draft(words, words="Too short a sample.", short=True),
    ])
    assert [c.verdict for c in claims] == ["identity holds", "identity fails", "contradicted", "untestable",
                                          "data missing", "data missing"]
    assert all(c.p is None for c in claims)
    assert "riskengine data import" in claims[4].reason and "TIC" in claims[4].reason


def test_regions_in_words():
    assert Region(high=-0.3).text() == "below −0.3"
    assert Region(-2, 2).text("bp") == "between −2 and 2 bp"
    assert Region(low=0).holds(0.1) and not Region(low=0).holds(-0.1)
