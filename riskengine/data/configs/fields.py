"""The kinds of number and name that occur in configuration files, and what each refuses.

Every refusal says what would be accepted; a number that is impossible in its own unit but plausible in
another is answered with the number to write (``30 looks like percent: write 0.30``).
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from riskengine.base.axes import ASSET_CLASSES, CURRENCIES, FACTORS, KEY_RATES, factor_unit
from riskengine.base.errors import InputError, suggest
from riskengine.base.estimate import DISTRIBUTIONS, Distribution
from riskengine.data.configs.folders import config_root
from riskengine.policy.shocks import SCHEDULES, USES_OF_PROCEEDS

HOLDERS_FILE = "holders.toml"

HOLDER_GROUPS: dict[str, tuple[str, ...]] = {
    "europe": ("United Kingdom", "Luxembourg", "Ireland", "Switzerland", "Belgium", "France", "Germany",
               "Netherlands", "Norway", "Sweden", "Denmark", "Italy", "Spain"),
    "asia": ("Japan", "China, Mainland", "Taiwan", "Korea, South", "Singapore", "Hong Kong", "India",
             "Thailand", "Malaysia", "Indonesia", "Philippines"),
}
"""Names that stand for several areas of the holders' table; replaced by the areas when a file is read."""


def refuse(rule: str, accepted: str = "") -> PydanticCustomError:
    """An error whose rule and accepted values reach the user unchanged."""
    return PydanticCustomError("riskengine", "{rule}", {"rule": rule, "accepted": accepted})


