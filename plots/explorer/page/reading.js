/* Reading what the page carries: compressed text, and the table in it. */

/** The text of an element whose content is base64 of gzip; empty where it has none. */
async function inflated(id) {
  const coded = atob(document.getElementById(id).textContent);
  if (!coded) return "";
  const bytes = new Uint8Array(coded.length);
  for (let i = 0; i < coded.length; i++) bytes[i] = coded.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

/** The table as the views take it: `axes` are objectives, then variables; a value that is not known is NaN. */
function readTable(text) {
  const read = JSON.parse(text);
  const objectives = read.objectives.map((o) => makeAxis({ ...o, kind: "real", low: null, high: null, choices: [] }));
  const variables = read.variables.map((v) => makeAxis({ ...v, direction: "" }));
  const rows = read.rows;
  return {
    title: read.title,
    objectives,
    axes: [...objectives, ...variables],
    groups: read.groups,
    pictures: read.pictures,
    notes: read.notes,
    preferences: read.preferences,
    size: rows.group.length,
    name: rows.name,
    group: rows.group,
    run: rows.run,
    used: rows.used,
    dominated: rows.dominated,
  };
}

/** A column with its range: what occurs, or all that a variable can be where its bounds are known. */
function makeAxis(column) {
  const values = Float64Array.from(column.values, (value) => (value === null ? NaN : value));
  let [low, high] = [column.low ?? Infinity, column.high ?? -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) [low, high] = [0, 1]; // nothing is known
  let least = Infinity;
  for (const value of values) if (value < least) least = value;
  return { ...column, values, low, high, positive: least > 0 };
}

/** The title of an axis: an objective's says in which direction it is better. */
function titleOf(axis) {
  return axis.direction ? `${axis.name} (${axis.direction})` : axis.name;
}

/** A value of an axis as a person reads it: the name of a choice, a whole number, or some digits. */
function readable(axis, value, digits = 6) {
  if (Number.isNaN(value)) return "\u2013";
  if (axis.kind === "categorical") return axis.choices[value] ?? String(value);
  return axis.kind === "integer" ? String(value).replace("-", "\u2212") : shortNumber(value, digits);
}

/** A number in three digits of the gap between the ends of its axis. */
function endNumber(value, gap) {
  if (!(gap > 0)) return shortNumber(value, 3);
  const step = 10 ** (Math.floor(Math.log10(gap)) - 2);
  return shortNumber(Number((Math.round(value / step) * step).toPrecision(12)), 6);
}

/** A number in so many digits, without trailing zeros. */
function shortNumber(value, digits = 4) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-4) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    return `${Number(mantissa)}e${Number(exponent)}`.replaceAll("-", "\u2212");
  }
  return String(Number(value.toPrecision(digits))).replace("-", "\u2212");
}
