"""What the searches found, as tables: reverse stress (what loses an amount) and hedges (what makes ES
smallest).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from riskengine.desk.loading import load_policy
from riskengine.desk.panels import empty, table, usd_m
from riskengine.reports.formats import horizon, number, probability, significant

Found = Mapping[str, Any]
SHOWN_MOVES = 4


def reverse_panel(found: Found) -> Markup:
    """Policies and factor moves that lose the amount, the most plausible first."""
    head = Markup("<p class=muted>Loses USD {} m within {}; policies: {} loss on {} parameter draws. "
                  "P: at least as far.</p>").format(
        usd_m(found["lose_usd"]), horizon(found["horizon_days"]), found["policy_loss"], found["draws"])
    policies = [_policy(row, found["horizon_days"]) for row in found["policies"] if row["reached"]]
    moves = [_moves(row) for row in found["factor_moves"] if row["reached"]]
    short = [x for x in found["policies"] if not x["reached"]]
    note = Markup("<p class=muted>{} other policies cannot lose it within their range.</p>").format(
        len(short))
    if not policies and not moves:
        return head + empty("Nothing within reach loses this amount.")
    return head + _table("Policy", "USD m", policies) + (note if short else Markup("")) + _table(
        "Factor moves", "USD m", moves)


def hedge_panel(found: Found) -> Markup:
    """Sizes of the instruments that make the tail smallest after costs, and the book with them, also on a
    new seed.
    """
    line = Markup('<tr title="{}"><th>{}</th><td class="n">{}</td><td class="pm">{}</td><td '
                  'class="n">{}</td></tr>')
    rows = [line.format(
        x["trade"] + (", at its limit" if x["at_limit"] else ""), x["instrument"],
        number(x["size"], 0 if x["unit"] == "contracts" else 1, True), x["unit"], usd_m(x["cost_usd"]))
        for x in found["hedges"]]
    level = f"{100 * found['level']:g}"
    trades = [x["trade"] for x in found["hedges"] if x["trade"]]
    act = Markup('<div class="ways"><button type="button" data-add-trades="{}" title="{}">Add as '
                 'candidate {}</button>'
                 "</div>").format(json.dumps(trades), "; ".join(trades),
                                  "trade" if len(trades) == 1
                                  else f"trades ({len(trades)})") if trades else empty(
        "None of these makes the tail smaller after costs.")
    out = [act, Markup(
        '<table class="t"><thead><tr><th>Smallest {} {}%</th><th class="n">size</th><th></th>'
        '<th class="n">cost, USD m</th></tr></thead><tbody>{}</tbody></table>').format(
            found["measure"].upper(), level, Markup("").join(rows))]
    samples = (("in_sample", "hedged, USD m"), ("out_of_sample", "on another seed"))
    for key, title in samples:
        if found[key] is not None:
            out.append(_hedged(found[key], title, f"{found['level']:g}"))
    note = Markup("<p class=muted>{:,} paths of either seed; costs of trading are paid.</p>")
    out.append(note.format(found["paths"]))
    return Markup("").join(out)


def _hedged(sample: Found, title: str, level: str) -> Markup:
    parts = [sample[k] for k in ("before", "after", "change")]
    return table(title, [
        ("mean P&L, net", *(p["mean_pnl"] for p in parts)),
        *((f"{label} {100 * float(level):g}%", *(p[kind][level] for p in parts))
          for kind, label in (("var", "VaR"), ("es", "ES")))], good_up=1)


def _table(title: str, unit: str, rows: list[Markup]) -> Markup:
    if not rows:
        return Markup("")
    return Markup('<table class="t rev"><thead><tr><th>{}</th><th class="n">{}</th><th class="n">P</th></tr>'
                  "</thead><tbody>{}</tbody></table>").format(title, unit, Markup("").join(rows))


def _policy(row: Found, days: int) -> Markup:
    words = " + ".join(f"{p['title']} {significant(p['size'])} {p['unit']}" for p in row["parts"])
    orders = "; ".join(f"{k} {number(v, 0)}" for k, v in row["orders_usd_bn"].items() if abs(v) >= 0.5)
    below = f"orders, USD bn: {orders}" if orders else _factors(row)
    state = load_policy(row["parts"], days)
    button = Markup("") if state is None else Markup(
        '<button type="button" data-load="{}" title="Put this policy on the knobs">Load</button>').format(
            json.dumps(state))
    return _entry(words, below, row, button)


def _moves(row: Found) -> Markup:
    return _entry(_factors(row), f"led by {row['led_by']}, distance {number(row['distance'], 2)}", row)


def _factors(row: Found) -> str:
    return ", ".join(f"{m['factor']} {number(m['move'], 1, True)} {m['unit'].replace('% log', '%')}"
                     for m in row["moves"][:SHOWN_MOVES])


def _entry(words: str, below: str, row: Found, button: Markup = Markup("")) -> Markup:
    line = ('<tr><th title="{}">{}<small>{}</small></th><td class="n">{}</td><td class="n">{}</td>'
            "<td>{}</td></tr>")
    return Markup(line).format(f"{words}; {below}", words, below, usd_m(row["loss_usd"]),
                               probability(row["core_probability"]), button)


