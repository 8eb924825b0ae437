/* The book and what is said about it: grid, candidate trades, views, hedges, reverse stress. */
"use strict";
(function () {
  const d = window.desk, el = d.el;
  d.asked = {};  /* search → the what-if it was asked for */

  /* ---- grid ---- */
  function paintGrid() {
    if (!d.rows) return;
    const key = JSON.stringify([d.state.scale, d.state.remove, d.state.portfolio]);
    if (key === d.gridShown) return;
    const gone = new Set(d.state.remove);
    const rows = d.rows.map((r) => { const scale = r.position_id in d.state.scale ? d.state.scale[r.position_id] : 1;
      const remove = gone.has(r.position_id) || scale === 0;
      return Object.assign({}, r, {scale, remove, cut: remove ? "↺" : "×"}); });
    const props = {rowData: rows};
    if (d.gridShown === null || d.gridShown === undefined) props.columnDefs = d.columns;
    if (!d.gridReady) { d.gridReady = true; props.dashGridOptions = Object.assign({}, d.spec.grid, {loading: false}); }
    d.gridShown = key;
    d.set("grid", props);
  }
  d.edited = (changed, clicked) => {
    const which = (window.dash_clientside.callback_context.triggered[0] || {}).prop_id || "";
    if (which.endsWith("cellValueChanged") && changed && changed.length) {
      d.change((s) => { for (const c of changed) { const id = c.data.position_id, x = Number(c.data.scale);
        if (c.colId !== "scale") continue;
        if (c.data.scale === null || c.data.scale === "" || !Number.isFinite(x) || Math.abs(x) > 1e6) { d.gridShown = ""; continue; }
        if (x === 1) delete s.scale[id]; else s.scale[id] = x; } });
    } else if (which.endsWith("cellClicked") && clicked && clicked.colId === "cut") {
      const id = clicked.rowId;
      d.change((s) => {
        if (s.remove.includes(id) || s.scale[id] === 0) { s.remove = s.remove.filter((x) => x !== id); if (s.scale[id] === 0) delete s.scale[id]; }
        else s.remove.push(id);
      });
    }
  };

  /* ---- lines of words: candidate trades and views ---- */
  const lines = {
    trade: {list: "trades", most: () => d.spec.most.trades, place: "trade-place", add: "Add trade", label: "Candidate trade in words",
      hint: "Candidate trade, e.g. buy 250m UST 10Y · sell 500m USDJPY 3M fwd · buy 100m EURUSD 1.25 call 6M"},
    view: {list: "views", most: () => d.spec.most.trades, place: "views-form", add: "Add view", label: "View on the markets, as a sentence",
      hint: "e.g. mean(FX_JPY) = 5%"},
  };
  function say(kind, text) {
    const line = lines[kind];
    if (!text) return d.byId(kind).focus();
    if (d.state[line.list].length >= line.most()) return d.toast(`At most ${line.most()} ${line.list}`);
    d.pending = {kind, text, undo: d.past.length};
    d.change((s) => { s[line.list].push(text); });
    d.byId(kind).value = "";
  }
  /* The sentence that was not understood leaves the state and stands in its line again. */
  d.takeBack = (pending) => {
    if (!pending) return false;
    const list = d.state[lines[pending.kind].list];
    if (list.at(-1) !== pending.text) return false;
    list.pop(); d.past.pop(); d.byId(pending.kind).value = pending.text;
    if (pending.kind === "trade" || chosenViews()) d.byId(pending.kind).focus();
    return true;
  };
  const chosenViews = () => d.byId("views-tab").classList.contains("on");
  function buildLine(kind) {
    const line = lines[kind];
    const box = el("input", {id: kind, type: "text", maxlength: d.spec.most.trade, autocomplete: "off", spellcheck: "false",
      placeholder: line.hint, "aria-label": line.label});
    const add = el("button", {type: "button", text: line.add});
    box.addEventListener("keydown", (e) => { if (e.key === "Enter") say(kind, box.value.trim()); });
    add.addEventListener("click", () => say(kind, box.value.trim()));
    return [box, add];
  }
  function buildTrades() {
    d.byId("trade-place").replaceChildren(...buildLine("trade"));
    let shown = "";
    d.painters.push(paintGrid, () => {
      const known = Object.fromEntries(((d.last || {}).trades || []).map((t) => [t.trade, t.understood]));
      const key = JSON.stringify([d.state.trades, known]);
      if (key === shown) return;
      shown = key;
      d.byId("trade-list").replaceChildren(...d.state.trades.map((text, n) => {
        const gone = el("button", {type: "button", title: "Remove this trade", text: "×", "aria-label": `remove ${text}`});
        gone.addEventListener("click", () => d.change((s) => { s.trades.splice(n, 1); }));
        return el("div", {class: "trade"}, [el("b", {text}), el("span", {text: known[text] || "", title: known[text] || null}), gone]);
      }));
    });
  }
  function buildViews() {
    const examples = d.spec.views.map((text) => { const b = el("button", {type: "button", class: "chip", text, title: "Put this into the line"});
      b.addEventListener("click", () => { d.byId("view").value = text; d.byId("view").focus(); }); return b; });
    const known = el("details", {class: "examples"}, [el("summary", {text: "What can be said"}), el("div", {class: "chips"}, examples)]);
    known.open = true;
    d.byId("views-form").replaceChildren(el("label", {class: "label", text: lines.view.label, for: "view"}),
      el("div", {class: "inline"}, buildLine("view")), el("div", {id: "refusal"}));
    d.byId("views-tab").append(known);
    d.painters.push(() => { const n = d.state.views.length, had = known.dataset.n || "0", t = document.querySelector("[data-tab=views-tab]");
      if (n) t.dataset.n = n; else delete t.dataset.n;
      t.classList.toggle("has", n > 0);
      if ((n > 0) !== (had > 0)) known.open = n === 0;  /* room for the views themselves */
      known.dataset.n = n; });
  }
  /* Views that were not taken: why, and what can be done. */
  let pendingView = null;
  d.refusal = (html, pending) => {
    const box = d.byId("refusal"); if (!box || (html === null && !box.firstChild)) return;
    pendingView = html === null ? null : pending || null;
    box.innerHTML = html || "";
    if (html !== null) d.tab("views-tab");
  };
  const ways = {
    drop: (s) => { if (pendingView === null) s.views = []; },
    force: (s) => { if (pendingView !== null) s.views.push(pendingView.text); if (!s.views.includes("force")) s.views.push("force"); },
    blend: (s) => { if (pendingView !== null) s.views.push(pendingView.text); s.views = s.views.filter((v) => !/^confidence/i.test(v)); s.views.push("confidence 50%"); },
  };
  d.clicked = (target) => {
    const at = target.closest("[data-drop-view], [data-views], [data-add-trades], [data-load]");
    if (!at) return;
    const has = at.dataset;
    if (has.dropView !== undefined) d.change((s) => { s.views.splice(Number(has.dropView), 1);
      if (!s.views.some((v) => !/^(force|confidence)/i.test(v))) s.views = []; });
    else if (has.views !== undefined) { const way = ways[has.views]; d.byId("view").value = ""; d.change(way); d.refusal(null); }
    else if (has.addTrades !== undefined) {
      const list = JSON.parse(has.addTrades);
      if (d.state.trades.length + list.length > d.spec.most.trades) return d.toast(`At most ${d.spec.most.trades} trades`);
      d.change((s) => { s.trades.push(...list); }); d.tab("measures-tab");
      d.toast(list.length === 1 ? "Added as a candidate trade: Ctrl Z takes it back" : `${list.length} candidate trades added: Ctrl Z takes them back`);
    } else {
      const wanted = JSON.parse(has.load);
      d.change((s) => { Object.assign(s, wanted); }); d.toast("On the knobs: Ctrl Z takes it back");
      setTimeout(() => { const first = document.querySelector("#knobs .moved"); if (first) first.scrollIntoView({block: "nearest"}); }, 60);
    }
  };

  /* ---- searches ---- */
  function buildForms() {
    const question = () => JSON.stringify(Object.assign({}, d.state, {name: ""}));
    const form = (which, label, value, button, make, extra) => {
      const place = d.byId(`${which}-form`), out = d.byId(`${which}-out`);
      if (!d.spec[which]) { place.replaceChildren(el("p", {class: "empty", text: `${button} is not available on this desk.`})); return; }
      const box = el("input", {type: "text", value, maxlength: 300, id: `${which}-text`, "aria-label": label});
      const go = el("button", {type: "button", text: button});
      const run = () => { out.classList.add("wait"); out.replaceChildren(el("p", {class: "empty", text: "Searching…"}));
        d.asked[which] = question(); earlier();
        d.errand(Object.assign({do: which, state: d.state}, make(box.value))); };
      go.addEventListener("click", run);
      box.addEventListener("keydown", (e) => { if (e.key === "Enter") run(); });
      const late = el("p", {class: "muted late", text: "found for an earlier what-if"});
      const earlier = () => { late.classList.toggle("on", Boolean(d.asked[which]) && d.asked[which] !== question()); };
      d.painters.push(earlier);
      place.replaceChildren(el("div", {class: "heading"}, [el("label", {class: "label", text: label, for: `${which}-text`}), late]),
        el("div", {class: extra ? "inline three" : "inline"}, extra ? [box, extra, go] : [box, go]));
    };
    form("hedge", "Hedge with, separated by commas", "UST 10Y, USDJPY fwd, ES", "Hedge", (text) => ({instruments: text}));
    const desk = el("select", {id: "reverse-desk", "aria-label": "of the whole book or of one desk"});
    let known = "";
    d.painters.push(() => {
      const names = [...new Set((d.rows || []).map((r) => r.desk))].sort(), key = JSON.stringify(names);
      if (key === known) return;
      known = key;
      desk.replaceChildren(el("option", {value: "", text: "whole book"}), ...names.map((n) => el("option", {value: n, text: n})));
    });
    form("reverse", "Most plausible shock that loses", "500m", "Search", (text) => ({lose: text, desk: desk.value}), desk);
  }
  d.buildBook = () => { buildTrades(); buildViews(); buildForms(); };
})();
