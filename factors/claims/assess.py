"""All claims at a date: run every family, correct for multiple testing, write the verdicts (rule in
``verdicts``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from factors.claims import (
    accounting, dollar, equities, holders, inflows, property, saving, tariffs, untestable, wealth, yields,
)
from factors.claims.drafts import Draft, estimate_of, signed
from factors.claims.regressions import Measured
from factors.claims.series import Evidence, gather_evidence, grouped, where_from
from factors.claims.verdicts import (
    LEVEL, RULE, benjamini_hochberg, decide, decision_p, holm, lean, p_values,
)
from riskengine.result import Claim, ClaimsResult

FAMILIES: tuple[Callable[[Evidence], list[Draft]], ...] = (
    accounting.test_accounting, saving.test_saving, inflows.test_inflows, yields.test_yields,
    holders.test_holders,
    dollar.test_dollar, tariffs.test_tariffs, equities.test_equities, property.test_property,
    wealth.test_wealth,
    untestable.test_untestable,
)


def assess_claims(as_of: str, evidence: Evidence | None = None, data_version: str = "embedded",
                  step: Callable[[str, int, int], None] | None = None) -> ClaimsResult:
    """Every claim with its verdict, on what was known at the close of *as_of*.

    evidence : instead of the embedded panels and the active store (tests).  data_version : of the store, for
    the
    record.  step : told (family, done, of how many).
    """
    evidence = evidence or gather_evidence(as_of)
    drafts: list[Draft] = []
    for done, family in enumerate(FAMILIES):
        if step is not None:
            step(family.__name__.removeprefix("test_"), done, len(FAMILIES))
        drafts += family(evidence)
    return ClaimsResult(as_of, data_version, RULE, tuple(conclude(drafts)))


def conclude(drafts: Sequence[Draft]) -> list[Claim]:
    """Verdicts with the multiple-testing correction over all drafts that carry a sampled number."""
    tested = [i for i, d in enumerate(drafts) if _sampled(d)]
    sides = {i: p_values(drafts[i].measured, drafts[i].region) for i in tested}
    p = [decision_p(*sides[i]) for i in tested]
    adjusted = dict(zip(tested, holm(p), strict=True)) if tested else {}
    q = dict(zip(tested, benjamini_hochberg(p), strict=True)) if tested else {}
    place = {i: k for k, i in enumerate(tested)}
    out = []
    for i, draft in enumerate(drafts):
        if i not in sides:
            out.append(_claim(draft, *_fixed_verdict(draft)))
            continue
        verdict = decide(*sides[i], adjusted[i])
        without = []
        for what, measured in draft.without:
            again = list(p)
            pair = p_values(measured, draft.region)
            again[place[i]] = decision_p(*pair)
            without.append((what, estimate_of(what, measured, draft.unit),
                            decide(*pair, holm(again)[place[i]])))
        out.append(_claim(draft, verdict, _reason(draft, verdict, sides[i], p[place[i]], adjusted[i]),
                          p=p[place[i]], p_holm=adjusted[i], q=q[i], without=tuple(without)))
    return out


def _sampled(draft: Draft) -> bool:
    return draft.measured is not None and draft.measured.draws is not None and draft.region is not None


def _fixed_verdict(draft: Draft) -> tuple[str, str]:
    """Verdict of a draft without sampling error: an identity, a figure, an untestable claim, missing data."""
    if draft.identity is not None:
        return ("identity holds" if draft.identity[0] else "identity fails"), draft.identity[1]
    if draft.measured is not None and draft.region is not None:
        holds = draft.region.holds(draft.measured.value)
        return ("supported" if holds else "contradicted"), draft.words
    if draft.untestable:
        return "untestable", draft.untestable
    if draft.short:
        return "data missing", draft.words
    files = sorted({where_from(name) for name in draft.missing})
    need = f"Needs {grouped(draft.missing)}: riskengine data import FILE ({'; '.join(files)})."
    return "data missing", f"{draft.words} {need}".strip()


def _reason(draft: Draft, verdict: str, sides: tuple[float, float], p: float, adjusted: float) -> str:
    measured, where = draft.measured, draft.region.text()
    inside = draft.region.holds(measured.value)
    digits = decimals_for(measured)
    number = (f"{signed(measured.value, digits, plus=False)} [{signed(measured.low, digits, plus=False)}, "
              f"{signed(measured.high, digits, plus=False)}] {draft.unit}")
    text = {
        "supported": f"Supported: {number} lies {where}, as claimed (Holm p {_p(adjusted)}).",
        "contradicted": f"Contradicted: {number} does not lie {where} (Holm p {_p(adjusted)}).",
        "undecided": f"Undecided: {number}; the claim needs it {where}"
                     f"{_lean(sides, p, adjusted, inside)}.",
    }[verdict]
    return f"{text} {draft.words}".strip()


def _lean(sides: tuple[float, float], p: float, adjusted: float, inside: bool) -> str:
    way = lean(*sides)
    if p <= LEVEL < adjusted:
        verb = "support" if way == "for" else "contradict"
        return f"; alone it would {verb} it (p {_p(p)}), not after Holm ({_p(adjusted)})"
    if way == "neither":
        return f"; the estimate lies {'inside' if inside else 'outside'}, its interval reaches both"
    return f"; it leans {'towards' if way == 'for' else 'against'} the claim (p {_p(p)})"


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def decimals_for(measured: Measured) -> int:
    """Decimals that show two digits of the standard error, at most three."""
    size = measured.se if measured.se > 0 else abs(measured.value)
    return 0 if size >= 10 else 1 if size >= 1 else 2 if size >= 0.03 else 3


def _claim(draft: Draft, verdict: str, reason: str, **numbers: object) -> Claim:
    w = draft.wording
    estimate = estimate_of("main", draft.measured, draft.unit,
                           draft.sample) if draft.measured is not None else None
    return Claim(
        id=w.id, family=w.family, title=w.title, claim=w.claim, said_by=w.said_by, equation=w.equation,
        series=draft.series, expected_seed=w.expected_seed, expected_literature=w.expected_literature,
        verdict=verdict,
        reason=reason, estimate=estimate, others=draft.others, influential=draft.influential,
        caveats=(*w.caveats, *draft.caveats), missing=draft.missing, chart=draft.chart, **numbers)
