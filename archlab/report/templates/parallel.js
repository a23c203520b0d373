  // Parallel coordinates: a line for each trial that was trained, over its knobs, costs and quality. Dragging along an
  // axis chooses a range; the table shows what is chosen on all axes, and the front's other points fade.

  const parallel = document.getElementById("parallel");
  const brushes = {}; // [from, to] by axis, as shares of its height from the top
  const NARROWEST = 84, HEIGHT = 300, TOP = 44, BOTTOM = 14;

  const sample = element("div");
  sample.innerHTML = "<svg></svg>";

  function svg(tag, attributes, content) {
    const made = document.createElementNS(sample.firstChild.namespaceURI, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (content !== undefined) made.textContent = content;
    return made;
  }

  const drawn = data.rows.filter((row) => get(row, "status") === "complete" && get(row, "quality") !== null);
  const axes = [...data.knobs, ...data.ranged.filter((key) => key !== "quality"), "quality"].filter((key) => key in index).map(axisOf).filter(Boolean);
  const axisByKey = Object.fromEntries(axes.map((axis) => [axis.key, axis]));

  // Where a row's value is on an axis, from 0 at the top to 1; null where it has none. Less is at the bottom.

  function axisOf(key) {
    const values = drawn.map((row) => get(row, key)).filter((value) => value !== null);
    const isNumber = values.every((value) => typeof value === "number");
    const distinct = [...new Set(values)].sort((a, b) => (isNumber ? b - a : String(a).localeCompare(String(b), "en", { numeric: true })));
    if (distinct.length < 2) return null;
    const isScale = isNumber && !data.knobs.includes(key), [high, low] = [distinct[0], distinct[distinct.length - 1]];
    const place = (value) => (value === null ? null : isScale ? (high - value) / (high - low) : distinct.indexOf(value) / (distinct.length - 1));
    const ticks = isScale ? [high, (high + low) / 2, low] : distinct;
    return { key, place, ticks: ticks.map((value) => [isScale ? (high - value) / (high - low) : place(value), text(isScale ? Number(value.toPrecision(3)) : value)]) };
  }

  // Of rows that were not trained, too: what an axis does not have is in no range of it

  const isBrushed = (row) => Object.entries(brushes).every(([key, [from, to]]) => {
    const at = axisByKey[key].place(get(row, key));
    return at !== null && at >= from - 1e-9 && at <= to + 1e-9;
  });

  // From good, blue, to bad, orange: told apart by eyes that do not tell red from green

  function colourOf(row) {
    const [good, bad] = [[18, 89, 195], [217, 119, 6]], at = 1 - axisByKey.quality.place(get(row, "quality"));
    return `rgb(${good.map((part, place) => Math.round(part + at * (bad[place] - part))).join(" ")})`;
  }

  const y = (share) => TOP + share * HEIGHT;

  function drawParallel() {
    const width = Math.max(parallel.clientWidth || 900, NARROWEST * axes.length);
    const x = (at) => 46 + (at * (width - 92)) / (axes.length - 1);
    const image = svg("svg", { width, height: TOP + HEIGHT + BOTTOM, role: "group", "aria-label": "parallel coordinates" });
    image.append(...[...drawn].sort((a, b) => get(b, "quality") - get(a, "quality")).map((row) => lineOf(row, x))); // the best uppermost
    image.append(...axes.map((axis, at) => axisGroup(axis, x(at))));
    parallel.replaceChildren(image);
    showBrushes();
  }

  function showBrushes() {
    for (const line of parallel.querySelectorAll("path")) line.classList.toggle("faded", !isBrushed(byTrial.get(Number(line.dataset.trial))));
    for (const group of parallel.querySelectorAll("[data-axis]")) {
      const [from, to] = brushes[group.dataset.axis] || [0, 0], shown = group.querySelector(".brush");
      shown.setAttribute("y", y(from));
      shown.setAttribute("height", Math.max(0, y(to) - y(from)));
    }
  }

  function lineOf(row, x) {
    const trial = get(row, "trial"), points = axes.map((axis, at) => [x(at), axis.place(get(row, axis.key))]).filter(([, share]) => share !== null);
    const line = svg("path", { d: `M${points.map(([left, share]) => `${left} ${y(share)}`).join("L")}`, stroke: colourOf(row), class: get(row, "on_front") ? "front" : "", "data-trial": trial, tabindex: 0, role: "button", "aria-label": `trial ${trial}` });
    line.append(svg("title", {}, `trial ${trial} · ${heading.quality} ${cellText(row, "quality")} · ${cellText(row, data.cost, data.unit)}`));
    line.addEventListener("click", () => show(trial, true));
    line.addEventListener("mouseenter", () => show(trial, false));
    line.addEventListener("focus", () => show(trial, false));
    line.addEventListener("keydown", (event) => event.key === "Enter" && show(trial, true));
    return line;
  }

  function axisGroup(axis, left) {
    const group = svg("g", { "data-axis": axis.key }), names = (heading[axis.key] || axis.key).match(/\(.*\)|[^ _]+_?/g);
    const [first, second] = names.length > 1 ? [names.slice(0, -1).join(" "), names[names.length - 1]] : ["", names[0]];
    group.append(svg("line", { x1: left, x2: left, y1: y(0), y2: y(1) }), svg("rect", { class: "brush", x: left - 9, width: 18, y: 0, height: 0 }));
    group.append(svg("text", { class: "name", x: left, y: TOP - 28 }, first), svg("text", { class: "name", x: left, y: TOP - 15 }, second));
    for (const [share, label] of axis.ticks) group.append(svg("text", { x: left + 6, y: y(share) + 4 }, label));
    const handle = svg("rect", { class: "handle", x: left - 16, width: 32, y: y(0) - 8, height: HEIGHT + 16, tabindex: 0, role: "button", "aria-label": `range of ${axis.key}: arrow keys choose, Escape forgets` });
    handle.addEventListener("pointerdown", (event) => startBrush(event, axis.key));
    handle.addEventListener("keydown", (event) => moveBrush(event, axis));
    group.append(handle);
    return group;
  }

  function startBrush(event, key) {
    const top = parallel.firstChild.getBoundingClientRect().top + TOP;
    const share = (at) => Math.min(1, Math.max(0, (at.clientY - top) / HEIGHT)), from = share(event);
    const moved = (at) => { brushes[key] = [Math.min(from, share(at)), Math.max(from, share(at))]; showBrushes(); };
    const ended = (at) => {
      window.removeEventListener("pointermove", moved);
      window.removeEventListener("pointerup", ended);
      if (Math.abs(share(at) - from) < 0.02) delete brushes[key]; // a click forgets the range
      brushed();
    };
    event.preventDefault();
    window.addEventListener("pointermove", moved);
    window.addEventListener("pointerup", ended);
  }

  // With the keyboard: the arrows choose one tick after the other, Escape all

  function moveBrush(event, axis) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step && event.key !== "Escape") return;
    event.preventDefault();
    const half = 0.5 / (axis.ticks.length - 1), now = brushes[axis.key];
    const at = now ? axis.ticks.findIndex(([share]) => Math.abs(share - (now[0] + now[1]) / 2) <= half) + step : step > 0 ? 0 : axis.ticks.length - 1;
    const tick = axis.ticks[Math.min(axis.ticks.length - 1, Math.max(0, at))];
    if (step) brushes[axis.key] = [Math.max(0, tick[0] - half * 0.98), Math.min(1, tick[0] + half * 0.98)];
    else delete brushes[axis.key];
    brushed();
  }

  function brushed() {
    showBrushes();
    fill();
    document.getElementById("unbrush").hidden = !Object.keys(brushes).length;
    for (const chart of document.querySelectorAll(".chart")) if (chart.id.startsWith("chart-front")) fade(chart);
  }

  function fade(chart) {
    chart.data.forEach((trace, at) => {
      if (!trace.customdata || !trace.marker) return;
      const opacity = trace.customdata.map((trial) => (byTrial.has(trial) && !isBrushed(byTrial.get(trial)) ? 0.12 : 1));
      Plotly.restyle(chart, { "marker.opacity": [opacity] }, [at]);
    });
  }

  if (parallel && axisByKey.quality && axes.length > 1) {
    document.getElementById("unbrush").addEventListener("click", () => { for (const key of Object.keys(brushes)) delete brushes[key]; brushed(); });
    window.addEventListener("resize", drawParallel);
    drawParallel();
  } else if (parallel) {
    parallel.closest("section").hidden = true;
  }

