  // Every trial: sorted, filtered by how it ended, by knobs and by ranges; columns can be hidden, rows downloaded

  const table = document.getElementById("table-trials");
  const state = { column: "trial", rising: true, filter: "all", limit: 300, knobs: {}, ranges: {}, hidden: new Set() };
  const filters = {
    all: () => true,
    "on the front": (row) => get(row, "on_front"),
    ...Object.fromEntries(Object.entries(words).map(([status, word]) => [word, (row) => get(row, "status") === status])),
  };

  function isWanted(row) {
    if (!isBrushed(row)) return false;
    if (!filters[state.filter](row)) return false;
    if (Object.entries(state.knobs).some(([knob, value]) => value !== "" && text(get(row, knob)) !== value)) return false;
    return Object.entries(state.ranges).every(([key, [low, high]]) => {
      const value = get(row, key);
      return (low === null && high === null) || (value !== null && (low === null || value >= low) && (high === null || value <= high));
    });
  }

  function visible() {
    const at = index[state.column], sign = state.rising ? 1 : -1;
    return data.rows.filter(isWanted).sort((a, b) => {
      if (a[at] === null || b[at] === null) return (a[at] === null) - (b[at] === null); // empty cells last, either way
      const order = typeof a[at] === "string" || typeof b[at] === "string" ? String(a[at]).localeCompare(String(b[at]), "en", { numeric: true }) : a[at] - b[at];
      return sign * order || get(a, "trial") - get(b, "trial");
    });
  }

  const shownColumns = () => data.columns.filter(({ key }) => !state.hidden.has(key));

  function fill() {
    const rows = visible();
    const body = document.createDocumentFragment();
    for (const row of rows.slice(0, state.limit)) body.append(tableRow(row));
    table.tBodies[0].replaceChildren(body);
    const more = document.getElementById("more");
    more.hidden = rows.length <= state.limit;
    more.textContent = `Show all ${rows.length}`;
    document.getElementById("matching").textContent = `${rows.length} of ${data.rows.length} trials`;
    for (const head of table.tHead.rows[0].cells) {
      const sorted = head.dataset.key === state.column;
      head.setAttribute("aria-sort", sorted ? (state.rising ? "ascending" : "descending") : "none");
    }
    for (const button of document.querySelectorAll("#filters button")) {
      button.setAttribute("aria-pressed", String(button.dataset.filter === state.filter));
    }
  }

  function tableRow(row) {
    const line = element("tr"), trial = get(row, "trial"), box = element("input"), first = element("td");
    line.dataset.trial = trial;
    line.tabIndex = 0;
    box.type = "checkbox";
    box.dataset.compare = trial;
    box.checked = compared.includes(trial);
    box.setAttribute("aria-label", `compare trial ${trial}`);
    box.addEventListener("click", (event) => { event.stopPropagation(); compare(trial, box.checked); });
    first.append(box);
    line.append(first);
    for (const { key } of shownColumns()) {
      const value = row[index[key]];
      const cell = element("td", cellText(row, key), typeof value === "number" ? "number" : key === "reason" ? "reason" : "");
      if (key === "status") cell.replaceChildren(element("span", ended(row), `badge ${value}`));
      line.append(cell);
    }
    return line;
  }

  function sortBy(key) {
    state.rising = state.column === key ? !state.rising : true;
    state.column = key;
    fill();
  }

  function drawHeads() {
    const heads = element("tr");
    heads.append(element("th", "≡"));
    for (const { key, heading: title } of shownColumns()) {
      const head = element("th", title, data.rows.some((row) => typeof row[index[key]] === "number") ? "number" : "");
      head.dataset.key = key;
      head.scope = "col";
      head.tabIndex = 0;
      head.addEventListener("click", () => sortBy(key));
      head.addEventListener("keydown", (event) => event.key === "Enter" && sortBy(key));
      heads.append(head);
    }
    table.tHead.replaceChildren(heads);
  }

  function labelled(title, control) {
    const made = element("label", title);
    made.append(" ", control);
    return made;
  }

  function knobFilter(knob) {
    const choice = element("select"), values = [...new Set(data.rows.map((row) => text(get(row, knob))))].sort();
    for (const value of ["", ...values]) {
      const option = element("option", value === "" ? "any" : value);
      option.value = value;
      choice.append(option);
    }
    choice.dataset.knob = knob;
    choice.addEventListener("change", () => { state.knobs[knob] = choice.value; fill(); });
    return labelled(knob, choice);
  }

  function rangeFilter(key) {
    const ends = [element("input"), element("input")], pair = element("span");
    state.ranges[key] = [null, null];
    ends.forEach((end, at) => {
      end.type = "number";
      end.step = "any";
      end.placeholder = at ? "to" : "from";
      end.dataset.range = key;
      end.addEventListener("input", () => { state.ranges[key][at] = end.value === "" ? null : Number(end.value); fill(); });
    });
    pair.append(...ends);
    return labelled(heading[key] || key, pair);
  }

  function columnChoice({ key, heading: title }) {
    const box = element("input");
    box.type = "checkbox";
    box.checked = true;
    box.dataset.column = key;
    box.addEventListener("change", () => { state.hidden[box.checked ? "delete" : "add"](key); drawHeads(); fill(); });
    const made = element("label");
    made.append(box, " ", title);
    return made;
  }

  function asCsv() {
    const quoted = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    const plain = (value) => (value === null || value === undefined ? "" : quoted(String(value)));
    const columns = shownColumns().map(({ key }) => key);
    return [columns, ...visible().map((row) => columns.map((key) => row[index[key]]))].map((line) => line.map(plain).join(",")).join("\n") + "\n";
  }

  function download(name, content, type) {
    const link = element("a");
    link.href = URL.createObjectURL(new Blob([content], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  if (table) {
    drawHeads();
    for (const name of Object.keys(filters)) {
      const number = data.rows.filter(filters[name]).length;
      if (!number) continue;
      const button = element("button", `${name} ${number}`);
      button.type = "button";
      button.dataset.filter = name;
      button.addEventListener("click", () => { state.filter = name; fill(); });
      document.getElementById("filters").append(button);
    }
    document.getElementById("by-knob").append(...data.knobs.filter((knob) => knob in index).map(knobFilter));
    document.getElementById("by-range").append(...data.ranged.filter((key) => key in index).map(rangeFilter));
    document.getElementById("columns").append(...data.columns.filter(({ key }) => key !== "trial").map(columnChoice));
    document.getElementById("csv").addEventListener("click", () => download(`${data.study}.csv`, asCsv(), "text/csv"));
    document.getElementById("more").addEventListener("click", () => { state.limit = Infinity; fill(); });
    window.addEventListener("beforeprint", () => { state.limit = Infinity; fill(); });
    fill();
  }
