/* The state of the page: what is asked, undo, and the traffic with the server.  Knows no controls. */
"use strict";
window.desk = (function () {
  const empty = () => ({scenario: null, knobs: {}, sellers: [], trades: [], scale: {}, remove: [], views: [],
    horizon: null, name: "", portfolio: null});
  const d = {state: empty(), filed: {}, spec: null, last: null, past: [], future: [], seq: 0, dirty: null, pending: null,
    flying: null, needBook: true, painters: [], empty, times: []};

  d.set = (id, props) => window.dash_clientside.set_props(id, props);
  d.copy = (x) => JSON.parse(JSON.stringify(x));
  d.byId = (id) => document.getElementById(id);
  d.complete = (state) => Object.assign(empty(), d.copy(state || {}));

  /* change(f): f edits the state; one step of undo. */
  let before = null;
  d.hold = () => { if (before === null) before = JSON.stringify(d.state); };
  d.commit = () => {
    if (before !== null && before !== JSON.stringify(d.state)) {
      d.past.push(before); if (d.past.length > 200) d.past.shift(); d.future = [];
    }
    before = null;
  };
  d.change = (f, book) => { d.hold(); f(d.state); d.commit(); if (book) d.needBook = true; d.refresh(); d.ask("full"); };
  d.drag = (f) => { d.hold(); f(d.state); d.ask("fast"); };
  d.release = () => { d.commit(); d.refresh(); d.ask("full"); };
  const move = (from, to) => {
    d.commit();
    if (!from.length) return d.toast("Nothing more to " + (from === d.past ? "undo" : "redo"));
    to.push(JSON.stringify(d.state));
    const book = d.state.portfolio;
    d.state = d.complete(JSON.parse(from.pop()));
    if (d.state.portfolio !== book) d.needBook = true;
    d.refresh(); d.ask("full");
  };
  d.undo = () => move(d.past, d.future);
  d.redo = () => move(d.future, d.past);
  d.refresh = () => { for (const f of d.painters) f(); };

  /* Questions go to the page's own server directly: a Dash callback would wake every component of the page, 30 to 50 ms
     for an answer.  One question of each kind flies at a time; the latest state follows as soon as its answer is there. */
  d.send = (question) => fetch(d.spec.place, {method: "POST", headers: {"Content-Type": "application/json"},
    body: JSON.stringify(question)}).then((r) => ((r.headers.get("Content-Type") || "").startsWith("application/json")
    ? r.json() : r.text().then((words) => { throw new Error(words.slice(0, 300)); })));
  d.ask = (mode, link) => {
    if (d.flying && d.flying.mode === mode && !d.flying.link && link === undefined) { d.dirty = mode; return; }
    d.dirty = null;
    const question = {seq: ++d.seq, mode, state: d.state, book: d.needBook};
    if (link !== undefined) question.link = link;
    if (mode === "fast") question.show = d.inSight();
    const mine = d.flying = {seq: d.seq, mode, link: link !== undefined, begin: performance.now(), pending: d.pending};
    d.pending = null;
    d.byId("desk").dataset.busy = mode;
    d.send(question).then((answer) => d.paint(Object.assign({seq: question.seq, mode}, answer)), (error) => { if (d.flying === mine) d.lost(mode, link, error); });
  };
  d.arrived = (answer) => {
    if (!d.flying || answer.seq !== d.flying.seq) return null;
    const done = d.flying; done.trip = performance.now() - done.begin; d.flying = null;
    delete d.byId("desk").dataset.busy;
    done.record = {mode: done.mode, trip: done.trip, server: answer.server_ms, engine: answer.engine_ms};
    d.times.push(done.record); if (d.times.length > 400) d.times.shift();
    if (done.mode === "fast") d.askChain();
    if (d.dirty) d.ask(d.dirty);
    return done;
  };
  /* The numbers on the page are not those asked for: they are dimmed, and it says so. */
  d.unanswered = () => { d.byId("desk").dataset.failed = "1";
    d.byId("paths-label").textContent = d.last ? "Not answered: numbers of before" : "No answer yet"; };
  /* No answer came: what was set stays in the page. */
  d.lost = (mode, link, error) => {
    d.flying = null; d.dirty = null; delete d.byId("desk").dataset.busy; d.unanswered();
    const gone = error instanceof TypeError;
    d.problems([gone ? "It was stopped, or the way to it is cut. What you set is kept on this page." : error.message],
      gone ? "The desk does not answer" : "The desk refused the question",
      [["Try again", () => { d.problems([]); d.ask(mode === "fast" ? "full" : mode, link); }]]);
  };

  /* The chain while a knob is dragged: beside the numbers, one question at a time, and then a rest as long as it took, so
     that the numbers have the processor; the dial moves with the numbers. */
  d.rested = 0;
  d.askChain = () => {
    const now = performance.now();
    if (d.chainFlying ? now - d.chainFlying.begin < 20000 : now < d.rested) return;
    const mine = d.chainFlying = {seq: ++d.seq, begin: performance.now()};
    const show = ["tiles", "dollar", "yields", d.byId("ledger").hidden ? "sellers" : "ledger"];
    d.send({seq: d.seq, mode: "chain", state: d.state, show}).then((answer) => {
      if (d.chainFlying !== mine) return;
      const arrived = performance.now(), trip = arrived - mine.begin;
      d.chainFlying = null; d.rested = arrived + Math.min(trip, 1000);
      d.times.push({mode: "chain", trip, server: answer.server_ms});
      if (d.byId("desk").dataset.mode === "fast" && answer.html) d.put(answer.html);
    }, () => { if (d.chainFlying === mine) d.chainFlying = null; });
  };

  /* An errand: export, comparison, upload, search.  Dash brings it; when the server is gone Dash says nothing, so we look. */
  d.errand = (what) => {
    d.set("errand", {data: Object.assign({seq: ++d.seq}, d.copy(what))});
    const look = () => fetch(d.spec.alive).catch(() => d.lost("full", undefined, new TypeError()));
    setTimeout(look, 1500);
  };

  /* The link and what is kept in this browser. */
  d.linkOf = (text) => location.origin + location.pathname + "#w=" + text;
  d.linkHere = () => { const m = /^#w=(.*)$/.exec(location.hash); return m ? m[1] : null; };
  d.stored = (key, fallback) => { try { return JSON.parse(localStorage.getItem("riskengine." + key)) || fallback; }
    catch (e) { return fallback; } };
  d.store = (key, value) => { try { localStorage.setItem("riskengine." + key, JSON.stringify(value)); }
    catch (e) { d.toast("This browser keeps nothing: save by link or export instead"); } };

  d.toast = (words) => {
    const box = d.byId("toast"); box.textContent = words; box.className = "on";
    clearTimeout(d.toasting); d.toasting = setTimeout(() => { box.className = ""; }, 2600);
  };
  d.problems = (list, title, ways) => {
    const box = d.byId("problems"); box.replaceChildren();
    if (!list || !list.length) { box.className = ""; return; }
    const close = d.el("button", {type: "button", "data-do": "close-problems", text: "×", title: "Close"});
    const ul = d.el("ul", {}, list.slice(0, 40).map((p) => d.el("li", {text: p})));
    if (list.length > 40) ul.append(d.el("li", {text: `… and ${list.length - 40} more`}));
    box.append(d.el("b", {text: title || (list.length === 1 ? "This cannot be answered" : `${list.length} problems`)}), close, ul);
    if (ways) box.append(d.el("div", {class: "ways"}, ways.map(([words, does]) => {
      const b = d.el("button", {type: "button", text: words}); b.addEventListener("click", does); return b; })));
    box.className = "on";
  };

  /* el("b", {text, class, …}, children): texts only ever as text. */
  d.el = (tag, attributes, children) => {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === "text") node.textContent = value;
      else if (key === "value" || key === "checked" || key === "disabled" || key === "hidden") node[key] = value;
      else if (value !== null && value !== undefined) node.setAttribute(key, value);
    }
    for (const child of children || []) node.append(child);
    return node;
  };
  return d;
})();
