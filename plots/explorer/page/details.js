/* Details of one solution: what is pointed at, else what is pinned, else what preferences choose. */

let details;

function setUpDetails() {
  details = document.getElementById("details");
  onChange(inNextFrame(drawDetails));
}

function drawDetails() {
  const row = shownRow();
  const focused = document.activeElement?.dataset.step;
  details.replaceChildren();
  drawHeading(row);
  if (row < 0) {
    html(details, "p", { className: "run" }, nothingChosen());
    return;
  }
  const name = table.name[row];
  html(details, "p", { className: "solution" }, name || `Row ${row + 1}`);
  html(details, "p", { className: "run" }, table.run[row] + (table.dominated[row] ? ", dominated" : ""));
  if (Object.hasOwn(table.pictures, name)) drawPicture(name);
  drawValues("Objectives", table.objectives, row);
  drawValues("Variables", table.axes.slice(table.objectives.length), row);
  drawOrigin(row);
  if (row === view.chosen) drawNeighbours();
  if (focused) details.querySelector(`[data-step="${focused}"]`)?.focus();
}

function drawHeading(row) {
  const heading = html(details, "h2", {}, whyShown(row));
  const steps = html(heading, "span", { className: "steps" });
  for (const [sign, arrow, label] of [[-1, "\u2039", "Previous solution"], [1, "\u203a", "Next solution"]]) {
    const button = html(steps, "button", { type: "button", className: "small", ariaLabel: label, title: label }, arrow);
    button.dataset.step = label;
    button.disabled = !view.counts.selected;
    button.addEventListener("click", () => step(sign));
  }
}

function whyShown(row) {
  if (row < 0) return "Nothing chosen";
  if (row === view.hovered) return "Pointed at";
  return row === view.pinned ? "Pinned" : "Chosen by preferences";
}

/** Pin the next selected row. */
function step(sign) {
  const rows = rowsWhere(1);
  const here = rows.indexOf(shownRow());
  const next = here < 0 ? 0 : (here + sign + rows.length) % rows.length;
  change("pointed", () => ([view.pinned, view.hovered] = [rows[next], -1]));
}

function nothingChosen() {
  if (!view.counts.visible) return "No result is shown.";
  if (!view.counts.selected) return "No solution lies within the ranges that are brushed.";
  if (!preferenceShares()) return "Give at least one objective a preference above 0.";
  return "Only dominated solutions are selected.";
}

function drawPicture(name) {
  const bytes = new TextEncoder().encode(table.pictures[name]);
  const coded = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  html(details, "img", { src: `data:image/svg+xml;base64,${coded}`, alt: `Picture of ${name}` });
}

function drawValues(title, axes, row) {
  if (!axes.length) return;
  html(details, "h3", {}, title);
  const body = html(html(details, "table"), "tbody");
  for (const axis of axes) line(body, titleOf(axis), readable(axis, axis.values[row]), axis.kind !== "categorical");
}

function drawOrigin(row) {
  const used = table.used[row];
  const asked = table.preferences?.map((column) => column[row]).filter((share) => share !== null) ?? [];
  if (used === null && !asked.length) return;
  html(details, "h3", {}, "Origin");
  const body = html(html(details, "table"), "tbody");
  if (used !== null) line(body, "found after", String(used), true);
  if (asked.length) line(body, "preferences asked", asked.map((share) => shortNumber(share, 2)).join(", "));
}

function line(body, name, value, number = false) {
  const row = html(body, "tr");
  html(row, "th", { scope: "row" }, name);
  html(row, "td", { className: number ? "number" : "" }, value);
}

function drawNeighbours() {
  if (!view.neighbours.length) return;
  html(details, "h3", {}, "Neighbours");
  const list = html(details, "div", { className: "neighbours" });
  for (const row of view.neighbours) {
    const button = html(list, "button", { type: "button", className: "small" }, table.name[row] || `Row ${row + 1}`);
    button.title = button.textContent;
    button.addEventListener("click", () => pin(row));
  }
}
