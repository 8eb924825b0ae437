"""External accounts: identities, point in time, Rest, official shares."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from riskengine.base.errors import InputError, ModelError
from riskengine.data.accounts import load_accounts
from riskengine.data.configs import config_root
from riskengine.flows.external_accounts import check_identities, rake_official
from dataclasses import replace


def test_may_2026_matches_the_published_totals(chain):
    a = chain.accounts
    assert a.holdings.sum(axis=0) == pytest.approx([7915.9, 1449.7, 5322.5, 24485.4], abs=0.05)
    assert a.official.sum(axis=0) == pytest.approx([3451.8, 476.2, 287.9, 2600.1], abs=1e-6)
    assert len(a.areas) == 37 and a.holders[-1] == "Rest" and (a.holdings[-1] > 0).all()
    assert a.gdp == 32563.0 and a.income.quarter == "2026Q2"
    assert a.income.residual / a.gdp == pytest.approx(-0.041, abs=0.001)
    assert a.capitalisation == pytest.approx([30100, 11000, 15000, 122427])
    assert a.residents == pytest.approx([16584.1, 7450.3, 9677.5, 97941.6])
    assert all(row["holds"] for row in a.identity_rows()) and len(a.identity_rows()) > 10


@pytest.mark.parametrize(
    ("as_of", "held_at"),
    [("2024-04-29", "2022-06-30"), ("2024-04-30", "2023-06-30"), ("2024-09-24", "2023-06-30"),
     ("2026-07-17", "2023-06-30"), ("2026-07-18", "2026-05-31"), ("1985-09-20", "1978-12-31"),
     ("1985-10-31", "1984-12-31")],
)
def test_holdings_are_those_known_at_the_date(as_of, held_at):
    assert load_accounts(as_of).accounts_as_of == held_at


def test_nothing_after_the_date():
    a = load_accounts("2024-09-24")
    assert a.income.quarter == "2024Q2" and a.position_date <= "2024-06-30"
    assert a.capitalisation[0] == 26226.6


def test_rest_grows_and_nothing_is_dropped():
    a = load_accounts("2024-09-24")
    assert len(a.areas) == 20
    assert a.holdings.sum(axis=0) == pytest.approx([6638.8, 1269.6, 4058.9, 13719.0])
    rest = a.holdings[-1] / a.holdings.sum(axis=0)
    assert rest[0] > 0.15


@pytest.mark.parametrize("as_of", ["1976-06-30", "1990-12-31", "1996-01-01", "2003-07-01", "2009-01-02", "2016-01-04"])
def test_every_survey_gives_accounts_that_add_up(as_of):
    a = load_accounts(as_of)
    assert all(row["holds"] for row in a.identity_rows())
    assert (a.residents > 0).all() and (a.official >= 0).all() and (a.official <= a.holdings + 1e-9).all()


def test_latest_and_explicit_dates():
    assert load_accounts("2010-01-01", "latest").accounts_as_of == "2026-05-31"
    assert load_accounts("2024-09-24", "2016-01-04").accounts_as_of == "2014-06-30"
    for as_of, accounts in (("2024-9-24", "as_of"), ("2024-09-24", "newest"), ("1960-01-01", "as_of")):
        with pytest.raises(InputError):
            load_accounts(as_of, accounts)


def test_a_violated_identity_raises(chain):
    a = chain.accounts
    with pytest.raises(ModelError, match="Grand Total"):
        check_identities(a, a.holdings.sum(axis=0) + [5, 0, 0, 0], None)
    with pytest.raises(ModelError, match="negative"):
        check_identities(replace(a, capitalisation=a.capitalisation * [0.4, 1, 1, 1]), a.holdings.sum(axis=0), None)
    with pytest.raises(ModelError, match="investment position"):
        check_identities(a, a.holdings.sum(axis=0), -20_000.0)


def test_a_changed_table_is_noticed(tmp_path):
    for name in ("holders.toml", "markets.toml", "foreign_holdings_by_survey.csv"):
        shutil.copy(config_root() / name, tmp_path / name)
    text = (config_root() / "foreign_holdings_2026-05.csv").read_text()
    (tmp_path / "foreign_holdings_2026-05.csv").write_text(text.replace("4464.2", "4264.2"))
    with pytest.raises(InputError, match="official"):
        load_accounts("2024-09-24", "latest", root=tmp_path)


def test_raking_moves_priors_to_the_total():
    holdings = np.array([[100.0, 10.0], [50.0, 90.0]])
    priors = np.array([0.9, 0.1])
    official, shifts = rake_official(holdings, priors, np.array([60.0, 50.0]))
    assert official.sum(axis=0) == pytest.approx([60, 50])
    again, _ = rake_official(holdings, priors, None, shifts)
    assert again == pytest.approx(official)
    assert (official[0] / holdings[0] > official[1] / holdings[1]).all()
    with pytest.raises(InputError):
        rake_official(holdings, priors, np.array([200.0, 50.0]))


def test_selection_by_name_and_alias(chain):
    mask, missing = chain.accounts.select(("China", "Japan"))
    assert mask.sum() == 2 and not missing
    with pytest.raises(InputError, match="Atlantis"):
        chain.accounts.select(("Atlantis",))
    survey = load_accounts("2024-09-24")
    mask, missing = survey.select(("Japan", "Saudi Arabia"))
    assert mask.sum() == 1 and missing == ("Saudi Arabia",)
    with pytest.raises(InputError, match="listed"):
        survey.select(("Saudi Arabia",))
