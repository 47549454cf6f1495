/* What preferences choose: as `SearchResult.sample` of a method that generates nothing itself. */

const AUGMENTATION = 0.05;
const NEIGHBOURS = 5;

/** Find the chosen row among the selected ones of fronts, and its neighbours. */
function choose() {
  const candidates = rowsWhere(1).filter((row) => !table.dominated[row]);
  const shares = preferenceShares();
  view.chosen = -1;
  view.neighbours = [];
  if (!candidates.length || !shares) return;
  const scaled = scaledObjectives();
  let most = -Infinity;
  for (const row of candidates) {
    const value = augmentedTchebycheff(scaled, row, shares);
    if (value > most) [most, view.chosen] = [value, row];
  }
  view.neighbours = nearest(scaled, view.chosen, candidates);
}

/** Preferences on the simplex, or null where no objective has any. */
function preferenceShares() {
  const total = view.weights.reduce((sum, weight) => sum + weight, 0);
  return total > 0 ? view.weights.map((weight) => weight / total) : null;
}

/** Each objective as shares of its range over the fronts shown: 1 is best, and 0 where all rows are equal. */
function scaledObjectives() {
  return table.objectives.map(({ values, direction }) => {
    let [low, high] = [Infinity, -Infinity];
    for (let row = 0; row < table.size; row++) {
      if (!view.visible[row] || table.dominated[row]) continue;
      if (values[row] < low) low = values[row];
      if (values[row] > high) high = values[row];
    }
    const span = high > low ? high - low : 1;
    return direction === "max" ? (row) => (values[row] - low) / span : (row) => (high - values[row]) / span;
  });
}

/** `moo.scalarisations.augmented_tchebycheff` of a row, the ideal point being 1 in every objective. */
function augmentedTchebycheff(scaled, row, shares) {
  let [most, sum] = [-Infinity, 0];
  scaled.forEach((objective, i) => {
    const shortfall = shares[i] * (1 - objective(row));
    if (shortfall > most) most = shortfall;
    sum += shortfall;
  });
  return -most - AUGMENTATION * sum;
}

/** The rows nearest to a row by scaled objectives, nearest first. */
function nearest(scaled, centre, candidates) {
  const here = scaled.map((objective) => objective(centre));
  const apart = candidates.filter((row) => row !== centre).map((row) => [
    scaled.reduce((sum, objective, i) => sum + (objective(row) - here[i]) ** 2, 0), row,
  ]);
  return apart.sort((a, b) => a[0] - b[0] || a[1] - b[1]).slice(0, NEIGHBOURS).map(([, row]) => row);
}
