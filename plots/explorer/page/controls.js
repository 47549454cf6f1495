/* What stands beside the views: results, axes, preferences, and what is done with the selection. */

function setUpControls() {
  document.getElementById("title").textContent = document.getElementById("title").title = table.title;
  setUpGroups();
  setUpAxes();
  setUpPreferences();
  setUpActions();
  setUpNotes();
  onChange(sayCounts);
}

function setUpGroups() {
  const list = document.getElementById("groups");
  table.groups.forEach((group, number) => {
    const label = html(list, "label", { className: "check" });
    const box = html(label, "input", { type: "checkbox", checked: true });
    const mark = svg(label, "svg", { width: 14, height: 14, viewBox: "-7 -7 14 14", "aria-hidden": "true" });
    svg(mark, "path", { d: outline(group.shape, 4.6), fill: group.color });
    html(label, "span", { className: "name" }, group.name);
    html(label, "span", { className: "number" }, countRows(number).toLocaleString("en"));
    box.addEventListener("change", () => change("rows", () => view.hidden[box.checked ? "delete" : "add"](number)));
  });
  const beaten = table.dominated.reduce((sum, one) => sum + one, 0);
  document.getElementById("dominated-row").hidden = !beaten;
  document.getElementById("dominated-label").textContent = `Dominated points too (${beaten.toLocaleString("en")})`;
  const box = document.getElementById("dominated");
  box.addEventListener("change", () => change("rows", () => (view.withDominated = box.checked)));
}

function countRows(group) {
  return table.group.reduce((sum, one, row) => sum + (one === group && !table.dominated[row] ? 1 : 0), 0);
}

// ------------------------------------------------------------------------------------------ axes
function setUpAxes() {
  const list = document.getElementById("axes");
  const wanted = table.objectives.length > 2 ? ["x", "y", "z"] : ["x", "y"];
  const controls = wanted.map((which) => {
    const select = html(list, "select", { id: `axis-${which}` });
    const label = html(list, "label", { htmlFor: select.id }, which);
    list.insertBefore(label, select);
    if (which === "z") html(select, "option", { value: -1 }, "none");
    table.objectives.forEach((axis, number) => html(select, "option", { value: number }, titleOf(axis)));
    const beside = html(list, "label", { className: "check" });
    const log = html(beside, "input", { type: "checkbox", ariaLabel: `${which} on a logarithmic axis` });
    beside.append("log");
    select.addEventListener("change", () => change("axes", () => setAxis(which, Number(select.value))));
    log.addEventListener("change", () => change("axes", () => view.logs[log.checked ? "add" : "delete"](view[which])));
    return { which, select, log };
  });
  const show = () => controls.forEach(showAxis);
  onChange(show);
  show();
}

function showAxis({ which, select, log }) {
  const number = view[which];
  select.value = number;
  log.checked = view.logs.has(number);
  log.disabled = number < 0 || !table.axes[number].positive;
  log.parentElement.title = number >= 0 && log.disabled ? "A logarithmic axis needs values above 0." : "";
}

/** Put an objective on an axis; the axis that had it gets what this one had, or else one that is free. */
function setAxis(which, number) {
  const before = view[which];
  view[which] = number;
  for (const other of ["x", "y", "z"]) {
    if (other === which || number < 0 || view[other] !== number) continue;
    const free = table.objectives.findIndex((_, i) => ![view.x, view.y, view.z].includes(i));
    view[other] = before >= 0 ? before : free;
  }
}

// ------------------------------------------------------------------------------------------ preferences
function setUpPreferences() {
  const list = document.getElementById("preferences");
  const sliders = table.objectives.map((axis, number) => {
    const label = html(list, "label", { className: "preference", title: titleOf(axis) });
    html(label, "span", {}, axis.name);
    const slider = html(label, "input", { type: "range", min: 0, max: 100, value: 50 });
    const share = html(label, "output");
    slider.addEventListener("input", () => change("choice", () => (view.weights[number] = Number(slider.value))));
    return { slider, share };
  });
  const show = () => sliders.forEach(({ slider, share }, number) => {
    slider.value = view.weights[number];
    const shares = preferenceShares();
    share.textContent = shares ? `${(100 * shares[number]).toFixed(1)} %` : "0 %";
  });
  onChange((what) => what === "choice" && show());
  show();
  document.getElementById("equal").addEventListener("click", () => change("choice", () => view.weights.fill(50)));
}

// ------------------------------------------------------------------------------------------ selection
function setUpActions() {
  const [zoom, clear] = ["zoom", "clear"].map((id) => document.getElementById(id));
  zoom.addEventListener("click", () => change("axes", () => (view.zoomed = !view.zoomed)));
  clear.addEventListener("click", () => change("ranges", () => view.ranges.clear()));
  document.getElementById("export").addEventListener("click", exportSelection);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && view.pinned >= 0) pin(-1);
  });
}

function sayCounts() {
  const { visible, selected } = view.counts;
  const [some, all] = [selected, visible].map((count) => count.toLocaleString("en"));
  document.getElementById("count").textContent = view.ranges.size ? `${some} of ${all} selected` : `${all} shown`;
  document.getElementById("clear").disabled = !view.ranges.size;
  document.getElementById("export").disabled = !selected;
  const zoom = document.getElementById("zoom");
  zoom.disabled = view.z >= 0 || (!view.ranges.size && !view.zoomed);
  zoom.ariaPressed = String(view.zoomed);
}

function setUpNotes() {
  const variables = table.axes.length - table.objectives.length;
  const plural = variables === 1 ? "" : "s";
  const parts = [`${table.objectives.length} objectives`, variables ? `${variables} variable${plural}` : ""];
  document.getElementById("summary").textContent = parts.filter(Boolean).join(", ");
  document.getElementById("notes-section").hidden = !table.notes.length;
  for (const note of table.notes) html(document.getElementById("notes"), "li", {}, note);
}
