  // Side by side: two to four trials, the first is what the others are compared with

  const mostCompared = 4;
  const compared = [];
  const sideBySide = document.getElementById("side-by-side");

  function compare(trial, isWanted) {
    const at = compared.indexOf(trial);
    if (at >= 0 && !isWanted) compared.splice(at, 1);
    if (at < 0 && isWanted && byTrial.has(trial)) {
      if (compared.length === mostCompared) compared.shift();
      compared.push(trial);
    }
    document.querySelectorAll("input[data-compare]").forEach((box) => { box.checked = compared.includes(Number(box.dataset.compare)); });
    drawComparison();
  }

  function compareButton(trial) {
    const isIn = compared.includes(trial), button = element("button", isIn ? "Take out of the comparison" : "Compare");
    button.type = "button";
    button.addEventListener("click", () => { compare(trial, !isIn); show(trial, true); });
    return button;
  }

  function drawComparison() {
    if (!sideBySide) return;
    const rows = compared.map((trial) => byTrial.get(trial));
    sideBySide.hidden = rows.length < 2;
    if (rows.length < 2) return;
    const body = element("tbody");
    const line = (title, cells) => {
      const made = element("tr"), head = element("th", title);
      head.scope = "row";
      made.append(head, ...cells);
      body.append(made);
    };
    if (compared.some((trial) => data.samples[trial])) line("samples, same prompts and noise", compared.map(sampleCell));
    const known = data.numbers.filter((key) => rows.some((row) => get(row, key) !== null));
    for (const key of known) line(heading[key] || key, rows.map((row) => numberCell(row, key, rows[0])));
    for (const key of data.knobs.filter((knob) => new Set(rows.map((row) => text(get(row, knob)))).size > 1)) {
      line(key, rows.map((row) => element("td", text(get(row, key)), text(get(row, key)) === text(get(rows[0], key)) ? "" : "changed")));
    }
    line("over the baseline", compared.map(drawingCell));
    const head = element("tr");
    head.append(element("th"), ...compared.map((trial) => element("th", `trial ${trial} ${data.picks[trial] || ""}`)));
    const table = element("table"), heads = element("thead");
    heads.append(head);
    table.append(heads, body);
    document.getElementById("comparison").replaceChildren(table);
  }

  function sampleCell(trial) {
    const cell = element("td");
    if (data.samples[trial]) cell.append(picture(trial));
    return cell;
  }

  function drawingCell(trial) {
    const cell = element("td");
    cell.append(drawingOf(trial));
    return cell;
  }

  // The architecture over the baseline's: its drawing, small, which opens large; else the command that draws it

  function drawingOf(trial) {
    const parts = data.drawings.trials[trial];
    if (!parts) return command(`archlab diff ${data.study}:${trial} ${data.study}:baseline`);
    const button = element("button", undefined, "thumbnail");
    button.type = "button";
    button.title = "Click to enlarge";
    button.setAttribute("aria-label", `drawing of trial ${trial}`);
    button.innerHTML = parts.map((part) => data.drawings.parts[part]).join("");
    button.addEventListener("click", () => enlarge((box) => { box.innerHTML = button.innerHTML; }, "drawing"));
    return button;
  }

  function numberCell(row, key, first) {
    const cell = element("td", cellText(row, key) || "–", "number"), own = get(row, key), base = get(first, key);
    if (row === first || typeof own !== "number" || typeof base !== "number" || own === base) return cell;
    const change = own - base, sign = change > 0 ? "+" : "−";
    const share = isCost[key] && base ? ` (${sign}${Math.abs((100 * change) / base).toFixed(0)} %)` : "";
    cell.append(" ", element("small", `${sign}${text(Math.abs(change))}${share}`));
    return cell;
  }

  // Pictures and drawings, large

  function picture(trial) {
    const image = element("img");
    image.src = data.samples[trial];
    image.alt = `samples of trial ${trial}`;
    image.title = "Click to enlarge";
    image.addEventListener("click", () => enlarge((box) => box.append(image.cloneNode()), "picture"));
    return image;
  }

  function enlarge(fill, className) {
    const dialog = element("dialog", undefined, className), box = element("div", undefined, className);
    fill(box);
    dialog.append(box);
    dialog.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }
