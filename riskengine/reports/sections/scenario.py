"""A page per scenario: what is announced, who sells, who absorbs, what balances, which prices move, what it
costs us."""

from __future__ import annotations

import math


from riskengine.base.axes import ASSET_CLASSES
from riskengine.reports import formats
from riskengine.reports.charts import (
    Bar, bar_chart, figure, grouped_columns, split_bar, stacked_bars, waterfall,
)
from riskengine.reports.html_table import Cell, Column, Table, amount, money, text
from riskengine.reports.sections.chain import diagram, paths
from riskengine.reports.sections.front import HEADLINE_ES, HEADLINE_VAR, at_level, level_name

from riskengine.result import ChainSummary, LedgerTable, NightResult, ScenarioResult

TOP_HOLDERS = 10
TOP_POSITIONS = 5
CLASS_COLOURS = {"treasury": "c1", "agency": "c2", "corporate": "c4", "equity": "c3", "real_estate": "c5"}
FAMILIES = (
    (("FX",), "Currencies", "% vs USD"), (("UST",), "Treasury zero rates", "bp"),
    (("EQ", "VOL"), "Equity, volatility", "%"),
    (("CAP",), "Cap rates", "bp"), (("HOME",), "House prices", "%"),
)
"""Factor kinds, heading of their table, unit."""
LONGEST_FAMILY = 12
"""A longer family is printed as two tables side by side."""
IDENTITIES = {
    "proceeds": "Where the proceeds go", "dollars": "Who ends up with the dollars", "income": "Income",
    "memo": "Memo (outside the sums)",
}


def view(night: NightResult) -> dict:
    """One page per scenario, worst first."""
    ordered = sorted(night.scenarios,
                     key=lambda s: s.expected_pnl_usd if formats.is_number(s.expected_pnl_usd) else 0)
    names = {p.position_id: p for r in night.baseline[:1] for p in r.positions}
    return {"pages": [_page(s, names) for s in ordered]}


def idle(chain: ChainSummary | None) -> bool:
    """True when no capital flows and no yield or dollar moves come from the chain."""
    if chain is None:
        return True
    links = (*chain.gross_orders_usd_bn, *chain.dollars_out_usd_bn, *chain.broad_dollar,
             *chain.treasury_10y_flow_bp,
             *chain.treasury_10y_path_bp)
    return not any(formats.is_number(v) and abs(v) > 1e-12 for v in links)


def _page(s: ScenarioResult, positions: dict) -> dict:
    quiet = idle(s.chain)
    moves = any(formats.is_number(m) and abs(m) > 1e-9 for m in s.moves.values())
    return {
        "name": s.name, "title": s.title, "narrative": s.narrative, "source": s.source, "flags": s.flags,
        "loss": formats.is_number(s.expected_pnl_usd) and s.expected_pnl_usd < 0,
        "pnl": formats.money(s.expected_pnl_usd), "facts": _facts(s),
        "chain": s.chain is not None and not (quiet and moves),
        "still": quiet and not moves, "flows": not quiet,
        "diagram": diagram(s) if s.chain else None,
        "holders": _holders(s.chain) if s.chain else None,
        "absorbers": _absorbers(s.chain) if s.chain else None,
        "paths": paths(s.chain, s.horizon_days) if s.chain else [],
        "yields": _yields(s.chain) if s.chain and s.chain.yields_by_channel else None,
        "ledger": _ledger(s.ledger) if s.ledger else None,
        "imbalance": formats.significant(s.ledger.max_imbalance_usd_bn, 2) if s.ledger else None,
        "channels": _channels(s), "desks": _split(s.by_desk, "P&L by desk"),
        "books": _split(s.by_book, "P&L by book"),
        "variance": _variance(s), "switch": _switch(s), "positions": _positions(s, positions),
        "moves": _moves(s),
    }


def _facts(s: ScenarioResult) -> list[tuple[str, str]]:
    v, e = at_level(s.tail, HEADLINE_VAR), at_level(s.tail, HEADLINE_ES)
    low, high = s.interval_usd
    wide_low, wide_high = s.pnl_interval_usd
    distance = formats.number(s.mahalanobis, 1)
    return [
        ("Horizon", formats.horizon(s.horizon_days)),
        ("Expected P&L",
         f"{formats.money(s.expected_pnl_usd)} ± {formats.money(s.se_expected_pnl_usd)} s.e."),
        ("p10 … p90, parameters", f"{formats.money(low)} … {formats.money(high)}"),
        ("p10 … p90, with markets", f"{formats.money(wide_low)} … {formats.money(wide_high)}"),
        (f"VaR {level_name(s.tail.levels[v])}",
         f"{formats.money(s.tail.var[v])} ± {formats.money(s.tail.se_var[v])} s.e."),
        (f"ES {level_name(s.tail.levels[e])}",
         f"{formats.money(s.tail.es[e])} ± {formats.money(s.tail.se_es[e])} s.e."),
        ("Probability of enactment", formats.probability(s.probability)),
        ("Plausibility", f"{formats.probability(s.plausibility)} (Mahalanobis {distance})"),
        *_feedback(s),
    ]


