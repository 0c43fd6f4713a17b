"use strict";
(() => {
  const root = document.documentElement;
  const pointer = document.getElementById("pointer");

  function themeButton() {
    const button = document.getElementById("theme");
    const wish = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (root.dataset.theme || (wish.matches ? "dark" : "light")) === "dark";
    const label = () => { button.textContent = isDark() ? "Light" : "Dark"; };
    button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; label(); });
    wish.addEventListener("change", label);
    button.hidden = false;
    label();
  }

  function legendToggles() {
    for (const figure of document.querySelectorAll("figure")) {
      for (const item of figure.querySelectorAll(".legend li")) {
        const flip = () => {
          const off = item.classList.toggle("off");
          item.setAttribute("aria-pressed", String(!off));
          for (const mark of figure.querySelectorAll("svg .series")) {
            if (mark.dataset.series === item.dataset.series) mark.classList.toggle("off", off);
          }
        };
        item.classList.add("toggles");
        item.tabIndex = 0;
        item.setAttribute("role", "button");
        item.setAttribute("aria-pressed", "true");
        item.addEventListener("click", flip);
        item.addEventListener("keydown", (event) => {
          if (event.key === "Enter" || event.key === " ") { event.preventDefault(); flip(); }
        });
      }
    }
  }

  function scaleOf(text) {
    const [low, high, start, end, kind] = text.split(" ");
    const log = kind === "log";
    const [a, b] = [low, high].map((value) => (log ? Math.log10(+value) : +value));
    return (position) => {
      const value = a + ((position - start) / (end - start)) * (b - a);
      return log ? 10 ** value : value;
    };
  }

  function written(value) {
    if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e7)) return value.toExponential(2);
    return value.toLocaleString("en", { maximumSignificantDigits: 4 });
  }

  function readings(chart) {
    const x = scaleOf(chart.dataset.x), y = scaleOf(chart.dataset.y);
    for (const title of chart.querySelectorAll("title")) title.remove();
    const curves = [...chart.querySelectorAll(".series[data-series]")].map((mark) => {
      const line = mark.querySelector("polyline");
      const points = line ? [...line.points].map((point) => [point.x, point.y]) : [];
      return { mark, tint: line ? line.getAttribute("class").match(/c\d/)[0] : "", points };
    }).filter((curve) => curve.points.length > 1);
    const cursor = document.createElementNS("http://www.w3.org/2000/svg", "line");
    cursor.setAttribute("class", "cursor");

    chart.addEventListener("pointermove", (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
      const shown = curves.filter((curve) => !curve.mark.classList.contains("off"));
      const near = shown.map((curve) => curve.points.reduce((a, b) => (Math.abs(b[0] - at.x) < Math.abs(a[0] - at.x) ? b : a)));
      const [, , start, end] = chart.dataset.x.split(" ").map(Number);
      if (!near.length || at.x < start - 8 || at.x > end + 8) return leave();
      const place = near.reduce((a, b) => (Math.abs(b[0] - at.x) < Math.abs(a[0] - at.x) ? b : a))[0];
      const [, , bottom, top] = chart.dataset.y.split(" ");
      for (const [key, value] of Object.entries({ x1: place, x2: place, y1: bottom, y2: top })) cursor.setAttribute(key, value);
      chart.append(cursor);
      pointer.replaceChildren(row("", chart.dataset.xlabel, written(x(place))));
      shown.forEach((curve, index) => {
        if (Math.abs(near[index][0] - place) > 6) return;
        pointer.append(row(curve.tint, curve.mark.dataset.series, written(y(near[index][1]))));
      });
      pointer.hidden = false;
      const left = event.clientX + 18 + pointer.offsetWidth > innerWidth ? event.clientX - pointer.offsetWidth - 18 : event.clientX + 18;
      pointer.style.left = Math.max(8, left) + "px";
      pointer.style.top = Math.max(8, Math.min(event.clientY + 14, innerHeight - pointer.offsetHeight - 8)) + "px";
    });
    chart.addEventListener("pointerleave", leave);

    function leave() { cursor.remove(); pointer.hidden = true; }
  }

  function row(tint, name, value) {
    const line = document.createElement("p");
    const key = document.createElement("span"), label = document.createElement("span"), number = document.createElement("b");
    if (tint) key.className = "key line " + tint;
    label.textContent = name;
    number.textContent = value;
    line.append(key, label, number);
    return line;
  }

  function whereAmI() {
    const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
    const sections = [...document.querySelectorAll("section")];
    const mark = () => {
      const passed = sections.filter((section) => section.getBoundingClientRect().top < 140);
      const here = passed.length ? passed[passed.length - 1].id : "";
      for (const [id, link] of links) link.classList.toggle("here", id === here);
    };
    addEventListener("scroll", mark, { passive: true });
    mark();
  }

  themeButton();
  legendToggles();
  for (const chart of document.querySelectorAll("svg.lines")) readings(chart);
  whereAmI();
})();
