/* The left column: scenario, horizon, knobs, sellers.  A knob that was moved is marked; a click on its mark undoes it. */
"use strict";
(function () {
  const d = window.desk, el = d.el;
  const rows = {};

  const filed = (k) => (k.id in d.filed ? d.filed[k.id] : k.rest);
  const shown = (k) => (k.id in d.state.knobs ? d.state.knobs[k.id] : filed(k));
  const moved = (k) => k.id in d.state.knobs;
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const decimals = (k) => (k.step < 1 ? 1 : 0);
  const put = (k, value) => (s) => {
    if (same(value, filed(k)) || (k.kind === "many" && same([...value].sort(), [...(filed(k) || [])].sort())))
      delete s.knobs[k.id];
    else s.knobs[k.id] = value;
  };
  const clamp = (k, x) => Math.min(k.bounds[1], Math.max(k.bounds[0], x));

  /* A slider: dragged it asks at every step; keys move it too, and the page refines when they rest. */
  d.slides = (slider, step) => {
    let byKey = false, resting;
    slider.addEventListener("keydown", (e) => { byKey = /^(Arrow|Page|Home|End)/.test(e.key); });
    slider.addEventListener("pointerdown", () => { byKey = false; });
    slider.addEventListener("input", step);
    slider.addEventListener("change", () => { clearTimeout(resting);
      if (byKey) resting = setTimeout(d.release, 350); else d.release(); });
  };
  /* Undo inside a box belongs to what is being typed there; else to the page. */
  d.types = (box) => {
    box.addEventListener("input", () => { box.dataset.dirty = "1"; });
    box.addEventListener("change", () => { delete box.dataset.dirty; });
  };

  function range(k) {
    const slider = el("input", {type: "range", min: k.low, max: k.high, step: k.step, "aria-label": `${k.label}, ${k.unit}`,
      "data-knob": k.id});
    const box = el("input", {type: "number", min: k.bounds[0], max: k.bounds[1], step: "any", "aria-label": `${k.label}, number`,
      "data-number": k.id});
    const fill = (value) => slider.style.setProperty("--at", `${100 * (Math.min(k.high, Math.max(k.low, value)) - k.low) / (k.high - k.low)}%`);
    d.slides(slider, () => {
      const value = Number(slider.value); box.value = value.toFixed(decimals(k)); fill(value);
      d.drag(put(k, value)); mark(k);
    });
    d.types(box);
    box.addEventListener("change", () => {
      if (box.value.trim() === "" || !Number.isFinite(Number(box.value))) return update(k);
      d.change(put(k, clamp(k, Number(box.value))));
    });
    return {node: el("div", {class: "control"}, [slider, box, el("span", {class: "unit", text: k.unit})]),
      update: () => {
        const value = shown(k) === null ? k.low : Number(shown(k));
        slider.value = value; box.value = value.toFixed(Number.isInteger(value) ? 0 : Math.max(1, decimals(k)));
        delete box.dataset.dirty; fill(value);
      }};
  }
  function flag(k) {
    const box = el("input", {type: "checkbox", "data-knob": k.id, id: `knob-${k.id}`});
    box.addEventListener("change", () => d.change(put(k, box.checked)));
    return {node: box, update: () => { box.checked = Boolean(shown(k)); }};
  }
  function choice(k) {
    const first = k.rest === null ? [el("option", {value: "", text: "as filed"})] : [];
    const list = el("select", {"data-knob": k.id, "aria-label": k.label}, [...first,
      ...k.choices.map(([value, words]) => el("option", {value, text: words}))]);
    list.addEventListener("change", () => d.change((s) => {
      if (list.value === "") delete s.knobs[k.id]; else put(k, list.value)(s);
    }));
    return {node: list, update: () => { list.value = shown(k) === null ? "" : shown(k); }};
  }
  function many(k) {
    const boxes = k.choices.map(([value, words]) => {
      const b = el("button", {type: "button", class: "chip", "data-choice": value, text: words, "aria-pressed": "false"});
      b.addEventListener("click", () => {
        const now = new Set(shown(k) || []);
        if (now.has(value)) now.delete(value); else now.add(value);
        d.change(put(k, k.choices.map((c) => c[0]).filter((c) => now.has(c))));
      });
      return b;
    });
    return {node: el("div", {class: "chips", "data-knob": k.id}, boxes), update: () => {
      const on = new Set(shown(k) || []);
      for (const b of boxes) b.setAttribute("aria-pressed", String(on.has(b.dataset.choice)));
    }};
  }
  function mark(k) {
    const row = rows[k.id]; if (!row) return;
    row.line.classList.toggle("moved", moved(k));
    row.line.classList.toggle("filed", k.id in d.filed && k.shock !== "");
    const off = k.only_filed && !(k.id in d.filed);  /* in its place, so that nothing moves when a scenario has it */
    if (row.off !== off) { row.off = off; row.line.classList.toggle("off", off);
      for (const n of row.line.querySelectorAll("input")) n.disabled = off; }
  }
  function update(k) { rows[k.id].update(); mark(k); }

  function line(k) {
    const made = {range, flag, choice, many}[k.kind](k);
    const back = el("button", {type: "button", class: "back", title: "As filed", text: "↺", "aria-label": `${k.label}: as filed`});
    back.addEventListener("click", () => d.change((s) => { delete s.knobs[k.id]; }));
    const label = el("label", {class: "label", text: k.label, title: k.tip || null, for: k.kind === "flag" ? `knob-${k.id}` : null});
    rows[k.id] = {update: made.update, line: el("div", {class: `knob ${k.kind}`}, [label, back, made.node])};
    return rows[k.id].line;
  }

  /* Sellers: USD bn by holder and asset class. */
  const sellers = el("div", {class: "sellers"});
  function sellerRow(n) {
    const spec = d.spec, here = () => d.state.sellers[n];
    const pick = (key, options) => {
      const list = el("select", {"aria-label": key, "data-seller": key}, options.map(([v, w]) => el("option", {value: v, text: w})));
      list.value = here()[key] || "all";
      list.addEventListener("change", () => d.change((s) => { s.sellers[n][key] = list.value; }));
      return list;
    };
    const words = {default: "usual use", abroad: "taken abroad", other_us: "to US assets", deposits: "to deposits", defend: "defence"};
    const slider = el("input", {type: "range", min: 0, max: 1000, step: 10, "aria-label": "USD bn sold", "data-seller": "usd_bn"});
    const box = el("input", {type: "number", min: 0, max: 50000, step: "any", "aria-label": "USD bn sold, number"});
    const show = () => { slider.value = here().usd_bn; box.value = Number(here().usd_bn.toFixed(1));
      slider.style.setProperty("--at", `${Math.min(100, here().usd_bn / 10)}%`); };
    d.slides(slider, () => { box.value = slider.value;
      slider.style.setProperty("--at", `${slider.value / 10}%`); d.drag((s) => { s.sellers[n].usd_bn = Number(slider.value); }); });
    d.types(box);
    box.addEventListener("change", () => { const x = Number(box.value);
      if (box.value.trim() === "" || !(x >= 0 && x <= 50000)) return show();
      d.change((s) => { s.sellers[n].usd_bn = x; }); });
    show();
    const gone = el("button", {type: "button", class: "back", title: "Remove this seller", text: "×"});
    gone.addEventListener("click", () => d.change((s) => { s.sellers.splice(n, 1); }));
    return el("div", {class: "seller moved"}, [
      el("div", {class: "picks"}, [
        pick("holder", spec.holders.map((h) => [h, {all: "All foreigners", europe: "Europe", asia: "Asia"}[h] || h])),
        pick("asset_class", [["all", "all classes"], ...spec.classes]), gone]),
      el("div", {class: "control"}, [slider, box, el("span", {class: "unit", text: "USD bn"})]),
      el("div", {class: "pair"}, [
        pick("sector", spec.sectors.map((x) => [x, {all: "all sectors", official: "official", private: "private"}[x] || x])),
        pick("use", spec.uses.map((u) => [u, words[u] || u]))]),
    ]);
  }
  let sellersShown = "";
  function paintSellers() {
    const keys = JSON.stringify([d.state.sellers]);
    if (keys === sellersShown) return;
    sellersShown = keys;
    const inside = () => [...sellers.querySelectorAll("input, select, button")];
    const held = inside().indexOf(document.activeElement);
    sellers.replaceChildren(...d.state.sellers.map((_, n) => sellerRow(n)));
    const add = el("button", {type: "button", class: "add", "data-do": "add-seller", text: "+ seller by holder and class",
      disabled: d.state.sellers.length >= d.spec.most.sellers});
    add.addEventListener("click", () => d.change((s) => { s.sellers.push({holder: "all", asset_class: "treasury", usd_bn: 100, use: "default"}); }));
    sellers.append(add);
    if (held >= 0 && inside()[held]) inside()[held].focus();
  }

  d.buildKnobs = () => {
    const groups = {};
    for (const k of d.spec.knobs) (groups[k.group] = groups[k.group] || []).push(k);
    const closed = d.stored("closed", ["Accord", "Tariff", "Fed path"]);
    const boxes = Object.entries(groups).map(([name, list]) => {
      const body = el("div", {class: "body"}, list.map(line));
      if (name === "Flows") body.prepend(sellers);
      if (name === "Timing") body.prepend(horizonLine());
      const count = el("span", {class: "count"});
      const box = el("details", {"data-group": name}, [el("summary", {}, [el("span", {text: name}), count]), body]);
      box.open = !closed.includes(name);
      box.addEventListener("toggle", () => d.store("closed",
        [...document.querySelectorAll("#knobs details:not([open])")].map((x) => x.dataset.group)));
      let opened = "";
      d.painters.push(() => {
        const here = list.filter((k) => k.shock !== "" && k.id in d.filed || moved(k)).length ? `${d.state.scenario}` : "";
        if (here !== "" && here !== opened && d.last) box.open = true;  /* what the scenario uses is in sight */
        opened = here;
        const n = list.filter(moved).length + (name === "Flows" ? d.state.sellers.length : 0) + (name === "Timing" && d.state.horizon ? 1 : 0);
        count.textContent = n ? `${n} moved` : "";
      });
      return box;
    });
    d.byId("knobs").replaceChildren(...boxes);
    d.painters.push(() => { for (const k of d.spec.knobs) update(k); paintSellers(); });
  };

  function horizonLine() {
    const options = [["", "as filed"], ["1d", "1 day"], ["10d", "10 days"], ["4w", "4 weeks"], ["3m", "3 months"], ["6m", "6 months"], ["12m", "12 months"],
      ["24m", "2 years"], ["36m", "3 years"]];
    const list = el("select", {id: "horizon", "aria-label": "Horizon"}, options.map(([v, w]) => el("option", {value: v, text: w})));
    list.addEventListener("change", () => d.change((s) => { s.horizon = list.value || null; }));
    const box = el("div", {class: "knob choice"}, [el("label", {class: "label", text: "Horizon"}), el("span", {class: "back"}), list]);
    d.painters.push(() => {
      const value = d.state.horizon || "";
      if (![...list.options].some((o) => o.value === value)) list.append(el("option", {value, text: value}));
      list.value = value; box.classList.toggle("moved", value !== "");
    });
    return box;
  }

  d.buildScenario = () => {
    const list = el("select", {id: "scenario", "aria-label": "Scenario library"}, [
      el("option", {value: "", text: "Ordinary night, no policy"}),
      ...d.spec.headings.map((h) => el("option", {value: h.name, text: h.title, title: `${h.horizon}${h.probability ? ", probability " + h.probability : ""}`}))]);
    list.addEventListener("change", () => d.change((s) => {
      s.scenario = list.value || null;
      for (const k of d.spec.knobs) if (k.only_filed) delete s.knobs[k.id];
    }));
    const facts = el("div", {class: "facts"});
    d.byId("scenario-place").replaceChildren(el("label", {class: "label", for: "scenario", text: "Scenario"}), list, facts);
    d.painters.push(() => {
      list.value = d.state.scenario || "";
      const own = !d.state.scenario && (d.state.sellers.length > 0 || Object.keys(d.state.knobs).length > 0);
      list.options[0].textContent = own ? "Own policy, from the knobs" : "Ordinary night, no policy";
      const h = d.spec.headings.find((x) => x.name === d.state.scenario);
      facts.textContent = h ? `${h.horizon}${h.probability ? ` · probability ${Math.round(100 * Number(h.probability))}%` : ""}` : own ? `${d.state.horizon || "12 months"} · blank scenario with what was moved` : `${d.state.horizon || "10 days"} · 12 months when a knob moves`;
    });
  };
})();
