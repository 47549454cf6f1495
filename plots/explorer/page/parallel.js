/* Parallel coordinates: an axis per objective and variable, a line per row; a range on each axis can be brushed. */

const parallel = { view: null, box: null, behind: null, front: null, top: null, marks: null, columns: [], size: null };
const NARROW = 40; // pixels between two axes at least
const LONGEST = 112; // pixels of a slanted name
const SLANT = Math.PI / 6;
const HALF = 13; // pixels beside an axis within which it is brushed
const STEP = 0.02; // of an axis, by which a key moves the end of a range

function setUpParallel() {
  parallel.view = document.getElementById("parallel-view");
  parallel.box = document.getElementById("parallel");
  parallel.behind = html(parallel.box, "canvas");
  parallel.front = html(parallel.box, "canvas");
  parallel.top = svg(parallel.box, "svg");
  whenResized(parallel.view, drawParallel);
  const ranged = () => (drawLines(), drawRanges(), drawPaths());
  const again = { rows: drawParallel, axes: drawParallel, ranges: ranged, choice: drawPaths, pointed: drawPaths };
  onChange((what) => again[what]());
  listenToLines();
}

function drawParallel() {
  const count = table.axes.length;
  const room = (parallel.view.clientWidth - 50) / count;
  parallel.top.replaceChildren();
  const lengths = titleLengths();
  const longest = Math.max(...lengths);
  const slanted = longest > room - 10 && room < LONGEST; // where there is much room, a few letters more are no gain
  const above = slanted ? 34 + Math.sin(SLANT) * Math.min(longest, LONGEST) : 46;
  const right = slanted ? Math.max(20, Math.cos(SLANT) * Math.min(lengths.at(-1), LONGEST) - room / 2) : 20;
  const spacing = Math.max(NARROW, (parallel.view.clientWidth - 20 - right) / count);
  const [width, height] = [Math.floor(20 + count * spacing + right), parallel.view.clientHeight - 1];
  parallel.box.style.width = `${width}px`;
  parallel.top.setAttribute("width", width);
  parallel.top.setAttribute("height", height);
  parallel.size = [width, height];
  parallel.columns = table.axes.map((axis, number) => column(axis, number, 20 + (number + 0.5) * spacing, {
    top: above, bottom: height - 24, slanted, spacing,
  }));
  drawLines();
  drawRanges();
  parallel.marks = svg(parallel.top, "g", { "pointer-events": "none" });
  parallel.top.prepend(parallel.marks);
  drawPaths();
}

function titleLengths() {
  const measured = table.axes.map((_, i) => svg(parallel.top, "text", {}, titleNow(i)).getComputedTextLength());
  parallel.top.replaceChildren();
  return measured;
}

/** One axis: where its values stand, and what is drawn of it. Better is up, and what is larger of a variable. */
function column(axis, number, x, { top, bottom, slanted, spacing }) {
  const [low, high] = axis.direction ? extent(number, view.visible) : [axis.low, axis.high];
  const [from, to] = axis.direction === "min" ? [top, bottom] : [bottom, top];
  const scale = makeScale(low, high, from, to, view.logs.has(number));
  const group = svg(parallel.top, "g", {
    class: "column", tabindex: 0, role: "slider", "aria-orientation": "vertical", "data-axis": number,
  });
  svg(group, "line", { class: "axis", x1: x, x2: x, y1: top, y2: bottom });
  drawTitle(group, number, x, top, slanted, spacing);
  for (const [value, place] of endsOf(axis, [low, high], scale, top, bottom)) {
    const y = place === top ? top - 7 : place === bottom ? bottom + 15 : place + 4;
    const beside = place !== top && place !== bottom;
    const where = beside ? { x: x + 5, y } : { x, y, "text-anchor": "middle" };
    const text = endText(axis, value, scale.log ? 0 : high - low);
    shorten(svg(group, "text", { class: "tick halo", ...where }, text), spacing - 4);
  }
  const range = svg(group, "rect", { class: "range", x: x - 5, width: 10, y: top, height: 0, visibility: "hidden" });
  const along = { x: x - HALF, width: 2 * HALF, y: top - 6, height: bottom - top + 12 };
  const handle = svg(group, "rect", { class: "handle", ...along });
  const made = { axis, number, x, top, bottom, scale, group, range, places: placesOf(axis, scale) };
  listenToColumn(made, handle);
  return made;
}

