"""The claims of the sources, each put to the test on the data at hand (``riskengine estimate claims``).

    assess_claims(as_of) -> ClaimsResult

A file per family of claims: ``accounting`` (identities), ``saving``, ``yields``, ``holders``, ``dollar``,
``tariffs``, ``equities``, ``property``, ``wealth``, ``inflows``, ``untestable``.  What they share: ``series``
(who was known when), ``regressions`` (HAC, wild bootstrap, influence), ``verdicts`` (the rule), ``assess``
(all of them, multiple testing).  A claim is a hypothesis here, never a premise.
"""

from __future__ import annotations

__all__ = ["assess_claims"]


def __getattr__(name: str):
    if name == "assess_claims":
        from factors.claims.assess import assess_claims

        return assess_claims
    raise AttributeError(f"module 'factors.claims' has no attribute {name!r}")
