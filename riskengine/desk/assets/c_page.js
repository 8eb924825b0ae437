/* Answers on the page, header, tabs, comparison, keys; and what Dash calls. */
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
        d.buildScenario(); d.buildKnobs(); buildHeader(); d.buildBook(); listen(); d.refresh();
        if (d.linkHere() !== null && tooLong(d.linkHere())) { history.replaceState(null, "", location.pathname); d.keepProblems = true; }
        d.ask("full", d.linkHere() === null ? undefined : d.linkHere());
      };
      ready();
      return nothing();
    },
    reply: (reply) => { if (reply) replied(reply); return nothing(); },
    edit: (changed, clicked) => { d.edited(changed, clicked); return nothing(); },
  }});

  /* ---- an answer ---- */
  d.paint = (answer) => {
    const done = d.arrived(answer);
    if (done === null) return;
    const begin = performance.now();
    if (answer.rows) {
      d.rows = answer.rows; d.columns = answer.columns; d.needBook = false;
      const b = answer.book_label;
      d.byId("book-label").replaceChildren(el("b", {text: b.portfolio || "portfolio"}),
        el("span", {text: `${answer.rows.length} positions · as of ${b.as_of} · accounts ${b.accounts}`}));
      d.byId("book-label").title = d.byId("book-label").textContent;
      d.gridShown = null;
    }
    if (answer.filed) d.filed = answer.filed;
    if (answer.problems || !answer.html) return refused(answer, done);
    if (d.keepProblems) d.keepProblems = false; else d.problems([]);
    delete d.byId("desk").dataset.failed;
    const first = d.last === null;
    d.last = answer;
    if (done.link) { const book = d.state.portfolio; d.hold(); d.state = d.complete(answer.state); d.commit(); if (first) d.past = [];
      if (d.state.portfolio !== book && !answer.rows) { d.needBook = true; d.ask("full"); } }
    d.refusal(null);
    d.put(answer.html);
    label(answer, done);
    d.byId("desk").dataset.mode = answer.mode;
    if (answer.mode === "full") d.full = answer;
    d.atPane();
    if (d.byId("command-line").textContent !== answer.command) d.byId("command-line").textContent = answer.command;
    if (answer.link !== null && answer.mode === "full") history.replaceState(null, "", blank(answer.state) ? location.pathname : "#w=" + answer.link);
    if (answer.mode === "full" || first) d.refresh();
    done.record.paint = performance.now() - begin;
    requestAnimationFrame(() => setTimeout(() => { done.record.screen = performance.now() - done.begin; }));  /* the frame is out */
  };
  /* What could not be answered goes back into its line, to be mended; the numbers stay and are dimmed where they are not those asked for. */
  function refused(answer, done) {
    const view = answer.refused_views && !done.link && (!done.pending || done.pending.kind === "view") ? answer.refused_views : null;
    if (view !== null) d.refusal(view, done.pending); else d.problems(answer.problems || ["The desk gave no answer."]);
    const mended = d.takeBack(done.pending);
    if (d.last === null || !(mended || done.link)) d.unanswered();
    d.refresh();
    if (d.linkHere() !== null && d.last === null) { history.replaceState(null, "", location.pathname); d.ask("full"); d.keepProblems = true; }
  }
  /* Every number says on how many paths it stands, and under which views. */
  function label(answer, done) {
    const paths = answer.paths.toLocaleString("en-US");
    const under = answer.views ? ` · ${Math.round(answer.views.effective_scenarios).toLocaleString("en-US")} effective` : "";
    const words = `${paths} paths${under}`;
    if (words !== d.labelled) { d.labelled = words;
      for (const node of document.querySelectorAll(".at-paths")) node.textContent = words;
      for (const node of document.querySelectorAll(".at-draws")) node.textContent = `${answer.draws} draws`; }
    const took = `engine ${Math.round(answer.engine_ms)} ms · round trip ${Math.round(done.trip)} ms`;
    d.byId("paths-label").textContent = `${paths} paths${answer.mode === "fast" ? ", preview" : ""}`;
    d.byId("time-label").textContent = answer.views ? `under views: ${under.slice(3)}` : took;
    d.byId("status").title = took;
  }
  const put = {};
  d.put = (html) => { for (const [id, made] of Object.entries(html)) {
    if (put[id] === made) continue;
    const node = d.byId(id); put[id] = made; node.innerHTML = made; node.classList.remove("wait"); } };
  const blank = (state) => Object.keys(state).length === 0;

  /* ---- header ---- */
  function buildHeader() {
    const box = el("input", {id: "name", type: "text", maxlength: d.spec.most.name, placeholder: "Name this what-if", "aria-label": "Name"});
    box.addEventListener("change", () => d.change((s) => { s.name = [...box.value].filter((c) => c >= " ").join(""); }));
    box.addEventListener("keydown", (e) => { if (e.key === "Enter") { box.blur(); d.does.save(); } });
    d.byId("name-place").replaceChildren(box);
    d.painters.push(() => { if (document.activeElement !== box) box.value = d.state.name;
      d.byId("compare-button").textContent = `Compare ${d.stored("compare", []).length}/${d.spec.most.compare}`;
      for (const [does, list] of [["undo", d.past], ["redo", d.future]])
        document.querySelector(`[data-do=${does}]`).disabled = !list.length; });
    d.types(box);
  }
  function theme(name) { document.documentElement.dataset.theme = name; document.documentElement.dataset.agThemeMode = name; d.store("theme", name); }

  function sheet(title, content) {
    const box = d.byId("sheet");
    box.replaceChildren(el("div", {class: "card"}, [el("header", {}, [el("h2", {text: title}),
      el("button", {type: "button", "data-do": "close", text: "×", title: "Esc"})]), content]));
    open(box, box.querySelector("input, .card > :not(header) button, header button"));
  }
  /* What lies over the page has the keys to itself, and gives the focus back. */
  let left = null;
  function open(box, focus) {
    left = left || document.activeElement; box.hidden = false;
    for (const id of ["top", "columns"]) d.byId(id).inert = true;
    if (focus) focus.focus();
  }
  function shut() {
    for (const id of ["sheet", "keys"]) d.byId(id).hidden = true;
    for (const id of ["top", "columns"]) d.byId(id).inert = false;
    if (left && left.isConnected) left.focus();
    left = null;
  }
  const here = () => (d.last && d.last.link) || null;
  d.does = {
    undo: d.undo, redo: d.redo,
    reset: () => d.change((s) => { Object.assign(s, d.empty(), {scenario: s.scenario, portfolio: s.portfolio}); }),
    theme: () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"),
    keys: () => { if (d.byId("keys").hidden) open(d.byId("keys"), null); else shut(); },
    close: () => { shut(); d.problems([]); }, view: () => { tab("views-tab"); d.byId("view").focus(); },
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
      const file = el("input", {type: "file", accept: ".csv,.parquet,.pq,text/csv", id: "upload-file"});
      file.addEventListener("change", () => { if (file.files[0]) load(file.files[0]); });
      const back = el("button", {type: "button", text: "Back to the book of this desk", disabled: d.state.portfolio === null});
      back.addEventListener("click", () => { d.does.close(); swapBook(null); });
      sheet("Portfolio", el("div", {class: "exports"}, [el("p", {text: `A portfolio as for riskengine nightly, CSV or Parquet, at most ${d.spec.most.upload / 1e6} MB. It stays in the memory of this desk and is found again only through its content.`}), file, back]));
    },
    "sellers-view": () => swap(false), "ledger-view": () => swap(true),
  };
  const swap = (ledger) => { if (d.last && d.byId("desk").dataset.mode === "fast") setTimeout(d.askChain);
    d.byId("ledger").hidden = !ledger; d.byId("sellers").hidden = ledger;
    for (const [does, on] of [["sellers-view", !ledger], ["ledger-view", ledger]]) document.querySelector(`[data-do=${does}]`).classList.toggle("on", on); };
  const copy = (text, words) => {
    const fallback = () => sheet("Copy", el("textarea", {class: "copy", readonly: "", value: text}));
    if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(text).then(() => d.toast(words), fallback); else fallback();
  };
  const tooLong = (link) => { if (link.length <= d.spec.most.link) return false;
    d.problems([`The link is too long. Accepted: at most ${d.spec.most.link.toLocaleString("en-US")} characters`]); return true; };
  d.openLink = (link) => { if (!tooLong(link)) d.ask("full", link); };
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
      out.classList.remove("wait"); d.asked[reply.do] = d.asked[reply.do] || null;
      if (reply.problems) out.replaceChildren(el("ul", {class: "wrong"}, reply.problems.map((p) => el("li", {text: p})))); else out.innerHTML = reply.html;
      return;
    }
    if (reply.problems) { if (reply.do === "compare") d.does.close(); return d.problems(reply.problems); }
    if (reply.do === "upload") { d.toast(`${reply.name}: ${reply.positions} positions`); swapBook(reply.portfolio); }
    if (reply.do === "compare" && d.byId("compared")) {
      const box = d.byId("compared"); box.classList.remove("wait"); box.innerHTML = reply.html;
      const list = d.stored("compare", []);
      box.append(el("div", {class: "ways"}, [...list.flatMap((link, n) => {
        const title = box.querySelectorAll("thead th")[n + 1].textContent;
        const open = el("button", {type: "button", text: `Open ${title}`}), gone = el("button", {type: "button", text: "×", title: `Take ${title} out`});
        open.addEventListener("click", () => { d.does.close(); d.openLink(link); });
        gone.addEventListener("click", () => { d.store("compare", list.filter((x) => x !== link)); d.refresh(); d.does.compare(); });
        return [open, gone]; }), el("button", {type: "button", "data-do": "compare-clear", text: "Clear the comparison"})]));
      for (const note of reply.notes) box.append(el("p", {class: "flag", text: note}));
    }
    if (reply.do === "export") d.toast(`Exported: ${reply.file}`);
  }

  /* ---- mouse and keys ---- */
  const roomy = matchMedia("(min-width: 1700px) and (min-height: 1100px)");
  const chosen = () => document.querySelector("#panes .pane.on").id;
  /* Panels whose numbers can be seen now: only those are painted while a knob is dragged. */
  d.inSight = () => { const on = chosen(), seen = [on === "measures-tab" ? "measures" : on === "views-tab" ? "views-out" : on];
    if (roomy.matches) seen.push("measures", "classes");
    return seen; };
  function tab(id) {
    for (const p of document.querySelectorAll("#panes .pane")) p.classList.toggle("on", p.id === id);
    for (const t of document.querySelectorAll("[data-tab]")) { t.classList.toggle("on", t.dataset.tab === id);
      t.setAttribute("aria-selected", String(t.dataset.tab === id)); }
    d.atPane();
    if (d.byId("desk").dataset.mode === "fast") d.ask("fast");
  }
  /* On which paths the panel in sight stands; those that a dragged knob does not move say so. */
  d.atPane = () => {
    if (!d.last) return;
    const on = chosen(), fast = d.byId("desk").dataset.mode === "fast", still = fast && (on === "channels" || on === "limits");
    const from = still ? d.full || d.last : d.last, n = from.paths.toLocaleString("en-US");
    const words = on === "hedge-tab" || on === "reverse-tab" ? `Searched on ${d.spec.paths.full.toLocaleString("en-US")} paths, on demand`
      : still ? `${roomy.matches ? `Total: ${d.last.paths.toLocaleString("en-US")} paths, preview · below: ` : ""}${n} paths, before the knob moved` : `${n} paths${fast ? ", preview" : ""}${from.views ? `, ${Math.round(from.views.effective_scenarios).toLocaleString("en-US")} effective` : ""} · ± is half the 95% interval`;
    const node = d.byId("pane-at"); if (node.textContent !== words) node.textContent = words;
    node.classList.toggle("still", still);
  };
  function listen() {
    document.addEventListener("click", (e) => {
      const does = e.target.closest("[data-do]"), panel = e.target.closest("[data-tab]");
      if (panel) tab(panel.dataset.tab);
      else if (does && d.does[does.dataset.do]) d.does[does.dataset.do]();
      else if (e.target.id === "sheet" || e.target.id === "keys") d.does.close();
      else d.clicked(e.target);
    });
    const letters = {s: "save", c: "compare-add", v: "compare", l: "link", e: "export", t: "theme", r: "reset", w: "view", "?": "keys"};
    document.addEventListener("keydown", (e) => {
      const field = e.target.closest("input[type=text], input[type=number], textarea, .ag-cell-inline-editing");
      const written = field && (field.dataset.dirty || (field.type === "text" && field.id !== "name" && field.value !== "") || field.closest(".ag-root"));
      if (e.key === "Escape") { if (field && !field.closest(".ag-root")) field.blur(); return d.does.close(); }
      if ((e.ctrlKey || e.metaKey) && !written) {
        if (e.key === "z" && !e.shiftKey) { e.preventDefault(); d.undo(); }
        if (e.key === "y" || (e.key.toLowerCase() === "z" && e.shiftKey)) { e.preventDefault(); d.redo(); }
        return;
      }
      if (field || e.ctrlKey || e.metaKey || e.altKey || e.target.closest("select, .ag-root")) return;
      if (e.key === "/") { e.preventDefault(); d.byId("trade").focus(); }
      else if (/^[1-8]$/.test(e.key)) tab(document.querySelectorAll("[data-tab]")[Number(e.key) - 1].dataset.tab);
      else if (letters[e.key.toLowerCase()]) { e.preventDefault(); d.does[letters[e.key.toLowerCase()]](); }
    });
    window.addEventListener("hashchange", () => { if (d.linkHere() !== null) d.openLink(d.linkHere()); });
    swap(false);
  }
  d.tab = tab;
})();