class Strict(BaseModel):
    """Base of all models: no unknown key, no silent conversion, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)
    also_accepted: ClassVar[tuple[str, ...]] = ()
    """Keys of the table that are read before the model sees it (named in the list of accepted keys)."""


# -- numbers -----------------------------------------------------------------------------------------------

class DistributionTable(Strict):
    """``{ default, lo, hi, dist, source }``; a bare number is a fixed one."""

    default: float
    lo: float | None = None
    hi: float | None = None
    dist: str = "fixed"
    source: str = ""
    _unit: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> DistributionTable:
        if self.dist not in DISTRIBUTIONS:
            raise refuse(f"unknown distribution '{self.dist}'", suggest(self.dist, DISTRIBUTIONS))
        if self.dist == "fixed" and (self.lo is not None or self.hi is not None):
            raise refuse("lo and hi need a distribution", "dist = \"normal\", \"lognormal2\" or \"uniform\"")
        try:
            Distribution(self.default, self.lo, self.hi, self.dist)
        except InputError as error:
            raise refuse(error.problems[0].rule + f", got {error.problems[0].got}") from None
        return self

    def build(self, unit: str) -> Distribution:
        return Distribution(self.default, self.lo, self.hi, self.dist, unit, self.source)


def _bare_number(value: object) -> object:
    return value if isinstance(value, (dict, DistributionTable)) else {"default": value}


def plain(x: float) -> str:
    """A number as a person writes it: 0.3 → '0.30', 0.0075 → '0.0075'."""
    text = f"{x:.10f}".rstrip("0")
    whole, _, part = text.partition(".")
    return f"{whole}.{part.ljust(2, '0')}"


def check_between(x: float, low: float, high: float, *, open_low: bool = False, open_high: bool = False,
                  what: str = "share") -> None:
    """Refuse *x* outside the range; offers x / 100 when that would be inside."""
    def inside(v: float) -> bool:
        return (low < v if open_low else low <= v) and (v < high if open_high else v <= high)

    if inside(x):
        return
    ends = [f"{end:g}{' (excluded)' if is_open else ''}"
            for end, is_open in ((low, open_low), (high, open_high))]
    span = f"a {what} from {' to '.join(ends)}"
    if abs(x) >= 1 and inside(x / 100):
        raise refuse(f"{x:g} looks like percent: write {plain(x / 100)}", span)
    raise refuse("out of range", span)


def _each(check: Callable[[float], None]) -> Callable[[DistributionTable], DistributionTable]:
    def validate(table: DistributionTable) -> DistributionTable:
        for x in (table.default, table.lo, table.hi):
            if x is not None:
                check(x)
        return table

    return validate


def _between(low: float, high: float, **how: object) -> Callable[[DistributionTable], DistributionTable]:
    return _each(lambda x: check_between(x, low, high, **how))  # type: ignore[arg-type]


def _check_basis_points(x: float) -> None:
    if abs(x) > 2000:
        raise refuse("out of range", "basis points from -2000 to 2000 (100 = one percentage point)")
    if 0 < abs(x) < 0.2:
        raise refuse(f"{x:g} looks like a decimal yield: write {x * 1e4:g}",
                     "basis points (100 = one percentage point)")


def _check_amount(x: float) -> None:
    if x <= 0:
        raise refuse("must be positive (a sale is a positive amount)", "USD bn, e.g. 500")
    if x > 70_000:
        unit = "USD" if x >= 1e9 else "USD mn"
        better = x / 1e9 if x >= 1e9 else x / 1e3
        raise refuse(f"{x:g} looks like {unit}: write {better:g}", "USD bn; foreigners hold less than 70000")


def _check_signed_amount(x: float) -> None:
    if x == 0:
        raise refuse("must not be zero", "USD bn a year that do not come; negative: more than usual")
    _check_amount(abs(x))


def _commitment(x: float) -> float:
    _check_amount(x)
    return x


Number = Annotated[DistributionTable, BeforeValidator(_bare_number)]
TaxRate = Annotated[Number, AfterValidator(_between(0, 1, open_high=True, what="rate"))]
TariffRate = Annotated[Number, AfterValidator(_between(0, 3, what="rate"))]
Share = Annotated[Number, AfterValidator(_between(0, 1))]
SlowdownShare = Annotated[Number, AfterValidator(_between(-5, 1))]
"""Of usual purchases: 1 means that none come, a negative share that more come than usual."""
HedgeChange = Annotated[Number, AfterValidator(_between(-1, 1, open_low=True, open_high=True, what="change"))]
Appreciation = Annotated[Number, AfterValidator(_between(-0.5, 1, open_low=True, open_high=True))]
BasisPoints = Annotated[Number, AfterValidator(_each(_check_basis_points))]
Commitment = Annotated[float, AfterValidator(_commitment)]
UsdBillions = Annotated[Number, AfterValidator(_each(_check_amount))]
SignedUsdBillions = Annotated[Number, AfterValidator(_each(_check_signed_amount))]


def check_move(factor: str, x: float) -> None:
    """Refuse a move that its factor cannot make: yields and cap rates are decimals, the rest log returns."""
    if factor_unit(factor) == "absolute (decimal)":
        if abs(x) > 0.2:
            basis_points = abs(x) >= 5
            raise refuse(
                f"{factor}: {x:g} looks like {'basis points' if basis_points else 'percentage points'}: "
                f"write {plain(x / (1e4 if basis_points else 100))}",
                "an absolute decimal (0.0100 = 100 bp)",
            )
    elif abs(x) > 2.5:
        log = math.log1p(x / 100) if x > -100 else -1.0
        raise refuse(f"{factor}: {x:g} looks like percent: write {plain(round(log, 4))}",
                     "a log return (ln 1.10 = 0.0953; -0.2231 = a fall of 20%)")


# -- names -------------------------------------------------------------------------------------------------

def _one_of(kind: str, accepted: tuple[str, ...]) -> Callable[[str], str]:
    def validate(name: str) -> str:
        if name not in accepted:
            raise refuse(f"unknown {kind} '{name}'", suggest(name, accepted, most=60))
        return name

    return validate


@lru_cache(maxsize=1)
def _areas() -> dict[str, str]:
    """Name or alias → name of every holder of ``holders.toml``; empty when the file is not there."""
    file = config_root() / HOLDERS_FILE
    if not file.is_file():
        return {}
    rows = tomllib.loads(file.read_text(encoding="utf-8")).get("holder", [])
    return {name: row["name"] for row in rows for name in (row["name"], *row.get("aliases", ()))}


def accepted_holders() -> tuple[str, ...]:
    """'all', the groups, the holders of the accounts and their aliases (the rest of the world is 'Rest').

    Empty when ``holders.toml`` is not there: then names cannot be checked at this door, only by the chain.
    """
    areas = _areas()
    return ("all", *HOLDER_GROUPS, *areas) if areas else ()


def _known_holder(name: str) -> str:
    accepted = accepted_holders()
    if accepted and name not in accepted:
        raise refuse(f"unknown holder '{name}'", suggest(name, accepted, most=60))
    return _areas().get(name, name)


def _known_party(name: str) -> str:
    """A currency or a holder."""
    accepted = (*CURRENCIES, *accepted_holders())
    if accepted_holders() and name not in accepted:
        raise refuse(f"unknown currency or holder '{name}'", suggest(name, accepted, most=80))
    return _areas().get(name, name)


def _expand(names: list[str]) -> list[str]:
    return [area for name in names for area in HOLDER_GROUPS.get(name, (name,))]


def distinct(names: list[str]) -> list[str]:
    """*names*, refused when empty, when one comes twice, or when 'all' comes with others."""
    if not names:
        raise refuse("an empty list would make the shock do nothing", "at least one name")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise refuse(f"named twice: {', '.join(twice)}")
    if "all" in names and len(names) > 1:
        raise refuse("'all' stands alone", 'holders = ["all"] or a list of holders')
    return names


Holders = Annotated[list[Annotated[str, AfterValidator(_known_holder)]], AfterValidator(_expand),
                    AfterValidator(distinct)]
AssetClass = Annotated[str, AfterValidator(_one_of("asset class", ASSET_CLASSES))]
AssetClasses = Annotated[list[AssetClass], AfterValidator(distinct)]
Currency = Annotated[str, AfterValidator(_one_of("currency", CURRENCIES))]
Tenor = Annotated[str, AfterValidator(_one_of("tenor", tuple(KEY_RATES)))]
Factor = Annotated[str, AfterValidator(_one_of("factor", FACTORS.labels))]
Party = Annotated[str, AfterValidator(_known_party)]
Parties = Annotated[list[Party], AfterValidator(_expand), AfterValidator(distinct)]
UseOfProceeds = Annotated[str, AfterValidator(_one_of("use of proceeds", USES_OF_PROCEEDS))]
ScheduleKind = Annotated[str, AfterValidator(_one_of("schedule", SCHEDULES))]


def choice(kind: str, *accepted: str) -> object:
    """A text field that takes one of *accepted*."""
    return Annotated[str, AfterValidator(_one_of(kind, accepted))]
