"""Claims that no series can refute today, each with the reason."""

from __future__ import annotations

from factors.claims.drafts import Draft, Wording
from factors.claims.series import Evidence
from factors.claims.yields import REPORT

_NONE = ("none", "none")
CLAIMS = (
    (Wording("D16", "Untestable", "Surplus countries have fewer answers to capital measures than to tariffs",
             "Countries that export saving can retaliate against tariffs but hardly against limits on their "
             "purchases.",
             REPORT, "elasticity of retaliation to a capital measure: not identified", *_NONE),
     "No large debtor has restricted inflows in the period of floating exchange rates while its creditors "
     "could answer; there is no variation to estimate from. The engine carries it as a scenario."),
    (Wording("U1", "Untestable", "Repealing the withholding tax in 1984 opened the flood of capital",
             "Ending the 30% tax on foreigners' interest was decisive for the growth of cross-border flows.",
             REPORT,
             "flows after 1984 against flows without the repeal: no counterfactual", *_NONE),
     "One event, no control: rates fell, the dollar peaked and markets abroad were freed in the same years, "
     "and monthly flows begin in December 1984. Nearer evidence is the Antilles reversal of 1987, which hit "
     "the taxed paper only."),
    (Wording("U2", "Untestable", "Net worth over GDP will normalise through growth",
             "If imbalances reverse, the ratio falls because GDP grows faster, not because assets fall.",
             REPORT,
             "path of NW/GDP after a reversal: not observed", *_NONE),
     "A statement about the future of an event that has not happened; the two reversals on record (1987–91, "
     "2006–09) fell together with house-price cycles."),
    (Wording("U3", "Untestable", "Suppressed consumption in surplus countries is the root of US deficits",
             "Policies in China and elsewhere that hold down household income produce the saving that the "
             "United States must "
             "absorb.", REPORT, "CA(US) on consumption shares abroad, instrumented: no instrument at hand",
             *_NONE),
     "National accounts of the surplus countries are not among the series, and a world identity (balances "
     "sum to zero) makes any regression of one balance on the others circular without an instrument."),
    (Wording("U4", "Untestable", "Foreign borrowing raised US investment",
             "Without foreign saving, investment would have been lower.", "Klitgaard (2025), New York Fed",
             "I with and without inflow: no counterfactual", *_NONE),
     "The identity holds with lower consumption just as well as with lower investment; which one would have "
     "given way is a counterfactual. The share of investment in observed adjustments (D4-adjust) is the "
     "nearest evidence."),
)


def test_untestable(evidence: Evidence) -> list[Draft]:
    """Each named, with the reason."""
    return [Draft(wording, untestable=why) for wording, why in CLAIMS]