def _feedback(s: ScenarioResult) -> list[tuple[str, str]]:
    """Holders' selling after losses, when the scenario carries it."""
    if s.feedback is None:
        return []
    f = s.feedback
    middle, low, high, base = (formats.number(x, 1) for x in (*f.orders_usd_bn, f.base_orders_usd_bn[0]))
    e = at_level(s.tail, HEADLINE_ES)
    return [
        ("Orders after losses", f"{middle} [{low} … {high}] USD bn; {base} in the base run"),
        ("What they add", f"{formats.money(f.expected_pnl_usd)} to the expected P&L; "
                          f"ES without them {formats.money(f.es_without[e])}"),
    ]


def _holders(chain: ChainSummary):
    rows = chain.holder_orders[:TOP_HOLDERS]
    if not rows:
        return None
    classes = [c for c in dict.fromkeys([*ASSET_CLASSES, *(k for _, o in rows for k in o)])
               if any(o.get(c) for _, o in rows)]
    series = [(formats.name(c), CLASS_COLOURS.get(c, "c6")) for c in classes]
    title = "Who sells (who buys)"
    bars = [(holder, [float(orders.get(c, 0.0)) for c in classes]) for holder, orders in rows]
    return figure(title, "orders to the horizon, USD bn, median; negative = sells",
                  stacked_bars(bars, series, title, "USD bn",
                               _bn_decimals(sum(map(abs, v)) for _, v in bars)))


def _absorbers(chain: ChainSummary):
    rows = sorted(chain.absorbers, key=lambda r: -abs(r[1]) if formats.is_number(r[1]) else 0)[:TOP_HOLDERS]
    if not rows:
        return None
    title = "Who absorbs"
    bars = [Bar(name, float(value), css="c1") for name, value in rows]
    return figure(title, "purchases to the horizon, USD bn, median",
                  bar_chart(bars, title, "USD bn", _bn_decimals(v for _, v in rows)))


def _yields(chain: ChainSummary):
    title = "Treasury yields by channel"
    groups = [(tenor, (float(flow), float(path))) for tenor, flow, path in chain.yields_by_channel]
    return figure(title, "bp at the horizon, medians",
                  grouped_columns(groups,
                                  (("flow (term premium)", "c3"), ("path (expected policy rate)", "c1")),
                                  title, "bp"))


def _ledger(ledger: LedgerTable) -> Table:
    """The ledger grouped by identity; medians of lines need not add up, the lines of each draw do."""
    columns = (Column("Identity", numeric=False), Column("Line", numeric=False, css="words"),
               Column("Median", "USD bn"),
               Column("p16", "USD bn"), Column("p84", "USD bn"))
    rows, starts, last = [], [], None
    for i, (line, identity, median, p16, p84) in enumerate(ledger.rows):
        if last is not None and identity != last:
            starts.append(i)
        heading = text(_identity(identity), "strong") if identity != last else Cell("", _identity(identity))
        last = identity
        rows.append((heading, text(line), amount(median, 1), amount(p16, 1, css="muted"),
                     amount(p84, 1, css="muted")))
    return Table("Ledger, cumulated to the horizon", columns, tuple(rows), False, sortable=False,
                 groups=tuple(starts))


def _identity(identity: str) -> str:
    if identity.startswith("securities."):
        return f"Securities: {formats.name(identity.split('.', 1)[1]).lower()}"
    return IDENTITIES.get(identity, formats.name(identity))


def _channels(s: ScenarioResult):
    items = [(formats.name(k), v) for k, v in s.channels.items() if formats.is_number(v) and v != 0]
    if not items:
        return None
    unit = formats.money_unit([s.expected_pnl_usd, *(v for _, v in items)])
    title = "P&L by channel"
    return figure(title, f"{unit.label}, expected, adds up to the total",
                  waterfall([(k, unit.scale(v)) for k, v in items],
                            ("Expected P&L", unit.scale(s.expected_pnl_usd)),
                            title, unit.label, unit.decimals))


