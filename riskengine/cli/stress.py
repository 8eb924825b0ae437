"""``riskengine reverse`` and ``riskengine hedge``: which shock loses an amount, and which trades would help."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Optional

import typer

from riskengine.cli.session_options import Asked, absolute_scenario, asks_a_session
from riskengine.cli.what_if_tables import print_table

MILLION = 1e6


def register(app: typer.Typer) -> None:
    """Put the commands of this file on the command line."""
    app.command("reverse")(reverse)
    app.command("hedge")(hedge)


@asks_a_session(without=("paths",))
def reverse(
    asked: Asked,
    lose: Annotated[str, typer.Option("--lose", metavar="AMOUNT", help="USD to lose: 500m, 1.2bn.")],
    desk: Annotated[Optional[str], typer.Option(help="Positions of one desk.", show_default="the whole book")] = None,
    horizon: Annotated[str, typer.Option(help="10d, 26w, 12m.")] = "52w",
    top: Annotated[int, typer.Option(help="Answers of each kind.")] = 5,
    quantile: Annotated[Optional[float], typer.Option(
        help="Of a policy's loss over parameter draws, e.g. 0.9.", show_default="the expected loss")] = None,
) -> None:
    """The most plausible shocks that lose an amount: factor moves, and policies in USD bn, tax points, basis points."""
    answer = asked.reply("reverse", question={
        "lose": lose, "desk": desk, "horizon": horizon, "top": top, "quantile": quantile})["answer"]
    if asked.as_json:
        print(json.dumps(answer, indent=1, ensure_ascii=False))
    else:
        print_reverse(answer)


@asks_a_session()
def hedge(
    asked: Asked,
    instruments: Annotated[str, typer.Option(
        "--with", metavar="'UST 10Y, USDJPY fwd, ES'",
        help="Instruments, separated by commas; each may end in 'max 500m' and 'long only'.")],
    scenario: Annotated[Optional[str], typer.Argument(
        metavar="[SCENARIO]", help="Name or file; none: the ordinary night.")] = None,
    sets: Annotated[Optional[list[str]], typer.Option(
        "--set", metavar="shock.field=value", help="Move a knob of the scenario (repeatable).")] = None,
    trades: Annotated[Optional[list[str]], typer.Option(
        "--trade", metavar="'buy 250m UST 10Y'", help="A trade already decided (repeatable).")] = None,
    measure: Annotated[str, typer.Option(help="es, var or variance.")] = "es",
    level: Annotated[Optional[float], typer.Option(help="0.975 is the worst 2.5%.",
                                                   show_default="the middle one of the config")] = None,
    budget: Annotated[Optional[str], typer.Option(metavar="AMOUNT", help="Most USD to spend on trading: 2m.")] = None,
    drift: Annotated[bool, typer.Option(
        "--drift", help="Count expected P&L too; without it the tail about the mean is minimised.")] = False,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Judge the sizes on another seed.")] = True,
    horizon: Annotated[Optional[str], typer.Option(
        help="Of the ordinary night: 10d, 26w, 12m.", show_default="10d; a scenario has its own")] = None,
) -> None:
    """The sizes of given instruments that make the book's tail smallest after the cost of trading them."""
    request = {"scenario": None if scenario is None else absolute_scenario(scenario), "sets": sets or [],
               "trades": trades or [], "horizon": horizon}
    answer = asked.reply("hedge", question={
        "instruments": instruments, "request": request, "measure": measure, "level": level, "budget": budget,
        "drift": drift, "check": check})["answer"]
    if asked.as_json:
        print(json.dumps(answer, indent=1, ensure_ascii=False))
    else:
        print_hedge(answer)


# ---------------------------------------------------------------- on a terminal
def print_reverse(answer: Mapping[str, Any]) -> None:
    """Both lists from the most plausible, and what cannot lose the amount."""
    what = f"desk {answer['desk']}" if answer["desk"] else "whole book"
    print(f"{answer['portfolio'] or 'portfolio'} as of {answer['as_of']}, {what}, {answer['positions']} positions, "
          f"accounts of {answer['accounts_as_of']}")
    print(f"What loses USD {answer['lose_usd'] / MILLION:,.1f} mn within {answer['horizon_days']} days, the most "
          "plausible first\n")
    print("Factor moves (full revaluation; distance in standard deviations of the factors that lead, all others at "
          "their conditional mean)")
    rows = []
    for a in answer["factor_moves"]:
        if a["reached"]:
            rows.append((str(a["rank"]), a["led_by"], f"{a['distance']:8.2f}", f"{a['dimension']:7d}",
                         f"{a['core_distance']:5.2f}", ", ".join(_move(m) for m in a["moves"][:4])))
    print_table(("", "led by", "distance", "factors", " core", "moves that matter most"), rows, left=6)
    for a in answer["factor_moves"]:
        if a["first_order_loss_probability"] is not None:
            print("Probability of losing as much without any policy, to first order: "
                  f"{_probability(a['first_order_loss_probability'])}\n")
    policies = [a for a in answer["policies"] if a["reached"]]
    print(f"Policies ({answer['policy_loss']} loss; core: distance of the {len(answer['plausibility_factors'])} main "
          "factors; prob.: of a move at least as far out)")
    print_table(("", "policy", "size", "core", "prob.", "loss", "80% over parameters"), [
        (str(a["rank"]), " + ".join(p["title"] for p in a["parts"]), " + ".join(_size(p) for p in a["parts"]),
         f"{a['core_distance']:.2f}", _probability(a["core_probability"]), f"{a['loss_usd'] / MILLION:,.0f}",
         f"{a['loss_p10_usd'] / MILLION:,.0f} … {a['loss_p90_usd'] / MILLION:,.0f}") for a in policies], left=3)
    if not policies:
        print("none of the policies searched loses the amount\n")
    for a in policies:
        known = "; ".join(p["reference"] for p in a["parts"] if p["reference"])
        orders = ", ".join(f"{k} {v:+,.0f}" for k, v in a["orders_usd_bn"].items() if abs(v) >= 0.5)
        print(f"{a['rank']}: {', '.join(_move(m) for m in a['moves'][:4])}")
        if known:
            print(f"   {known}")
        if orders:
            print(f"   foreign orders, USD bn: {orders}")
        for flag in a["flags"]:
            print(f"   {flag}")
    missed = [(a["led_by"], f"{a['loss_usd'] / MILLION:,.1f}", f"at {a['distance']:.1f} deviations")
              for a in answer["factor_moves"] if not a["reached"]]
    missed += [(a["parts"][0]["title"], f"{max(a['loss_usd'], 0.0) / MILLION:,.1f}",
                f"at {_size(a['parts'][0])}" if a["loss_usd"] > 0 else "the book gains at every size searched")
               for a in answer["policies"] if not a["reached"]]
    if missed:
        print("\nCannot lose the amount; the most each can lose, USD mn")
        width = max(len(x) for _, x, _ in missed)
        print_table(("", "most".rjust(width), ""), [(n, x.rjust(width), w) for n, x, w in missed], left=3)
    for remark in answer["remarks"]:
        print(f"left out: {remark}")
    print("loss: against the unshocked book at the horizon, of the response itself; what-if adds the convexity of "
          "market noise\naround it; FX up = the dollar falls")


