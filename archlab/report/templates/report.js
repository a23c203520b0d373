"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const index = Object.fromEntries(data.columns.map((column, place) => [column.key, place]));
  const heading = Object.fromEntries(data.columns.map((column) => [column.key, column.heading]));
  const get = (row, key) => (key in index ? row[index[key]] : null);
  const byTrial = new Map(data.rows.map((row) => [get(row, "trial"), row]));
  const kind = Object.fromEntries(data.columns.map((column) => [column.key, column.kind]));
  const isCost = Object.fromEntries(data.columns.map((column) => [column.key, column.is_cost]));
  const isEstimated = (row, key) => Boolean(kind[key]) && get(row, kind[key]) === "estimated";
  const noisy = Object.fromEntries(data.columns.map((column) => [column.key, column.noisy]));
  const isNoisy = (row, key) => Boolean(noisy[key]) && get(row, noisy[key]) === true;
  const words = { complete: "trained", gated: data.gated, stopped: "stopped", failed: "failed", repeat: "repeat" };
  const narrow = window.matchMedia("(max-width: 560px)");

  function text(value) {
    if (value === null || value === undefined) return "";
    if (typeof value === "boolean") return value ? "yes" : "";
    if (typeof value !== "number") return String(value);
    if (Number.isInteger(value) || Math.abs(value) >= 1000) return value.toFixed(0);
    return String(Number(value.toPrecision(4)));
  }

  function cellText(row, key, unit = "") {
    const isKnown = typeof get(row, key) === "number";
    const before = isKnown && isEstimated(row, key) ? "≈ " : "", behind = isKnown && isNoisy(row, key) ? " (noisy)" : "";
    return `${before}${text(get(row, key))}${unit && ` ${unit}`}${behind}`;
  }

  function ended(row) {
    const status = get(row, "status"), steps = get(row, "stopped_at");
    return status === "stopped" && steps !== null ? `stopped at ${text(steps)} steps` : words[status] || status;
  }

  function element(tag, content, className) {
    const made = document.createElement(tag);
    if (content !== undefined) made.textContent = content;
    if (className) made.className = className;
    return made;
  }

  // The side panel

  const panel = document.getElementById("panel");
  let kept = null;

  function show(trial, keep) {
    const row = byTrial.get(trial);
    if (!panel || !row) return;
    if (keep) kept = trial;
    const badges = element("div");
    badges.append(element("span", ended(row), `badge ${get(row, "status")}`));
    if (get(row, "on_front")) badges.append(element("span", "on the front", "badge front"));
    if (data.picks[trial]) badges.append(element("span", data.picks[trial], "badge pick"));
    panel.replaceChildren(element("h3", `Trial ${trial}`), badges);
    panel.append(compareButton(trial));
    if (get(row, "reason")) panel.append(element("p", get(row, "reason"), "note"));
    addSamples(trial, get(row, "status"));
    addList("Numbers", data.numbers.filter((key) => get(row, key) !== null), row, relative);
    addList("Knobs", data.knobs, row, difference);
    panel.append(element("h4", "Architecture over the baseline's"), drawingOf(trial), element("div", text(get(row, "architecture")), "note"));
    if (get(row, "status") === "complete") panel.append(element("h4", "To export it"), command(`archlab export ${data.study} --pick ${trial}`));
    document.querySelectorAll("tr.shown").forEach((shown) => shown.classList.remove("shown"));
    document.querySelectorAll("#gallery button").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.trial === String(trial))));
    document.querySelectorAll(`tr[data-trial="${trial}"]`).forEach((shown) => shown.classList.add("shown"));
  }

  function addSamples(trial, status) {
    if (data.samples[trial]) {
      panel.append(picture(trial));
    } else if (status === "complete") {
      panel.append(element("p", `No samples on this page; see trials/${trial} in the study's folder.`, "note"));
    }
  }

  function command(line) {
    const made = element("div", undefined, "command"), button = element("button", "copy");
    button.type = "button";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(line);
        button.textContent = "copied";
      } catch {
        window.getSelection().selectAllChildren(made.firstChild); // a page from a file may not write to the clipboard
        button.textContent = "selected";
      }
    });
    made.append(element("code", line), button);
    return made;
  }

  function addList(title, keys, row, remark) {
    if (!keys.length) return;
    const list = element("dl");
    for (const key of keys) {
      const value = element("dd", cellText(row, key) || "–");
      const said = remark(key, get(row, key));
      if (said) {
        value.className = remark === difference ? "changed" : "";
        value.append(" ", element("small", said));
      }
      list.append(element("dt", heading[key] || key), value);
    }
    panel.append(element("h4", title), list);
  }

  function relative(key, value) {
    const base = data.baseline[key];
    if (!isCost[key] || typeof base !== "number" || !base) return "";
    const share = 100 * (value / base - 1);
    return `${share > 0 ? "+" : "−"}${Math.abs(share).toFixed(0)}\u00a0%`;
  }

  function difference(key, value) {
    const base = data.baseline[key];
    return base === undefined || value === null || text(base) === text(value) ? "" : `was ${text(base)}`;
  }

  // Charts

  const options = { responsive: true, displayModeBar: false };
  for (const [key, figure] of Object.entries(data.figures)) {
    const chart = document.getElementById(`chart-${key}`);
    if (narrow.matches) {
      figure.layout.margin = { l: 46, r: 10, t: 12, b: 44 };
      figure.layout.font.size = 11;
      for (const axis of ["xaxis", "yaxis"]) if (figure.layout[axis].title) shorten(figure.layout[axis].title);
      figure.layout.legend.font = { size: 10 };
    }
    chart.after(downloads(key, chart));
    plot(chart, figure).then(() => key.startsWith("front") && explore(chart));
  }

  function downloads(key, chart) {
    const made = element("div", undefined, "downloads");
    for (const format of ["png", "svg"]) {
      const button = element("button", format.toUpperCase());
      button.type = "button";
      button.title = "Download this chart";
      button.addEventListener("click", () => Plotly.downloadImage(chart, { format, scale: 2, filename: `${data.study} ${key}` }));
      made.append(button);
    }
    return made;
  }

  function plot(chart, figure) {
    const { data: traces, layout } = themed(figure);
    return Plotly.react(chart, traces, layout, options);
  }

  // Figures come in the colours of a light page; each is one of the page's variables, which a dark page changes.

  function themed(figure) {
    const style = getComputedStyle(document.documentElement);
    const painted = (_, value) => (value in data.colours ? style.getPropertyValue(data.colours[value]).trim() : value);
    return JSON.parse(JSON.stringify(figure), painted);
  }

  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const [key, figure] of Object.entries(data.figures)) plot(document.getElementById(`chart-${key}`), figure);
  });

  function shorten(title) {
    title.text = (title.text || "").replaceAll(" · ", "<br>");
    title.font = { size: 11 };
  }

  function explore(chart) {
    chart.on("plotly_hover", (event) => pointed(event, false));
    chart.on("plotly_click", (event) => pointed(event, true));
    chart.on("plotly_unhover", () => kept !== null && show(kept, false));
    chart.on("plotly_relayout", () => label(chart));
    label(chart);
  }

  function pointed(event, keep) {
    const trial = event.points[0].customdata;
    if (trial !== undefined) show(trial, keep);
  }

  // Labels take the first of eight places where they cover neither a point nor another label; else they are left out.
  const places = { "top right": [1, -1], "bottom left": [-1, 1], "top left": [-1, -1], "bottom right": [1, 1], "top center": [0, -1], "bottom center": [0, 1], "middle right": [1, 0], "middle left": [-1, 0] };
  const labelling = new Set();

  function label(chart) {
    if (labelling.has(chart)) return;
    const { xaxis, yaxis } = chart._fullLayout;
    const pixel = (x, y) => [xaxis.l2p(x), yaxis.l2p(y)];
    const taken = [];
    for (const trace of chart.data) {
      if (trace.yaxis === "y2" || trace.mode === "lines") continue;
      trace.x.forEach((x, at) => { const [px, py] = pixel(x, trace.y[at]); taken.push([px - 6, py - 6, px + 6, py + 6]); });
    }
    for (const { x0 } of chart.layout.shapes || []) taken.push([xaxis.l2p(x0) - 3, 0, xaxis.l2p(x0) + 3, yaxis._length]);
    const at = chart.data.findIndex((trace) => trace.meta === "front");
    const trace = chart.data[at];
    if (!trace) return;
    trace.wanted = trace.wanted || [...trace.text];
    const order = trace.wanted.map((_, place) => place).sort((a, b) => trace.wanted[b].length - trace.wanted[a].length);
    const labels = trace.wanted.map(() => ""), positions = trace.wanted.map(() => "top right");
    for (const place of order) {
      const [px, py] = pixel(trace.x[place], trace.y[place]);
      const width = 7.2 * trace.wanted[place].length + 4, height = 15;
      for (const [name, [dx, dy]] of Object.entries(places)) {
        const left = px + dx * 8 + ((dx - 1) / 2) * width, top = py + dy * 8 + ((dy - 1) / 2) * height;
        const box = [left, top, left + width, top + height];
        const inside = left > 2 && box[2] < xaxis._length + 10 && top > -8 && box[3] < yaxis._length + 6;
        if (!inside || taken.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) continue;
        taken.push(box);
        labels[place] = trace.wanted[place];
        positions[place] = name;
        break;
      }
    }
    labelling.add(chart);
    Plotly.restyle(chart, { text: [labels], textposition: [positions] }, [at]).then(() => labelling.delete(chart));
  }

  // Pictures along the front, from cheap to good; from high to low where more is better

  const gallery = document.getElementById("gallery");
  const pictured = data.rows.filter((row) => get(row, "on_front") && data.samples[get(row, "trial")]);
  for (const row of pictured.sort((a, b) => data.sign * (get(a, data.cost) - get(b, data.cost)))) {
    const trial = get(row, "trial"), button = element("button"), image = element("img");
    image.src = data.samples[trial];
    image.alt = `samples of trial ${trial}`;
    button.type = "button";
    button.dataset.trial = trial;
    button.append(image, `trial ${trial} ${data.picks[trial] || ""}`, element("small", cellText(row, data.cost, data.unit)));
    button.addEventListener("click", () => show(trial, true));
    if (gallery) gallery.append(button);
  }

{% include "side_by_side.js" %}
{% include "parallel.js" %}
{% include "trials.js" %}

  // Rows and the address (#trial-7) choose a trial too

  function chosen(event) {
    const row = event.target.closest("tr[data-trial]");
    if (row && (event.type === "click" || event.key === "Enter")) show(Number(row.dataset.trial), true);
  }
  document.addEventListener("click", chosen);
  document.addEventListener("keydown", chosen);

  function fromAddress() {
    const named = /^#trial-(\d+)$/.exec(window.location.hash);
    const trial = named ? Number(named[1]) : data.start;
    if (trial !== null) show(trial, true);
  }
  window.addEventListener("hashchange", fromAddress);
  fromAddress();
})();
