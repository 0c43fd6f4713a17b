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
        const button = Object.assign(document.createElement("button"), { type: "button" });
        const flip = () => {
          const off = item.classList.toggle("off");
          button.setAttribute("aria-pressed", String(!off));
          for (const mark of figure.querySelectorAll("svg .series")) {
            if (mark.dataset.series === item.dataset.series) mark.classList.toggle("off", off);
          }
        };
        item.classList.add("toggles");
        button.append(...item.childNodes);
        button.setAttribute("aria-pressed", "true");
        button.addEventListener("click", flip);
        item.append(button);
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

  function savers() {
    for (const figure of document.querySelectorAll("figure")) {
      const data = figure.querySelector(".data");
      if (!data) continue;
      data.hidden = false;
      data.addEventListener("toggle", () => tabulate(data), { once: true });
      for (const button of data.querySelectorAll("button")) {
        button.addEventListener("click", () => savings[button.dataset.save](figure));
      }
    }
  }

  const linesOf = (data) => JSON.parse(data.querySelector("script").textContent);

  function tabulate(data) {
    const table = document.createElement("table");
    linesOf(data).forEach((line, number) => {
      const row = (number ? table.tBodies[0] || table.createTBody() : table.createTHead()).insertRow();
      line.forEach((value, place) => {
        const heads = number ? place === 0 : value !== "";
        const cell = row.appendChild(document.createElement(heads ? "th" : "td"));
        if (heads) cell.scope = number ? "row" : "col";
        if (place) cell.className = "n";
        cell.textContent = value ?? "";
      });
    });
    data.querySelector(".scroll").append(table);
  }

  const savings = {
    csv(figure) {
      const quoted = (value) => (/[",\n]/.test(value) ? '"' + value.replaceAll('"', '""') + '"' : value);
      const rows = linesOf(figure.querySelector(".data")).map((line) => line.map((value) => quoted(String(value ?? ""))).join(","));
      save(figure, "csv", new Blob([rows.join("\n") + "\n"], { type: "text/csv" }));
    },
    svg(figure) {
      save(figure, "svg", new Blob([alone(figure.querySelector("svg"))], { type: "image/svg+xml" }));
    },
    png(figure) {
      const picture = figure.querySelector("svg"), { width, height } = picture.viewBox.baseVal, image = new Image();
      image.onload = () => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 3 * width, height: 3 * height });
        const pen = canvas.getContext("2d");
        pen.fillStyle = getComputedStyle(figure).backgroundColor;
        pen.fillRect(0, 0, canvas.width, canvas.height);
        pen.drawImage(image, 0, 0, canvas.width, canvas.height);
        canvas.toBlob((blob) => save(figure, "png", blob));
      };
      image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(alone(picture));
    },
  };

  // A chart that needs no style sheet: every mark gets the style that it has on the page.
  function alone(picture) {
    const copy = picture.cloneNode(true), { width, height } = picture.viewBox.baseVal;
    for (const hidden of copy.querySelectorAll(".series.off, .cursor")) hidden.remove();
    const marks = picture.querySelectorAll(":not(.series.off, .series.off *, .cursor, title)");
    copy.querySelectorAll(":not(title)").forEach((mark, index) => {
      const style = getComputedStyle(marks[index]);
      for (const key of ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity", "font-size", "font-family", "font-weight"]) {
        mark.style.setProperty(key, style.getPropertyValue(key));
      }
      mark.removeAttribute("class");
    });
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    return new XMLSerializer().serializeToString(copy);
  }

  function save(figure, ending, blob) {
    const name = figure.querySelector("h3").textContent.trim().replaceAll(/[^A-Za-z0-9]+/g, "_").toLowerCase();
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name + "." + ending });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // What scrolls can be scrolled from the keyboard.
  function reachable() {
    const mark = () => {
      for (const part of document.querySelectorAll(".scroll, pre")) {
        if (part.scrollWidth > part.clientWidth || part.scrollHeight > part.clientHeight) part.tabIndex = 0;
        else part.removeAttribute("tabindex");
      }
    };
    addEventListener("resize", mark);
    document.addEventListener("toggle", () => setTimeout(mark), true);
    mark();
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

  // A file that a link leads to is shown, though its list is closed.
  function openTarget() {
    const show = () => {
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      const list = target && target.closest("details:not([open])");
      if (!list) return;
      list.open = true;
      target.scrollIntoView({ block: "center" });
    };
    addEventListener("hashchange", show);
    show();
  }

  themeButton();
  legendToggles();
  savers();
  reachable();
  openTarget();
  for (const chart of document.querySelectorAll("svg.lines")) readings(chart);
  whereAmI();
})();
