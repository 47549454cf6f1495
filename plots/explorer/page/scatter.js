/* The scatter of two objectives: points on a canvas, axes and marks above it as SVG. */

const scatter = { box: null, canvas: null, top: null, marks: null, scales: null };
const MARGIN = { left: 66, right: 26, top: 12, bottom: 46 };
const INSET = 12; // pixels between the frame and the outermost points
const REACH = 14; // pixels from a point within which it is pointed at

function setUpScatter() {
  scatter.box = document.getElementById("scatter");
  scatter.canvas = html(scatter.box, "canvas");
  scatter.top = svg(scatter.box, "svg", { role: "img" });
  whenResized(scatter.box, drawScatter);
  const again = { rows: drawScatter, ranges: drawScatter, axes: drawScatter, choice: drawMarks, pointed: drawMarks };
  onChange((what) => again[what]());
  listenToScatter();
}

function drawScatter() {
  const { clientWidth: width, clientHeight: height } = scatter.box;
  if (!width || !height) return; // hidden
  scatter.scales = {
    x: framedScale(view.x, MARGIN.left, width - MARGIN.right),
    y: framedScale(view.y, height - MARGIN.bottom, MARGIN.top),
  };
  drawPoints(sized(scatter.canvas, width, height), width, height);
  scatter.top.replaceChildren();
  scatter.top.setAttribute("width", width);
  scatter.top.setAttribute("height", height);
  scatter.top.setAttribute("aria-label", `${titleNow(view.y)} against ${titleNow(view.x)}`);
  drawFrame(width, height);
  scatter.marks = svg(scatter.top, "g");
  drawMarks();
}

/** The scale of an objective between the two sides of the frame, with room for the outermost points. */
function framedScale(number, from, to) {
  const [low, high] = extent(number, view.zoomed && view.counts.selected ? view.selected : view.visible);
  const inwards = Math.sign(to - from) * INSET;
  const log = view.logs.has(number);
  const inner = makeScale(low, high, from + inwards, to - inwards, log);
  return makeScale(inner.value(from), inner.value(to), from, to, log);
}

/** The least and the largest value of an axis among marked rows. */
function extent(number, marked) {
  const { values, low: least, high: most } = table.axes[number];
  let [low, high] = [Infinity, -Infinity];
  for (let row = 0; row < table.size; row++) {
    if (!marked[row]) continue;
    if (values[row] < low) low = values[row];
    if (values[row] > high) high = values[row];
  }
  return low > high ? [least, most] : [low, high];
}

function drawPoints(pen, width, height) {
  const [xs, ys] = [table.axes[view.x].values, table.axes[view.y].values];
  const { x, y } = scatter.scales;
  const radius = view.counts.visible <= 300 ? 4 : view.counts.visible <= 2000 ? 3.2 : 2.4;
  const looks = table.groups.map((group) => [0, 1].map((dominated) => [
    stamp(group.shape, dominated ? radius * 0.8 : radius, FAINT, dominated),
    stamp(group.shape, dominated ? radius * 0.8 : radius, group.color, dominated),
  ]));
  pen.beginPath();
  pen.rect(MARGIN.left * devicePixelRatio, MARGIN.top * devicePixelRatio,
    (width - MARGIN.left - MARGIN.right) * devicePixelRatio, (height - MARGIN.top - MARGIN.bottom) * devicePixelRatio);
  pen.clip();
  pen.globalAlpha = view.counts.visible > 1000 ? 0.65 : 0.85;
  for (const selected of [0, 1]) {
    for (const row of rowsWhere(selected)) {
      const { canvas, half } = looks[table.group[row]][table.dominated[row]][selected];
      pen.drawImage(canvas, x.place(xs[row]) * devicePixelRatio - half, y.place(ys[row]) * devicePixelRatio - half);
    }
  }
}

function drawFrame(width, height) {
  const [left, right, top, bottom] = [MARGIN.left, width - MARGIN.right, MARGIN.top, height - MARGIN.bottom];
  const { x, y } = scatter.scales;
  const behind = svg(scatter.top, "g");
  for (const tick of ticksOf(x, Math.max(2, (right - left) / 90))) {
    svg(behind, "line", { class: "grid", x1: x.place(tick), x2: x.place(tick), y1: bottom, y2: bottom + 5 });
    const where = { x: x.place(tick), y: bottom + 16, "text-anchor": "middle" };
    svg(behind, "text", { class: "tick", ...where }, shortNumber(tick));
  }
  for (const tick of ticksOf(y, Math.max(2, (bottom - top) / 60))) {
    svg(behind, "line", { class: "grid", x1: left - 5, x2: left, y1: y.place(tick), y2: y.place(tick) });
    const where = { x: left - 8, y: y.place(tick) + 4, "text-anchor": "end" };
    svg(behind, "text", { class: "tick", ...where }, shortNumber(tick));
  }
  svg(behind, "path", { class: "frame", fill: "none", d: `M${left},${top}V${bottom}H${right}` });
  const [nameX, nameY] = [view.x, view.y].map(titleNow);
  const below = { class: "title", x: (left + right) / 2, y: height - 9, "text-anchor": "middle" };
  shorten(svg(behind, "text", below, nameX), right - left);
  const middle = (top + bottom) / 2;
  const turned = { class: "title", transform: `translate(15,${middle})rotate(-90)`, "text-anchor": "middle" };
  shorten(svg(behind, "text", turned, nameY), bottom - top);
}

