(function () {
  "use strict";
  document.documentElement.classList.add("js");

  function value(cell) {
    var raw = cell.dataset.v;
    if (raw === undefined) raw = cell.textContent.trim();
    var x = raw === "" || raw === "\u2013" ? NaN : Number(raw);
    return { number: x, text: raw, missing: raw === "\u2013" || raw === "" };
  }

  function sort(table, column, direction) {
    var body = table.tBodies[0];
    var rows = Array.from(body.rows).map(function (row, i) {
      return { row: row, i: i, key: value(row.cells[column]) };
    });
    rows.sort(function (a, b) {
      if (a.key.missing !== b.key.missing) return a.key.missing ? 1 : -1;
      var numbers = !isNaN(a.key.number) && !isNaN(b.key.number);
      var order = numbers ? a.key.number - b.key.number : a.key.text.localeCompare(b.key.text);
      return direction * order || a.i - b.i;
    });
    rows.forEach(function (r) { body.appendChild(r.row); });
  }

  document.querySelectorAll("table.sortable").forEach(function (table) {
    var heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach(function (head, column) {
      var label = head.querySelector(".head");
      var button = document.createElement("span");
      button.setAttribute("role", "button");
      button.className = "sort";
      button.tabIndex = 0;
      button.title = "Sort by this column";
      while (label.firstChild) button.appendChild(label.firstChild);
      label.appendChild(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("keydown", function (e) {
        if (e.key === "Enter" || e.key === " ") { e.preventDefault(); button.click(); }
      });
      button.addEventListener("click", function () {
        var down = head.getAttribute("aria-sort") === "none"
          ? head.classList.contains("n") : head.getAttribute("aria-sort") === "ascending";
        heads.forEach(function (other) { other.setAttribute("aria-sort", "none"); });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        sort(table, column, down ? -1 : 1);
      });
    });
  });

  document.querySelectorAll(".tablebox.long").forEach(function (box) {
    var count = box.querySelector("tbody").rows.length;
    var button = document.createElement("button");
    button.type = "button";
    button.className = "more";
    function show(open) {
      box.classList.toggle("collapsed", !open);
      button.setAttribute("aria-expanded", String(open));
      button.textContent = open ? "Show fewer rows" : "Show all " + count + " rows";
    }
    button.addEventListener("click", function () { show(box.classList.contains("collapsed")); });
    box.appendChild(button);
    show(false);
  });

  var pages = Array.from(document.querySelectorAll(".scenario"));
  function choose() {
    var wanted = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    var page = wanted && pages.indexOf(wanted) >= 0 ? wanted : null;
    if (!page && document.querySelector(".scenario.current")) return;
    page = page || pages[0];
    pages.forEach(function (p) { p.classList.toggle("current", p === page); });
    document.querySelectorAll(".picker a").forEach(function (a) {
      if (a.hash === "#" + page.id) a.setAttribute("aria-current", "true"); else a.removeAttribute("aria-current");
    });
    if (page === wanted) page.scrollIntoView();
  }
  if (pages.length) { window.addEventListener("hashchange", choose); choose(); }

  if ("IntersectionObserver" in window) {
    var links = {};
    document.querySelectorAll(".contents a").forEach(function (a) { links[a.hash.slice(1)] = a; });
    var watch = new IntersectionObserver(function (entries) {
      entries.forEach(function (e) {
        if (!e.isIntersecting) return;
        Object.keys(links).forEach(function (k) { links[k].classList.toggle("here", k === e.target.id); });
      });
    }, { rootMargin: "-10% 0px -80% 0px" });
    document.querySelectorAll(".part").forEach(function (p) { watch.observe(p); });
  }
})();
