/* The selection as CSV: numbers exactly, text so that no spreadsheet runs it. */

function exportSelection() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([selectionAsCsv()], { type: "text/csv" }));
  link.download = "selection.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** A header, then a line for each selected row. */
function selectionAsCsv() {
  const columns = csvColumns();
  const lines = [columns.map(([name]) => textCell(name))];
  for (const row of rowsWhere(1)) lines.push(columns.map(([, cell]) => cell(row)));
  return lines.map((cells) => cells.join(",")).join("\n") + "\n";
}

function csvColumns() {
  const columns = [["row", (row) => String(row + 1)], ["run", (row) => textCell(table.run[row])]];
  if (table.name.some(Boolean)) columns.push(["solution", (row) => textCell(table.name[row])]);
  for (const axis of table.axes.slice(table.objectives.length)) columns.push([axis.name, (row) => cellOf(axis, row)]);
  for (const axis of table.objectives) columns.push([axis.name, (row) => cellOf(axis, row)]);
  table.preferences?.forEach((values, i) => {
    columns.push([`preference.${table.objectives[i].name}`, (row) => String(values[row] ?? "")]);
  });
  if (table.used.some((used) => used !== null)) columns.push(["used", (row) => String(table.used[row] ?? "")]);
  columns.push(["dominated", (row) => String(table.dominated[row])]);
  return columns;
}

function cellOf(axis, row) {
  const value = axis.values[row];
  if (Number.isNaN(value)) return "";
  return axis.kind === "categorical" ? textCell(axis.choices[value] ?? String(value)) : String(value);
}

/** Text in quotes; what a spreadsheet would take for a formula starts with an apostrophe. */
function textCell(text) {
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