def print_hedge(answer: Mapping[str, Any]) -> None:
    """Trades, then before and after on these paths and on another seed, then what is left."""
    scenario = answer["scenario"]
    print(f"{answer['portfolio'] or 'portfolio'} as of {answer['as_of']}, "
          + (f"{scenario['name']} · {scenario['title']}" if scenario else "ordinary night, no policy")
          + f", horizon {answer['horizon_days']} days, {answer['paths']:,} paths")
    about = " about its mean" if answer["about_the_mean"] else ""
    name = {"es": f"ES {answer['level']:.1%}", "var": f"VaR {answer['level']:.1%}",
            "variance": "standard deviation"}[answer["measure"]]
    print(f"Smallest {name}{about} after costs: {answer['risk_before_usd'] / MILLION:,.1f} → "
          f"{answer['risk_after_usd'] / MILLION:,.1f} plus {answer['cost_usd'] / MILLION:,.2f} of costs, USD mn"
          + (f" (budget {answer['budget_usd'] / MILLION:,.2f})" if answer["budget_usd"] is not None else "") + "\n")
    print_table(("hedge with", "trade", "cost USD mn", ""), [
        (h["instrument"], h["trade"] or "not traded: not worth its cost", f"{h['cost_usd'] / MILLION:,.3f}",
         "at its limit" if h["at_limit"] else "") for h in answer["hedges"]], left=2)
    for key, title in (("in_sample", f"seed {answer['seed']}, on which the sizes were chosen"),
                       ("out_of_sample", "another seed")):
        part = answer[key]
        if part is None:
            continue
        if key == "out_of_sample":
            title = f"seed {part['seed']}, which the sizes never saw"
        rows = [("mean P&L", *_change(part, lambda x: x["mean_pnl"]))]
        for kind, label in (("var", "VaR"), ("es", "ES")):
            rows += [(f"{label} {float(x):.1%}", *_change(part, lambda x, k=kind, at=x: x[k][at]))
                     for x in part["levels"]]
        print(title)
        print_table(("USD mn, costs paid", "before", "after", "change", "±"), rows)
    if answer["out_of_sample"] is None:
        print("not checked on another seed: sizes chosen on these paths look better on them than they are\n")
    print_table(("one deviation of each factor alone, USD mn", "before", "after"), [
        (r["factor"], f"{r['before_usd'] / MILLION:+,.1f}", f"{r['after_usd'] / MILLION:+,.1f}")
        for r in answer["residual"]])
    print("± is a 95% interval of the change on the same paths, clustered by parameter draw; VaR, ES: + = loss; cost: "
          "half-spread and square-root impact of trading in one day")


def _change(part: Mapping[str, Any], find: Any) -> Sequence[str]:
    before, after, change = (find(part[k]) for k in ("before", "after", "change"))
    return (f"{before['value'] / MILLION:,.1f}", f"{after['value'] / MILLION:,.1f}",
            f"{change['value'] / MILLION:+,.1f}", f"{(change['high'] - change['low']) / 2 / MILLION:,.1f}")


def _move(move: Mapping[str, Any]) -> str:
    size = f"{move['move']:+,.0f} bp" if move["unit"] == "bp" else f"{move['move']:+.1f}%"
    return f"{move['factor']} {size}"


def _size(part: Mapping[str, Any]) -> str:
    size, unit = part["size"], part["unit"]
    if unit == "USD bn":
        return f"USD {size:,.0f} bn"
    return f"{size:,.0f} bp" if unit == "bp" else f"{size:,.1f}{unit}"


def _probability(p: float) -> str:
    return f"{p:.1%}" if p >= 0.001 else f"{p:.0e}"
