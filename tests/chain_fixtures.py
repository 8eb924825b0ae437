"""Objects the tests of the chain share: accounts of May 2026, parameter draws, a plain factor model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from riskengine.base.axes import FACTORS
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.data.accounts import load_accounts
from riskengine.data.configs import config_root
from riskengine.data.market_inputs import load_market_inputs
from riskengine.data.parameters import load_parameters
from riskengine.factor_model import FactorModel
from riskengine.impact import draw_parameters, respond_to_policy
from riskengine.market import MarketSnapshot
from riskengine.policy.scenario import Scenario
from riskengine.simulation import parameter_normals

K = len(FACTORS)
PATH_BETAS = np.array([0.6, 0.7, 0.95, 1.0, 1.0, 1.0, 0.95, 0.87, 0.8, 0.75])


def plain_model(step_days: int = 5) -> FactorModel:
    """Uncorrelated factors of equal volatility; the published path beta of the 10-year."""
    eye, vol = np.eye(K), np.full(K, 0.01)
    core = np.array([not label.startswith(("VOL", "HOME")) for label in FACTORS.labels])
    return FactorModel(
        FACTORS, step_days, "2026-07-20", vol, vol, np.full(K, 0.99), eye, eye, 5.0, np.zeros((2, K)),
        np.zeros(K, bool), np.diag(core.astype(float)), None, core, eye, np.full(21, 1.5), np.full(21, 0.1),
        np.full(21, 1 / 21), PATH_BETAS, np.full(10, 0.06), np.full(K, 100), "plain",
    )


def scenario(*shocks, steps: int = 52, step_days: int = 5, **fields) -> Scenario:
    return Scenario("test", "test", "", "", Horizon(steps, step_days), tuple(shocks), **fields)


class ChainRunner:
    """Runs scenarios on fixed accounts; ``method_draws`` are those of METHOD 13 (a = 0, no rate differentials)."""

    def __init__(self) -> None:
        self.accounts = load_accounts("2024-09-24", "latest")
        self.parameters = load_parameters()
        normals = parameter_normals(RunSpec(paths=512, draws=512), len(self.parameters))
        self.draws = draw_parameters(self.parameters, normals)
        settings = replace(self.parameters.settings, rate_differentials=False, announcement=False)
        self.method_draws = replace(self.draws, settings=settings)
        few = draw_parameters(self.parameters, normals[:16])
        self.few = replace(few, settings=settings)
        self.snapshot = MarketSnapshot(
            "2024-09-24", {}, np.array([1.0]), np.array([0.03]), {}, {},
            load_market_inputs(config_root() / "market_inputs.csv", "2024-09-24"),
        )

    def run(self, case: Scenario, draws=None, accounts=None, model=None, history=None):
        model = model or plain_model(case.horizon.step_days)
        return respond_to_policy(case, accounts or self.accounts, draws or self.few, model, self.snapshot,
                                 case.horizon, history=history)


@pytest.fixture(scope="session")
def chain() -> ChainRunner:
    return ChainRunner()
