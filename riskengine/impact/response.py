"""What the chain hands to the simulation: the response of every factor, for every parameter draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import Axis
from riskengine.base.units import Horizon
from riskengine.flows.balance_of_payments import Ledger


@dataclass(frozen=True, slots=True)
class ResponseDraws:
    """Level path of every factor by parameter draw, as a difference to the baseline.

    path : (D, T, K) cumulative move at the end of each step (factor's own unit).
    channels : C names of axes.CHANNELS.  by_channel : (C, D, K) the same at the horizon; sums over C to
    path[:, -1].
    core : (K,) bool: factors set by the chain (the others are filled by simulation.condition).
    pinned : (K,) bool: factors whose noise is switched off at the horizon (FactorShock, targets).
    """

    axis: Axis
    horizon: Horizon
    path: np.ndarray
    channels: tuple[str, ...]
    by_channel: np.ndarray
    core: np.ndarray
    pinned: np.ndarray


@dataclass(frozen=True, slots=True)
class StepResponse:
    """The response at some steps only: path (K, D, S), steps (S,) counted from 0; core, pinned as above."""

    axis: Axis
    horizon: Horizon
    steps: tuple[int, ...]
    path: np.ndarray
    core: np.ndarray
    pinned: np.ndarray


@dataclass(frozen=True, slots=True)
class Chain:
    """The chain at a glance; every array (D, T) unless said; flows USD bn cumulated to the end of the step.

    gross_orders, net_outflow, dollars_out : negative orders = sales are kept with the sign of METHOD 0
    (inflow +): gross_orders < 0 and net_outflow < 0 are sales by non-residents; dollars_out > 0 leaves the
    dollar.
    broad_dollar : s, log, + = the dollar fell.  treasury_flow, treasury_path : (D, T, 10) KEY_RATES,
    decimals.
    current_account_change : USD bn per year.  saving_change, investment_change : (D, T) USD bn per year, and
    saving_by_sector (3, D, T): household, business, government.
    equity_index : (D, T) log.  holder_orders : (H, A, 3) median, p16, p84 of cumulated orders at the horizon.
    absorbers : rows (name, USD bn median) of who bought at the horizon.
    """

    gross_orders: np.ndarray
    net_outflow: np.ndarray
    dollars_out: np.ndarray
    broad_dollar: np.ndarray
    treasury_flow: np.ndarray
    treasury_path: np.ndarray
    current_account_change: np.ndarray
    saving_change: np.ndarray
    investment_change: np.ndarray
    saving_by_sector: np.ndarray
    equity_index: np.ndarray
    holders: tuple[str, ...]
    holder_orders: np.ndarray
    absorbers: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class PolicyResponse:
    """Everything the chain says about one scenario."""

    response: ResponseDraws
    chain: Chain
    ledger: Ledger
    flags: tuple[str, ...]
    """Plain sentences: floors that bind, results outside the linear range, official holdings exhausted …"""