function drawTitle(group, number, x, top, slanted, spacing) {
  const turned = `translate(${x - 2},${top - 22})rotate(${(-SLANT * 180) / Math.PI})`;
  const where = slanted ? { transform: turned } : { x, y: top - 24, "text-anchor": "middle" };
  shorten(svg(group, "text", { class: "name", ...where }, titleNow(number)), slanted ? LONGEST : spacing - 8);
}

/** The values whose numbers stand at an axis: its ends, or every choice where these are few. */
function endsOf(axis, [low, high], scale, top, bottom) {
  const values = axis.kind === "categorical" && axis.choices.length <= 8 ? axis.choices.map((_, i) => i) : null;
  if (values && values.length > 1) return values.map((value) => [value, scale.place(value)]);
  if (low === high) return [[low, bottom]]; // all values are equal
  return [[scale.value(top), top], [scale.value(bottom), bottom]];
}

/** The number at an end of an axis, in three digits of the gap to the other (0: its own), or the name of a choice. */
function endText(axis, value, gap) {
  return axis.kind === "real" ? endNumber(value, gap) : readable(axis, Math.round(value));
}

function placesOf(axis, scale) {
  return Float32Array.from(axis.values, (value) => scale.place(value));
}

// ------------------------------------------------------------------------------------------ lines
/** Selected rows in colour, the others faint behind them. */
function drawLines() {
  const [width, height] = parallel.size;
  const [behind, front] = [parallel.behind, parallel.front].map((canvas) => sized(canvas, width, height));
  for (const pen of [behind, front]) {
    pen.scale(devicePixelRatio, devicePixelRatio);
    pen.lineWidth = 1;
  }
  behind.strokeStyle = FAINT;
  behind.globalAlpha = opacity(view.counts.visible - view.counts.selected);
  for (const row of rowsWhere(0)) drawLine(behind, row);
  front.globalAlpha = opacity(view.counts.selected);
  for (const row of rowsWhere(1)) {
    front.strokeStyle = table.groups[table.group[row]].color;
    drawLine(front, row);
  }
}

function opacity(count) {
  return count <= 150 ? 0.75 : Math.max(0.035, (0.75 * 150) / count);
}

function drawLine(pen, row) {
  pen.beginPath();
  for (const { x, places } of parallel.columns) pen.lineTo(x, places[row]); // a place that is NaN is passed over
  pen.stroke();
}

/** The lines of what is chosen, near it, pinned and pointed at. */
function drawPaths() {
  parallel.marks.replaceChildren();
  for (const row of view.neighbours) path(row, INK, 1, 0.55);
  if (view.chosen >= 0) path(view.chosen, INK, 2.4, 1);
  if (view.pinned >= 0) path(view.pinned, INK, 1.8, 1, "5,3");
  if (view.hovered >= 0) path(view.hovered, table.groups[table.group[view.hovered]].color, 3, 1);
}

function path(row, stroke, width, alpha, dash = "none") {
  if (!view.visible[row]) return;
  const corners = parallel.columns.filter(({ places }) => !Number.isNaN(places[row]));
  const d = `M${corners.map(({ x, places }) => `${x.toFixed(1)},${places[row].toFixed(1)}`).join("L")}`;
  const look = { fill: "none", stroke, "stroke-width": width, "stroke-opacity": alpha, "stroke-dasharray": dash };
  svg(parallel.marks, "path", { d, ...look });
}

function listenToLines() {
  const here = (event) => {
    const { left, top } = parallel.top.getBoundingClientRect();
    return lineAt(event.clientX - left, event.clientY - top);
  };
  parallel.top.addEventListener("pointermove", (event) => {
    if (!event.buttons) point(event.target.classList.contains("handle") ? -1 : here(event));
  });
  parallel.top.addEventListener("pointerleave", () => point(-1));
  parallel.top.addEventListener("click", (event) => {
    if (!event.target.classList.contains("handle")) pin(here(event));
  });
}