def _split(values: dict[str, float], title: str):
    items = sorted(values.items(), key=lambda kv: kv[1] if formats.is_number(kv[1]) else 0)[:14]
    if not items:
        return None
    unit = formats.money_unit(v for _, v in items)
    bars = [Bar(formats.name(k), unit.scale(v)) for k, v in items]
    return figure(title, f"{unit.label}, expected", bar_chart(bars, title, unit.label, unit.decimals))


def _variance(s: ScenarioResult):
    if not s.variance_share:
        return None
    title = "Where the P&L's variance comes from"
    colours = {"parameters": "c3", "markets": "c1"}
    parts = [(formats.name(k), float(v), colours.get(k, "c5")) for k, v in s.variance_share.items()]
    return figure(title, "", split_bar(parts, title),
                  "Parameters: the numbers of the model drawn from their distributions. "
                  "Markets: moves given the parameters.")


def _switch(s: ScenarioResult) -> Table | None:
    """The 10-year yield with the flow channel as the literature has it, and switched off."""
    if s.chain is None:
        return None
    flow, path = s.chain.treasury_10y_flow_bp[0], s.chain.treasury_10y_path_bp[0]
    both = flow + path
    off = s.flow_channel_off_10y_bp
    columns = (Column("10-year Treasury yield", numeric=False, css="words"), Column("Move", "bp, median"))
    rows = (
        (text("Flow channel (term premium)"), amount(flow, 1, plus=True)),
        (text("Path channel (expected policy rate)"), amount(path, 1, plus=True)),
        (text("Both channels", "strong"), amount(both, 1, plus=True, css="strong")),
        (text("Flow channel switched off"), amount(off, 1, plus=True)),
    )
    return Table("Does foreign demand matter for yields?", columns, rows, sortable=False, groups=(2, 3),
                 note="The default follows the literature; 'off' is the claim that foreign demand does not "
                      "matter.")


def _positions(s: ScenarioResult, positions: dict) -> Table | None:
    items = [(k, v) for k, v in s.by_position.items() if formats.is_number(v) and v != 0]
    if not items:
        return None
    items.sort(key=lambda kv: kv[1])
    chosen = items if len(items) <= 2 * TOP_POSITIONS else items[:TOP_POSITIONS] + items[-TOP_POSITIONS:]
    unit = formats.money_unit(v for _, v in chosen)
    columns = (Column("Position", numeric=False), Column("Description", numeric=False, css="words"),
               Column("Desk", numeric=False), Column("Expected P&L", unit.label))
    rows = []
    for key, value in chosen:
        p = positions.get(key)
        mark = " *" if p and p.assumed_inputs else ""
        rows.append((text(key + mark), text(p.description or p.type if p else None),
                     text(formats.name(p.desk) if p else None),
                     money(value, unit)))
    return Table("Positions that lose and gain most", columns, tuple(rows),
                 note="* priced off an assumed market input" if any(r[0].text.endswith("*") for r in rows)
                 else "")


def _moves(s: ScenarioResult) -> list[Table]:
    """Mean moves at the horizon in the market's units, one small table per family of factors."""
    tables = []
    for prefixes, heading, unit in FAMILIES:
        rows = []
        for label, move in s.moves.items():
            kind, _, bare = label.partition("_")
            if kind not in prefixes:
                continue
            if unit == "bp":
                cell = amount(move, 1, plus=True, scale=1e-4)
            else:
                cell = amount(100 * math.expm1(move) if formats.is_number(move) else None, 2, plus=True)
            rows.append((text(factor_name(kind, bare)), cell))
        columns = (Column(heading, numeric=False), Column("Mean move", unit))
        half = len(rows) if len(rows) <= LONGEST_FAMILY else -(-len(rows) // 2)
        for part in (rows[:half], rows[half:]):
            if part:
                tables.append(Table(heading, columns, tuple(part), sortable=False))
    return tables


def factor_name(kind: str, bare: str) -> str:
    """The part of a factor label people read: ('FX', 'JPY') → 'JPY', ('VOL', 'FX') → 'FX volatility'."""
    as_is = kind in ("FX", "UST") or bare in ("SP500", "NASDAQ", "FX")
    words = bare if as_is else bare.replace("_", " ").capitalize()
    return f"{words} volatility" if kind == "VOL" else words


def _bn_decimals(values) -> int:
    largest = max((abs(v) for v in values if formats.is_number(v)), default=0.0)
    return 0 if largest >= 100 else 1 if largest >= 10 else 2


