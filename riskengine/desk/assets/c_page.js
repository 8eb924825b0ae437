/* Header, trades, grid, tabs, comparison, keys: everything but the knobs; and the painters Dash calls. */
"use strict";
(function () {
  const d = window.desk, el = d.el;
  const nothing = () => window.dash_clientside.no_update;

  /* ---- Dash calls these ---- */
  window.dash_clientside = Object.assign({}, window.dash_clientside, {desk: {
    start: (spec) => {
      if (!spec || d.spec) return nothing();
      d.spec = spec;
      theme(d.stored("theme", matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark"));
      const ready = () => {
        if (!d.byId("knobs") || !d.byId("trade-place")) return setTimeout(ready, 30);
        d.buildScenario(); d.buildKnobs(); buildHeader(); buildTrades(); buildForms(); listen(); d.refresh();
        d.ask("full", d.linkHere() === null ? undefined : d.linkHere());
      };
      ready();
      return nothing();
    },
    paint: (answer) => { if (answer) paint(answer); return nothing(); },
    paint_chain: (answer) => { if (answer && d.chainArrived(answer) && answer.html) put(answer.html); return nothing(); },
    reply: (reply) => { if (reply) replied(reply); return nothing(); },
    edit: (changed, clicked) => { edited(changed, clicked); return nothing(); },
  }});

  /* ---- an answer ---- */
  function paint(answer) {
    const done = d.arrived(answer);
    if (done === null) return;
    if (answer.rows) {
      d.rows = answer.rows; d.columns = answer.columns; d.needBook = false;
      const b = answer.book_label;
      d.byId("book-label").replaceChildren(el("b", {text: b.portfolio || "portfolio"}),
        el("span", {text: `${answer.rows.length} positions · as of ${b.as_of} · accounts ${b.accounts}`}));
      d.gridShown = null;
    }
    if (answer.filed) d.filed = answer.filed;
    if (answer.problems) {
      d.problems(answer.problems); d.byId("desk").dataset.failed = "1";
      if (d.pendingTrade && d.state.trades.at(-1) === d.pendingTrade) {  /* back into the line, to be mended */
        d.state.trades.pop(); d.past.pop(); d.byId("trade").value = d.pendingTrade; d.byId("trade").focus(); d.pendingTrade = null;
      }
      d.refresh();
      if (d.linkHere() !== null && d.last === null) { history.replaceState(null, "", location.pathname); d.ask("full"); d.keepProblems = true; }
      return;
    }
    if (d.keepProblems) d.keepProblems = false; else d.problems([]);
    delete d.byId("desk").dataset.failed;
    const first = d.last === null;
    d.last = answer;
    if (done.link) { const book = d.state.portfolio; d.hold(); d.state = d.complete(answer.state); d.commit(); if (first) d.past = [];
      if (d.state.portfolio !== book && !answer.rows) { d.needBook = true; d.ask("full"); } }
    d.pendingTrade = null;
    put(answer.html);
    for (const node of document.querySelectorAll(".at-paths")) node.textContent = `${answer.paths.toLocaleString("en-US")} paths`;
    for (const node of document.querySelectorAll(".at-draws")) node.textContent = `${answer.draws} draws`;
    d.byId("paths-label").textContent = `${answer.paths.toLocaleString("en-US")} paths${answer.mode === "fast" ? ", preview" : ""}`;
    d.byId("time-label").textContent = `engine ${Math.round(answer.engine_ms)} ms · round trip ${Math.round(done.trip)} ms`;
    d.byId("desk").dataset.mode = answer.mode;
    d.byId("command-line").textContent = answer.command;
    if (answer.link !== null && answer.mode === "full") history.replaceState(null, "", blank(answer.state) ? location.pathname : "#w=" + answer.link);
    if (answer.mode === "full" || first) d.refresh();
  }
  const put = (html) => { for (const [id, made] of Object.entries(html)) { const node = d.byId(id); node.innerHTML = made; node.classList.remove("wait"); } };
  const blank = (state) => Object.keys(state).length === 0;

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
    d.gridShown = key;
    d.set("grid", props);
  }
  function edited(changed, clicked) {
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
  }

  /* ---- trades ---- */
  function buildTrades() {
    const box = el("input", {id: "trade", type: "text", maxlength: d.spec.most.trade, autocomplete: "off", spellcheck: "false",
      placeholder: "Candidate trade, e.g. buy 250m UST 10Y · sell 500m USDJPY 3M fwd · buy 100m EURUSD 1.25 call 6M", "aria-label": "Candidate trade in words"});
    const add = el("button", {type: "button", text: "Add trade"});
    const submit = () => { const text = box.value.trim(); if (!text) return box.focus();
      if (d.state.trades.length >= d.spec.most.trades) return d.toast(`At most ${d.spec.most.trades} trades`);
      d.pendingTrade = text; d.change((s) => { s.trades.push(text); }); box.value = ""; };
    box.addEventListener("keydown", (e) => { if (e.key === "Enter") submit(); if (e.key === "Escape") { box.blur(); d.does.close(); } e.stopPropagation(); });
    add.addEventListener("click", submit);
    d.byId("trade-place").replaceChildren(box, add);
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

  /* ---- header ---- */
  function buildHeader() {
    const box = el("input", {id: "name", type: "text", maxlength: d.spec.most.name, placeholder: "Name this what-if", "aria-label": "Name"});
    box.addEventListener("change", () => d.change((s) => { s.name = [...box.value].filter((c) => c >= " ").join(""); }));
    box.addEventListener("keydown", (e) => { if (e.key === "Enter") { box.blur(); d.does.save(); } e.stopPropagation(); });
    d.byId("name-place").replaceChildren(box);
    d.painters.push(() => { if (document.activeElement !== box) box.value = d.state.name;
      d.byId("compare-button").textContent = `Compare ${d.stored("compare", []).length}/${d.spec.most.compare}`;
      for (const [does, list] of [["undo", d.past], ["redo", d.future]])
        document.querySelector(`[data-do=${does}]`).disabled = !list.length; });
  }
  function theme(name) { document.documentElement.dataset.theme = name; document.documentElement.dataset.agThemeMode = name; d.store("theme", name); }

  function sheet(title, content) {
    const box = d.byId("sheet");
    box.replaceChildren(el("div", {class: "card"}, [el("header", {}, [el("h2", {text: title}),
      el("button", {type: "button", "data-do": "close", text: "×", title: "Esc"})]), content]));
    box.hidden = false;
  }
  const here = () => (d.last && d.last.link) || null;
  d.does = {
    undo: d.undo, redo: d.redo,
    reset: () => d.change((s) => { Object.assign(s, d.empty(), {scenario: s.scenario, portfolio: s.portfolio}); }),
    theme: () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"),
    keys: () => { d.byId("keys").hidden = !d.byId("keys").hidden; },
    close: () => { d.byId("sheet").hidden = true; d.byId("keys").hidden = true; d.problems([]); },
    "close-problems": () => d.problems([]),
    save: () => {
      if (!d.state.name) { d.byId("name").focus(); return d.toast("Give it a name, then press Enter"); }
      if (!here()) return d.toast("Too large for a link: export it as JSON");
      const saved = d.stored("saved", {}); saved[d.state.name] = here(); d.store("saved", saved); d.toast(`Saved in this browser: ${d.state.name}`);
    },
    saved: () => {
      const saved = d.stored("saved", {});
      const names = Object.keys(saved).sort();
      sheet("Saved in this browser", names.length ? el("div", {class: "saved"}, names.map((n) => {
        const open = el("button", {type: "button", class: "open", text: n});
        open.addEventListener("click", () => { d.does.close(); d.openLink(saved[n]); });
        const gone = el("button", {type: "button", text: "×", title: "Forget it"});
        gone.addEventListener("click", () => { const now = d.stored("saved", {}); delete now[n]; d.store("saved", now); d.does.saved(); });
        return el("div", {}, [open, gone]);
      })) : el("p", {class: "empty", text: "Nothing saved yet. Name this what-if and press S."}));
    },
    "compare-add": () => {
      const list = d.stored("compare", []);
      if (!here()) return d.toast("Too large for a link: cannot be compared");
      if (list.includes(here())) return d.toast("Already in the comparison");
      if (list.length >= d.spec.most.compare) return d.toast(`The comparison holds ${d.spec.most.compare}: clear it first (V)`);
      list.push(here()); d.store("compare", list); d.refresh(); d.toast(`In the comparison: ${list.length} of ${d.spec.most.compare}`);
    },
    compare: () => {
      const list = d.stored("compare", []);
      if (!list.length) return sheet("Comparison", el("p", {class: "empty", text: "Nothing to compare yet. Press C on up to four what-ifs."}));
      sheet("Comparison", el("div", {id: "compared", class: "wait"}, [el("p", {class: "empty", text: `Computing ${list.length} what-ifs on ${d.spec.paths.full.toLocaleString("en-US")} paths…`})]));
      d.errand({do: "compare", links: list});
    },
    "compare-clear": () => { d.store("compare", []); d.refresh(); d.does.close(); },
    link: () => { if (!here()) return d.toast("Too large for a link: export it as JSON"); copy(d.linkOf(here()), "Link copied"); },
    "copy-command": () => copy(d.byId("command-line").textContent, "Command copied"),
    export: () => sheet("Export", el("div", {class: "exports"}, [["csv", "CSV: the tables"], ["json", "JSON: the whole answer"], ["html", "HTML: a report to keep"]].map(([kind, words]) => {
      const b = el("button", {type: "button", "data-export": kind, text: words});
      b.addEventListener("click", () => { d.errand({do: "export", kind, state: d.state}); d.does.close(); d.toast("Preparing the file…"); });
      return b;
    }))),
    upload: () => {
      const file = el("input", {type: "file", accept: ".csv,text/csv", id: "upload-file"});
      file.addEventListener("change", () => { if (file.files[0]) load(file.files[0]); });
      const back = el("button", {type: "button", text: "Back to the book of this desk", disabled: d.state.portfolio === null});
      back.addEventListener("click", () => { d.does.close(); swapBook(null); });
      sheet("Portfolio", el("div", {class: "exports"}, [el("p", {text: `A portfolio CSV as for riskengine nightly, at most ${d.spec.most.upload / 1e6} MB. It stays in the memory of this desk and is found again only through its content.`}), file, back]));
    },
    "sellers-view": () => swap(false), "ledger-view": () => swap(true),
  };
  const swap = (ledger) => { d.byId("ledger").hidden = !ledger; d.byId("sellers").hidden = ledger;
    for (const [does, on] of [["sellers-view", !ledger], ["ledger-view", ledger]]) document.querySelector(`[data-do=${does}]`).classList.toggle("on", on); };
  const copy = (text, words) => {
    const fallback = () => sheet("Copy", el("textarea", {class: "copy", readonly: "", value: text}));
    if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(text).then(() => d.toast(words), fallback); else fallback();
  };
  d.openLink = (link) => d.ask("full", link);
  function swapBook(key) { d.change((s) => { s.portfolio = key; s.scale = {}; s.remove = []; }, true); }
  function load(file) {
    if (file.size > d.spec.most.upload) { d.does.close(); return d.problems([`${file.name}: the file is too large (${(file.size / 1e6).toFixed(1)} MB). Accepted: at most ${d.spec.most.upload / 1e6} MB`]); }
    const reader = new FileReader();
    reader.onload = () => { d.does.close(); d.toast("Reading the portfolio…"); d.errand({do: "upload", name: file.name, content: reader.result}); };
    reader.readAsDataURL(file);
  }

  /* ---- errands come back ---- */
  function replied(reply) {
    if (reply.do === "hedge" || reply.do === "reverse") {
      const out = d.byId(`${reply.do}-out`);
      out.classList.remove("wait");
      if (reply.problems) out.replaceChildren(el("ul", {class: "wrong"}, reply.problems.map((p) => el("li", {text: p})))); else out.innerHTML = reply.html;
      return;
    }
    if (reply.problems) { if (reply.do === "compare") d.does.close(); return d.problems(reply.problems); }
    if (reply.do === "upload") { d.toast(`${reply.name}: ${reply.positions} positions`); swapBook(reply.portfolio); }
    if (reply.do === "compare" && d.byId("compared")) {
      const box = d.byId("compared"); box.classList.remove("wait"); box.innerHTML = reply.html;
      box.append(el("button", {type: "button", "data-do": "compare-clear", text: "Clear the comparison"}));
      for (const note of reply.notes) box.append(el("p", {class: "flag", text: note}));
    }
    if (reply.do === "export") d.toast(`Exported: ${reply.file}`);
  }

  function buildForms() {
    const form = (which, label, value, button, make) => {
      const place = d.byId(`${which}-form`), out = d.byId(`${which}-out`);
      if (!d.spec[which]) { place.replaceChildren(el("p", {class: "empty", text: `${button} is not available on this desk.`})); return; }
      const box = el("input", {type: "text", value, maxlength: 300, id: `${which}-text`, "aria-label": label});
      const go = el("button", {type: "button", text: button});
      const run = () => { out.classList.add("wait"); out.replaceChildren(el("p", {class: "empty", text: "Searching…"}));
        d.errand(Object.assign({do: which, state: d.state}, make(box.value))); };
      go.addEventListener("click", run);
      box.addEventListener("keydown", (e) => { if (e.key === "Enter") run(); e.stopPropagation(); });
      place.replaceChildren(el("label", {class: "label", text: label, for: `${which}-text`}), el("div", {class: "inline"}, [box, go]));
    };
    form("hedge", "Hedge with, separated by commas", "UST 10Y, USDJPY fwd, ES", "Hedge", (text) => ({instruments: text}));
    form("reverse", "Most plausible shock that loses", "500m", "Search", (text) => ({lose: text}));
  }

  /* ---- mouse and keys ---- */
  function tab(id) {
    for (const p of document.querySelectorAll("#panes .pane")) p.classList.toggle("on", p.id === id);
    for (const t of document.querySelectorAll("[data-tab]")) t.classList.toggle("on", t.dataset.tab === id);
  }
  function listen() {
    document.addEventListener("click", (e) => {
      const does = e.target.closest("[data-do]"), panel = e.target.closest("[data-tab]");
      if (panel) tab(panel.dataset.tab);
      else if (does && d.does[does.dataset.do]) d.does[does.dataset.do]();
      else if (e.target.id === "sheet" || e.target.id === "keys") d.does.close();
    });
    const letters = {s: "save", c: "compare-add", v: "compare", l: "link", e: "export", t: "theme", r: "reset", "?": "keys"};
    document.addEventListener("keydown", (e) => {
      const typing = e.target.closest("input[type=text], input[type=number], textarea, .ag-cell-inline-editing");
      if (e.key === "Escape") return d.does.close();
      if ((e.ctrlKey || e.metaKey) && !typing) {
        if (e.key === "z" && !e.shiftKey) { e.preventDefault(); d.undo(); }
        if (e.key === "y" || (e.key.toLowerCase() === "z" && e.shiftKey)) { e.preventDefault(); d.redo(); }
        return;
      }
      if (typing || e.ctrlKey || e.metaKey || e.altKey || e.target.closest("select, .ag-root")) return;
      if (e.key === "/") { e.preventDefault(); d.byId("trade").focus(); }
      else if (/^[1-7]$/.test(e.key)) tab(document.querySelectorAll("[data-tab]")[Number(e.key) - 1].dataset.tab);
      else if (letters[e.key.toLowerCase()]) d.does[letters[e.key.toLowerCase()]]();
    });
    window.addEventListener("hashchange", () => { if (d.linkHere() !== null) d.openLink(d.linkHere()); });
    swap(false);
  }
})();
