/* Colours and marks, and the small tools that drawing needs. */

const FAINT = "#c9cfd4";
const INK = "#1c2126";

/** The outline of a mark of radius `r` around 0, as SVG and canvas take it. */
function outline(shape, r) {
  if (shape === "square") return `M${-r * 0.9},${-r * 0.9}h${r * 1.8}v${r * 1.8}h${-r * 1.8}z`;
  if (shape === "diamond") return `M0,${-r * 1.25}L${r * 1.25},0L0,${r * 1.25}L${-r * 1.25},0z`;
  if (shape === "cross") {
    const [a, b] = [r * 0.4, r * 1.15];
    const arm = [[a, -a], [b, -a], [b, a]]; // to the right; the others are turned by a quarter each
    const turns = [([x, y]) => [x, y], ([x, y]) => [-y, x], ([x, y]) => [-x, -y], ([x, y]) => [y, -x]];
    return `M${turns.flatMap((turn) => arm.map(turn)).join("L")}z`;
  }
  if (shape === "star") return star(r * 1.5);
  return `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0z`;
}

function star(r) {
  const corners = Array.from({ length: 10 }, (_, i) => {
    const [angle, length] = [(Math.PI * i) / 5 - Math.PI / 2, i % 2 ? r * 0.45 : r];
    return `${(length * Math.cos(angle)).toFixed(2)},${(length * Math.sin(angle)).toFixed(2)}`;
  });
  return `M${corners.join("L")}z`;
}

/** A mark drawn once, to be put in many places: that is many times as fast as drawing each. */
function stamp(shape, r, color, hollow) {
  const pixels = devicePixelRatio;
  const half = Math.ceil((r * 1.5 + 1.5) * pixels);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 2 * half;
  const pen = canvas.getContext("2d");
  pen.translate(half, half);
  pen.scale(pixels, pixels);
  const path = new Path2D(outline(shape, r));
  pen.fillStyle = pen.strokeStyle = color;
  if (hollow) pen.stroke(path);
  else pen.fill(path);
  return { canvas, half };
}

/** Give a canvas a size in pixels of the page, and its pen. */
function sized(canvas, width, height) {
  canvas.width = Math.round(width * devicePixelRatio);
  canvas.height = Math.round(height * devicePixelRatio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  return canvas.getContext("2d");
}

/** An element of SVG with attributes, put into a parent. */
function svg(parent, name, attributes = {}, text = null) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== null) element.textContent = text;
  parent.append(element);
  return element;
}

/** An element of HTML with properties, put into a parent. */
function html(parent, name, properties = {}, text = null) {
  const element = Object.assign(document.createElement(name), properties);
  if (text !== null) element.textContent = text;
  parent.append(element);
  return element;
}

/** Shorten a text of SVG until it is at most `room` pixels long; all of it shows when it is pointed at. */
function shorten(element, room) {
  const whole = element.textContent;
  if (element.getComputedTextLength() <= room) return;
  const share = room / element.getComputedTextLength();
  let letters = Math.max(1, Math.floor(whole.length * share));
  do {
    element.textContent = `${whole.slice(0, letters)}\u2026`;
    letters -= 1;
  } while (letters > 0 && element.getComputedTextLength() > room);
  svg(element, "title", {}, whole);
}

/** Call a function once in the next frame, however often it is asked for before. */
function inNextFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}

/** Draw in the next frame whenever an element has got another size; the first drawing is not its concern. */
function whenResized(element, draw) {
  let size = null;
  const again = inNextFrame(draw);
  new ResizeObserver(() => {
    const now = `${element.clientWidth} ${element.clientHeight}`;
    if (size && size !== now) again();
    size = now;
  }).observe(element);
}
