"""The chain of one scenario: policy shock → orders → clearing → dollar and current account → prices of every
factor; with its ledger, its summary and its remarks.

One pass per scenario; everything is by parameter draw, a difference to the baseline (s = X = C = 0).
``price_paths`` holds the part that prices need; here it becomes a response on all steps
(``respond_to_policy``) or on a few of them and nothing else (``respond_at_steps``, for what-ifs), the same
bits either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.units import Horizon
from riskengine.factor_model import FactorModel
from riskengine.flows.balance_of_payments import build_ledger
from riskengine.flows.capital_flows import collect_flows
from riskengine.flows.draws import ParameterDraws
from riskengine.flows.external_accounts import ExternalAccounts
from riskengine.flows.propagation import Map, Scratch
from riskengine.impact.currencies import managed_reserve_share
from riskengine.impact.price_paths import PricePaths, equity_index, factor_moves, impose_moves, price_paths
from riskengine.impact.response import PolicyResponse, ResponseDraws, StepResponse
from riskengine.impact.summary import find_flags, summarise_chain
from riskengine.impact.treasury_yields import TEN, tenor_weights
from riskengine.market import MarketSnapshot
from riskengine.policy.scenario import Scenario

History = Mapping[str, tuple[np.ndarray, np.ndarray]]


def respond_to_policy(
    scenario: Scenario,
    accounts: ExternalAccounts,
    parameters: ParameterDraws,
    model: FactorModel,
    snapshot: MarketSnapshot,
    horizon: Horizon,
    history: History | None = None,
    scratch: Scratch | None = None,
    run: Map | None = None,
) -> PolicyResponse:
    """Everything the chain says about one scenario.

    Parameters
    ----------
    parameters : draws of every parameter, D draws.  model : loadings, betas and covariances at the horizon's
        step.
    snapshot : market inputs (revenue shares, loadings, cap rates, exposures).
    history : factor label → (dates, levels), needed by HistoricalReplay only; levels are logs for log factors
        and decimals for rates.

    Raises
    ------
    InputError : a scenario that contradicts itself, unknown names, missing inputs or history.
    ModelError : a promise of the method is violated (currencies cannot add up).
    """
    draws, dt, steps = parameters, horizon.dt, horizon.steps
    priced = price_paths(scenario, accounts, draws, model, horizon, scratch, run)
    moves, core = factor_moves(priced, accounts, model, snapshot, dt)
    index = equity_index(moves)
    core, pinned = impose_moves(priced, moves, core, model, horizon, history)
    end = moves.at_end() or {"flow": np.zeros((len(FACTORS), draws.count))}
    response = ResponseDraws(FACTORS, horizon, moves.path().T, tuple(end),
                             np.stack(list(end.values())).transpose(0, 2, 1), core, pinned)

    orders, clearing = priced.orders, priced.clearing
    flows = collect_flows(priced.paths, orders, clearing, priced.pinned, steps, dt)
    flows = replace(flows, managed_share=managed_reserve_share(priced.pattern, draws))
    treasury_flow, treasury_path = _by_tenor(priced)
    chain = summarise_chain(accounts, orders, clearing, flows, priced.pinned.sellers, draws, priced.s,
                            treasury_flow, treasury_path, index, priced.t[:steps])
    flags = find_flags(scenario, accounts, orders, flows, priced.s, priced.pinned, draws)
    return PolicyResponse(response, chain, build_ledger(flows, draws), flags)


def _by_tenor(priced: PricePaths) -> tuple[np.ndarray, np.ndarray]:
    """Yields in the flow channel and along the policy path, (D, T, 10) each."""
    profile = tenor_weights(priced.draws)
    flow, path = (np.empty((len(profile), *priced.s.T.shape)) for _ in range(2))
    for j, weight in enumerate(profile):
        np.multiply(priced.flow_10y.T, weight, out=flow[j])
        path[j] = priced.treasury_path(j).T
    return flow.T, path.T


def ten_year_at_horizon(
    scenario: Scenario, accounts: ExternalAccounts, parameters: ParameterDraws, model: FactorModel,
    horizon: Horizon,
) -> tuple[np.ndarray, np.ndarray]:
    """The 10-year yield at the horizon by channel, flow and policy path, each (D,) decimal: the last step of
    ``Chain.treasury_flow`` and ``treasury_path``, from prices alone (no other factor, ledger or summary)."""
    priced = price_paths(scenario, accounts, parameters, model, horizon, flows=False)
    last = np.array([horizon.steps - 1])
    flow = priced.flow_10y[:, last] * tenor_weights(parameters)[TEN]
    return flow[:, 0], priced.treasury_path(TEN, last)[:, 0]


def respond_at_steps(
    scenario: Scenario, accounts: ExternalAccounts, parameters: ParameterDraws, model: FactorModel,
    snapshot: MarketSnapshot, horizon: Horizon, steps: Sequence[int], history: History | None = None,
    scratch: Scratch | None = None, run: Map | None = None,
) -> StepResponse:
    """The response of :func:`respond_to_policy` at some *steps* (0 … T − 1), without ledger and summary.

    scratch : keeps arrays and coefficients between calls with the same accounts and draws (one caller at a
    time).
    run : ``Executor.map``, to run the recursion on its threads.

    Raises what :func:`respond_to_policy` raises.
    """
    keep = np.array(steps, dtype=np.int64)
    priced = price_paths(scenario, accounts, parameters, model, horizon, scratch, run, flows=False)
    moves, core = factor_moves(priced, accounts, model, snapshot, horizon.dt, keep)
    core, pinned = impose_moves(priced, moves, core, model, horizon, history, keep)
    path = moves.path().transpose(0, 2, 1)
    return StepResponse(FACTORS, horizon, tuple(int(t) for t in steps), path, core, pinned)