/** The selected row whose line is nearest to a place between two axes, or -1. */
function lineAt(x, y) {
  const next = parallel.columns.findIndex((other) => other.x >= x);
  if (next < 1) return -1;
  const [before, after] = [parallel.columns[next - 1], parallel.columns[next]];
  const share = (x - before.x) / (after.x - before.x);
  let [best, found] = [6, -1];
  for (let row = 0; row < table.size; row++) {
    if (!view.selected[row]) continue;
    const apart = Math.abs(before.places[row] * (1 - share) + after.places[row] * share - y);
    if (apart < best) [best, found] = [apart, row];
  }
  return found;
}

// ------------------------------------------------------------------------------------------ ranges
function drawRanges() {
  for (const one of parallel.columns) {
    const places = brushed(one);
    const lower = places ? places[1] : one.bottom;
    one.range.setAttribute("visibility", places ? "visible" : "hidden");
    if (places) {
      one.range.setAttribute("y", places[0]);
      one.range.setAttribute("height", Math.max(1, places[1] - places[0]));
    }
    const [low, high] = (rangeOf(one.number) ?? one.scale.ends).map((value) => shortNumber(value));
    one.group.setAttribute("aria-label", `${titleNow(one.number)}, range`);
    one.group.setAttribute("aria-valuenow", Math.round((100 * (one.bottom - lower)) / (one.bottom - one.top)));
    one.group.setAttribute("aria-valuetext", `${rangeOf(one.number) ? "" : "all, "}from ${low} to ${high}`);
  }
}

/** The upper and the lower end of a column's range, in pixels; null where it has none. */
function brushed({ number, scale, top, bottom }) {
  const range = rangeOf(number);
  if (!range) return null;
  const places = range.map((value) => (scale.log && value <= 0 ? scale.place(scale.ends[0]) : scale.place(value)));
  return places.map((place) => Math.min(Math.max(place, top), bottom)).sort((a, b) => a - b);
}

/** Brush a column between two places; its ends reach all that lies beyond them. */
function setRange({ number, scale, top, bottom }, ends) {
  const [upper, lower] = ends.map((place) => Math.min(Math.max(place, top), bottom)).sort((a, b) => a - b);
  const reach = 1e-9 * Math.abs(scale.ends[1] - scale.ends[0]); // so that rounding does not lose the outermost rows
  const values = [scale.value(upper), scale.value(lower)].sort((a, b) => a - b);
  change("ranges", () => view.ranges.set(number, [values[0] - reach, values[1] + reach]));
}

function listenToColumn(one, handle) {
  let start = null; // where the drag began, and the range that it moves
  let now = null;
  const place = (event) => event.clientY - parallel.top.getBoundingClientRect().top;
  const move = inNextFrame(() => start && now !== null && dragged(one, start, now));
  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    const [at, ends] = [place(event), brushed(one)];
    start = { at, ends: ends && at >= ends[0] && at <= ends[1] ? ends : null };
    now = null;
  });
  handle.addEventListener("pointermove", (event) => {
    if (!start) return;
    if (now !== null || Math.abs(place(event) - start.at) > 3) now = place(event);
    move();
  });
  handle.addEventListener("pointerup", () => {
    if (start && now !== null) dragged(one, start, now);
    else if (start) change("ranges", () => view.ranges.delete(one.number));
    start = null;
  });
  one.group.addEventListener("keydown", (event) => moveByKey(one, event));
}

function dragged(one, { at, ends }, now) {
  if (!ends) return setRange(one, [at, now]);
  const by = Math.min(Math.max(now - at, one.top - ends[0]), one.bottom - ends[1]);
  return setRange(one, ends.map((end) => end + by));
}

/** Up and down move the lower end of a range, with the shift key the upper one; Escape and Delete clear it. */
function moveByKey(one, event) {
  const sign = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (event.key === "Escape" || event.key === "Delete") change("ranges", () => view.ranges.delete(one.number));
  if (!sign) return;
  event.preventDefault();
  const [upper, lower] = brushed(one) ?? [one.top, one.bottom];
  const by = sign * STEP * (one.bottom - one.top);
  setRange(one, event.shiftKey ? [Math.min(upper + by, lower), lower] : [upper, Math.max(lower + by, upper)]);
}