/** What stands above the points: what is brushed, chosen, near it, pinned and pointed at. */
function drawMarks() {
  if (!scatter.scales || view.z >= 0) return;
  scatter.marks.replaceChildren();
  drawBrush(rangeOf(view.x), rangeOf(view.y));
  for (const row of view.neighbours) ring(row, 7, INK, 1.4);
  if (view.pinned >= 0) ring(view.pinned, 9, INK, 1.6, "3,2");
  if (view.chosen >= 0) {
    const [x, y] = placeOf(view.chosen);
    const look = { d: outline("star", 6.5), fill: INK, stroke: "#fff", "stroke-width": 1.2 };
    svg(scatter.marks, "path", { class: "chosen", transform: `translate(${x},${y})`, ...look });
  }
  if (view.hovered >= 0) ring(view.hovered, 8, table.groups[table.group[view.hovered]].color, 3);
}

function rangeOf(number) {
  return view.ranges.get(number) ?? null;
}

function drawBrush(across, down) {
  if (!across && !down) return;
  const { x, y } = scatter.scales;
  const within = (scale, range, ends) => {
    const places = (range ?? scale.ends).map((value) => (scale.log && value <= 0 ? ends[0] : scale.place(value)));
    return places.map((place) => Math.min(Math.max(place, Math.min(...ends)), Math.max(...ends))).sort((a, b) => a - b);
  };
  const [x1, x2] = within(x, across, [x.place(x.ends[0]), x.place(x.ends[1])]);
  const [y1, y2] = within(y, down, [y.place(y.ends[0]), y.place(y.ends[1])]);
  svg(scatter.marks, "rect", { class: "brush", x: x1, y: y1, width: x2 - x1, height: y2 - y1 });
}

function placeOf(row) {
  const { x, y } = scatter.scales;
  return [x.place(table.axes[view.x].values[row]), y.place(table.axes[view.y].values[row])];
}

function ring(row, radius, stroke, width, dash = "none") {
  if (!view.visible[row]) return;
  const [cx, cy] = placeOf(row);
  const look = { fill: "none", stroke, "stroke-width": width, "stroke-dasharray": dash };
  svg(scatter.marks, "circle", { class: "ring", cx, cy, r: radius, ...look });
}

// ------------------------------------------------------------------------------------------ pointing and brushing
function listenToScatter() {
  const { top } = scatter;
  let start = null;
  let now = null;
  const brush = inNextFrame(() => start && now && brushBetween(start, now));
  const here = (event) => {
    const { left, top: above } = top.getBoundingClientRect();
    return [event.clientX - left, event.clientY - above];
  };
  top.addEventListener("pointerdown", (event) => {
    top.setPointerCapture(event.pointerId);
    [start, now] = [here(event), null];
  });
  top.addEventListener("pointermove", (event) => {
    const place = here(event);
    if (!start) return point(nearestTo(place));
    if (now || far(start, place)) now = place;
    brush();
  });
  top.addEventListener("pointerup", (event) => {
    if (start && now) brushBetween(start, here(event));
    else if (start) pin(nearestTo(here(event)));
    start = null;
  });
  top.addEventListener("pointerleave", () => point(-1));
  top.addEventListener("dblclick", () => change("ranges", () => {
    view.ranges.delete(view.x);
    view.ranges.delete(view.y);
  }));
}

function far([a, b], [c, d]) {
  return Math.hypot(a - c, b - d) > 4;
}

/** Brush a rectangle: a range of either objective, which the parallel axes show as well. */
function brushBetween([a, b], [c, d]) {
  const { x, y } = scatter.scales;
  change("ranges", () => {
    view.ranges.set(view.x, [x.value(a), x.value(c)].sort((p, q) => p - q));
    view.ranges.set(view.y, [y.value(b), y.value(d)].sort((p, q) => p - q));
  });
}

/** The visible row nearest to a place, or -1 where none is within reach. */
function nearestTo([a, b]) {
  const [xs, ys] = [table.axes[view.x].values, table.axes[view.y].values];
  const { x, y } = scatter.scales;
  let [best, found] = [REACH ** 2, -1];
  for (let row = 0; row < table.size; row++) {
    if (!view.visible[row]) continue;
    const apart = (x.place(xs[row]) - a) ** 2 + (y.place(ys[row]) - b) ** 2;
    if (apart < best) [best, found] = [apart, row];
  }
  return found;
}

/** Show details of a row while it is pointed at; -1: of none. */
function point(row) {
  if (row !== view.hovered) change("pointed", () => (view.hovered = row));
}

/** Keep showing a row's details; the same row again, or none, lets go of it. */
function pin(row) {
  change("pointed", () => (view.pinned = row === view.pinned ? -1 : row));
}
