/* The scatter of three objectives in space, by plotly, which is unpacked when it is first asked for. */

const space = { box: null, note: null, loading: null, rows: [], busy: false, again: false };
const TOOLS = [["toImage", "pan3d", "orbitRotation", "tableRotation", "resetCameraDefault3d"]];
const CAMERA = { eye: { x: 1.5, y: 1.5, z: 1.1 }, center: { x: 0, y: 0, z: -0.12 } };
const SIZES = [[300, 5], [2000, 4], [Infinity, 3]]; // up to so many points: diameter in pixels

function setUpSpace() {
  space.box = document.getElementById("space");
  space.note = document.getElementById("space-note");
  onChange((what) => {
    if (what === "axes") showRightView();
    if (view.z >= 0 && (what !== "pointed" || view.hovered < 0)) drawSpace();
  });
  whenResized(space.box, () => space.box.layout && space.box.layout.width !== space.box.clientWidth && drawSpace());
}

function showRightView() {
  const inSpace = view.z >= 0;
  scatter.box.hidden = inSpace;
  space.box.hidden = !inSpace;
  if (!inSpace) space.note.hidden = true;
}

/** Draw, or draw again after the drawing that is going on. */
async function drawSpace() {
  space.again = true;
  if (space.busy) return;
  space.busy = true;
  try {
    say("Unpacking the view in space\u2026", !window.Plotly);
    await (space.loading ??= loadPlotly());
    while (space.again && view.z >= 0) {
      space.again = false;
      await Plotly.react(space.box, spaceTraces(), spaceLayout(), { displaylogo: false, modeBarButtons: TOOLS });
      listenToSpace();
    }
    say("", false);
  } catch (error) {
    say(error.message, true);
  } finally {
    space.busy = false;
  }
}

function say(text, shown) {
  space.note.textContent = text;
  space.note.hidden = !shown || view.z < 0;
  space.note.classList.toggle("over", shown);
}

async function loadPlotly() {
  if (!document.createElement("canvas").getContext("webgl")) {
    throw new Error("This browser has no WebGL, which three objectives in space need. Choose two objectives.");
  }
  const script = document.createElement("script");
  script.textContent = await inflated("plotly");
  document.head.append(script);
  if (!window.Plotly) throw new Error("Plotly could not be started. Choose two objectives.");
}

/** Rows in the order of their look: not selected, then each group, then what preferences choose. */
function spaceTraces() {
  const selected = rowsWhere(1);
  const marked = { size: SIZES.find(([most]) => view.counts.visible <= most)[1] };
  const sets = [{ rows: rowsWhere(0), marker: { ...marked, color: FAINT, opacity: 0.5 } }];
  table.groups.forEach(({ color, shape: symbol }, i) => {
    const mine = selected.filter((row) => table.group[row] === i);
    const [front, beaten] = [0, 1].map((dominated) => mine.filter((row) => table.dominated[row] === dominated));
    sets.push({ rows: front, marker: { ...marked, color, symbol, opacity: 0.85 } });
    sets.push({ rows: beaten, marker: { ...marked, size: 2, color, symbol, opacity: 0.5 } });
  });
  const near = view.neighbours.filter((row) => view.visible[row]);
  const ring = { symbol: "circle-open", color: INK, size: 8 };
  sets.push({ rows: near, marker: ring });
  const picked = [...new Set([view.chosen, view.pinned])].filter((row) => row >= 0 && view.visible[row]);
  sets.push({ rows: picked, marker: { symbol: "diamond", color: INK, size: 7 } });
  space.rows = sets.map(({ rows }) => rows);
  const [x, y, z] = [view.x, view.y, view.z].map((number) => table.axes[number].values);
  return sets.map(({ rows, marker }) => ({
    type: "scatter3d",
    mode: "markers",
    x: rows.map((row) => x[row]),
    y: rows.map((row) => y[row]),
    z: rows.map((row) => z[row]),
    marker: { ...marker, line: { width: 0 } },
    hoverinfo: "none",
    showlegend: false,
  }));
}

function spaceLayout() {
  const axis = (number) => ({
    title: { text: asIs(titleNow(number)), font: { size: 12 } },
    type: view.logs.has(number) ? "log" : "linear",
    gridcolor: "#e3e7ea",
    zeroline: false,
    showspikes: false,
    tickfont: { size: 10, color: "#5b6670" },
    backgroundcolor: "#fff",
  });
  return {
    margin: { l: 0, r: 0, t: 0, b: 0 },
    width: space.box.clientWidth,
    height: space.box.clientHeight,
    uirevision: "same", // the camera stays where the reader has put it
    font: { family: "system-ui, sans-serif" },
    scene: { camera: CAMERA, xaxis: axis(view.x), yaxis: axis(view.y), zaxis: axis(view.z), aspectmode: "cube" },
  };
}

/** Text that plotly shows letter by letter: it would read some of HTML. */
function asIs(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function listenToSpace() {
  if (space.box.dataset.listening) return;
  space.box.dataset.listening = "yes";
  const rowOf = (event) => space.rows[event.points[0].curveNumber][event.points[0].pointNumber];
  space.box.on("plotly_hover", (event) => point(rowOf(event)));
  space.box.on("plotly_unhover", () => point(-1));
  space.box.on("plotly_click", (event) => pin(rowOf(event)));
}
