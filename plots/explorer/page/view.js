/* What is shown and chosen: one state, which the views draw and the controls change. */

let table; // set once, when the page has been read
const view = {
  x: 0, // the objectives of the scatter, by number; z: -1 where there is none
  y: 1,
  z: -1,
  logs: new Set(), // numbers of axes
  hidden: new Set(), // numbers of groups
  withDominated: false,
  zoomed: false,
  ranges: new Map(), // what is brushed: from an axis' number to [low, high]
  weights: [], // the sliders, from 0 to 100
  visible: null, // 0 or 1 for each row
  selected: null, // the same: visible and within every range
  counts: { visible: 0, selected: 0 },
  chosen: -1,
  neighbours: [],
  pinned: -1,
  hovered: -1,
};
const listeners = [];

/** Have `listener(what)` called after every change; `what` is "rows", "ranges", "axes", "choice" or "pointed". */
function onChange(listener) {
  listeners.push(listener);
}

/** Apply a change of the state, work out what follows from it, and tell the views. */
function change(what, apply) {
  apply();
  if (what === "rows") findVisible();
  if (what === "rows" || what === "ranges") findSelected();
  if (what !== "axes" && what !== "pointed") choose();
  for (const listener of listeners) listener(what);
}

function findVisible() {
  view.counts.visible = 0;
  for (let row = 0; row < table.size; row++) {
    const shown = !view.hidden.has(table.group[row]) && (view.withDominated || !table.dominated[row]);
    view.visible[row] = shown ? 1 : 0;
    view.counts.visible += view.visible[row];
  }
}

function findSelected() {
  view.selected.set(view.visible);
  for (const [number, [low, high]] of view.ranges) {
    const { values } = table.axes[number];
    for (let row = 0; row < table.size; row++) if (!(values[row] >= low && values[row] <= high)) view.selected[row] = 0;
  }
  view.counts.selected = view.selected.reduce((sum, one) => sum + one, 0);
}

/** The title of an axis as it is drawn now. */
function titleNow(number) {
  return titleOf(table.axes[number]) + (view.logs.has(number) ? ", log" : "");
}

/** The row whose details are shown: what is pointed at, else what is pinned, else what preferences choose. */
function shownRow() {
  return [view.hovered, view.pinned].find((row) => row >= 0 && view.visible[row]) ?? view.chosen;
}

/** Rows of one of two kinds, visible ones only: those that are selected, or those that are not. */
function rowsWhere(selected) {
  const rows = [];
  for (let row = 0; row < table.size; row++) if (view.visible[row] && view.selected[row] === selected) rows.push(row);
  return rows;
}
