"""The page: knobs on the left, the chain and the book in the middle, the numbers on the right.

Only the frame stands here; the scripts in ``assets`` put the controls into it and paint the answers.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from dash import dcc, html

from riskengine.desk.answers import ALIVE, PLACE
from riskengine.desk.grid import OPTIONS, position_grid
from riskengine.desk.knobs import CLASSES, KNOBS, SECTORS, USES
from riskengine.desk.rooms import MOST_UPLOAD, Rooms
from riskengine.desk.state import MOST_LINK, MOST_NAME, MOST_SELLERS, MOST_TRADE_TEXT, MOST_TRADES
from riskengine.desk.views import EXAMPLES

TABS = (("measures-tab", "Total"), ("classes", "Class"), ("desks", "Desk"), ("channels", "Channel"),
        ("limits", "Limits"), ("views-tab", "Views"), ("hedge-tab", "Hedge"), ("reverse-tab", "Reverse"))
EXPORTS = (("csv", "CSV"), ("json", "JSON"), ("html", "HTML report"))
KEYS = (("/", "type a trade"), ("W", "type a view"),
        ("Tab, ← →", "from knob to knob; move one (Page ↑ ↓: by more)"),
        ("Ctrl Z", "undo"), ("Ctrl Y", "redo"), ("S", "save under a name"),
        ("C", "add to the comparison"), ("V", "view the comparison"), ("L", "copy the link"), ("E", "export"),
        ("T", "dark or light"), ("1 – 8", "panels on the right"), ("R", "reset to the scenario as filed"),
        ("?", "these keys"), ("Esc", "close"))


def make_layout(rooms: Rooms) -> html.Div:
    """The page as Dash components; the same for everybody."""
    return html.Div([
        dcc.Store(id="spec", data=page_spec(rooms)), dcc.Store(id="errand"), dcc.Store(id="reply"),
        dcc.Store(id="edited"), dcc.Store(id="replied"), dcc.Store(id="started"), dcc.Download(id="download"),
        _header(),
        html.Main([_left(), _centre(), _right()], id="columns"),
        html.Div(id="problems", role="alert"), html.Div(id="toast", role="status"),
        html.Div(id="sheet", hidden=True, role="dialog", **{"aria-modal": "true"}), _keys(),
    ], id="desk")


def page_spec(rooms: Rooms) -> dict[str, Any]:
    """What the scripts need to build the controls."""
    return {
        "place": PLACE, "alive": ALIVE, "grid": OPTIONS,
        "knobs": [asdict(k) | {"bounds": k.bounds} for k in KNOBS],
        "headings": [{k: h[k] for k in ("name", "title", "horizon", "probability")} for h in rooms.headings],
        "holders": list(rooms.holders), "classes": [list(c) for c in CLASSES], "uses": list(USES),
        "sectors": list(SECTORS), "views": list(EXAMPLES),
        "paths": {"fast": rooms.fast_paths, "full": rooms.full_paths},
        "most": {"name": MOST_NAME, "sellers": MOST_SELLERS, "trades": MOST_TRADES, "trade": MOST_TRADE_TEXT,
                 "upload": MOST_UPLOAD, "link": MOST_LINK, "compare": 4},
        "hedge": rooms.hedge is not None, "reverse": rooms.reverse is not None,
    }


def _button(words: str, does: str, tip: str = "", **more: Any) -> html.Button:
    return html.Button(words, type="button", title=tip, **{"data-do": does}, **more)


def _header() -> html.Header:
    return html.Header([
        html.Div([html.B("riskengine"), html.Span("desk")], className="brand"),
        html.Div(id="book-label"),
        html.Div(id="name-place"),
        html.Div([
            _button("Undo", "undo", "Ctrl Z"), _button("Redo", "redo", "Ctrl Y"),
            _button("Reset", "reset", "R"),
            _button("Save", "save", "S"), _button("Saved", "saved"),
            _button("+ Compare", "compare-add", "C"), _button("Compare", "compare", "V", id="compare-button"),
            _button("Link", "link", "L"), _button("Export", "export", "E"), _button("Portfolio…", "upload"),
            _button("◐", "theme", "T: dark or light", className="icon"),
            _button("?", "keys", className="icon"),
        ], className="actions"),
        html.Div([html.Span("Reading the book…", id="paths-label"), html.Span(id="time-label")],
                 id="status", role="status"),
    ], id="top")


def _left() -> html.Section:
    return html.Section([
        html.Div(id="scenario-place"), html.Div(id="dial", className="figure"), html.Div(id="knobs"),
    ], id="left", className="column", **{"aria-label": "Policy"})


def _at(which: str) -> html.Span:
    """Where the scripts write on how many paths or draws the numbers stand."""
    return html.Span(className=f"unit at-{which}")


def _figure(title: str, unit: str, place: str, at: str = "draws") -> html.Figure:
    return html.Figure([html.Figcaption([title, html.Span(unit, className="unit"), _at(at)]),
                        html.Div(id=place, className="figure wait")], className="chart card")


def _centre() -> html.Section:
    swap = html.Span([_button("chart", "sellers-view"), _button("ledger", "ledger-view")], className="swap")
    return html.Section([
        html.Div(id="tiles", className="wait"),
        html.Div([
            html.Figure([
                html.Figcaption(["Who sells, who absorbs", html.Span("USD bn", className="unit"),
                                 _at("draws"), swap]),
                html.Div(id="sellers", className="figure wait"), html.Div(id="ledger", hidden=True),
            ], className="chart card"),
            _figure("Dollar's path", "% fall, 68% band", "dollar"),
            _figure("Treasury yields by channel", "bp at the horizon", "yields"),
            _figure("P&L of the book", "USD m", "pnl", "paths"),
        ], id="charts"),
        html.Div([html.Div(id="trade-place"), html.Div(id="trade-list")], id="trades-bar"),
        html.Div(position_grid(), id="grid-frame"),
    ], id="centre", className="column", **{"aria-label": "Chain and book"})


def _right() -> html.Section:
    tabs = [html.Button(words, type="button", className="tab" + (" on" if n == 0 else ""), role="tab",
                        title=f"{n + 1}",
                        **{"data-tab": place, "aria-selected": "true" if n == 0 else "false",
                           "aria-controls": place})
            for n, (place, words) in enumerate(TABS)]
    panes = [html.Div(html.Div(id="measures", className="wait"), id="measures-tab", className="pane on")]
    panes += [html.Div(id=place, className="pane wait")
              for place in ("classes", "desks", "channels", "limits")]
    panes += [html.Div([html.Div(id=f"{which}-form"), html.Div(id=f"{which}-out")], id=f"{which}-tab",
                       className="pane") for which in ("views", "hedge", "reverse")]
    return html.Section([
        html.Nav(tabs, className="tabs", role="tablist"), html.Div(id="pane-at", className="unit"),
        html.Div(panes, id="panes", className="card"),
        html.Div(id="trades", className="card"),
        html.Div(id="notes", className="card"),
        html.Div([html.Span("The same on the command line"), html.Code(id="command-line"),
                  _button("copy", "copy-command")], id="command", className="card"),
    ], id="right", className="column", **{"aria-label": "Numbers"})


def _keys() -> html.Div:
    rows = [html.Tr([html.Th(html.Kbd(key)), html.Td(words)]) for key, words in KEYS]
    card = html.Div([html.H2("Keys"), html.Table(html.Tbody(rows))], className="card")
    return html.Div(card, id="keys", hidden=True)
