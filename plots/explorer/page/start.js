/* The start: read, set up, draw, and say that the page is ready. */

async function start() {
  table = readTable(await inflated("data"));
  view.visible = new Uint8Array(table.size);
  view.selected = new Uint8Array(table.size);
  view.weights = table.objectives.map(() => 50);
  for (const setUp of [setUpScatter, setUpSpace, setUpParallel, setUpDetails, setUpControls]) setUp();
  change("rows", () => {});
  requestAnimationFrame(() => setTimeout(() => {
    document.documentElement.dataset.ready = Math.round(performance.now()); // milliseconds since the navigation began
  }));
}

start().catch((error) => {
  document.getElementById("summary").textContent = `This page could not be drawn: ${error.message}`;
  throw error;
});
