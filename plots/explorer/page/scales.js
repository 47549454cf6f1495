/* Places of values on axes, and where ticks stand. */

/** A scale from values `low` to `high` to pixels `from` to `to`; equal values stand in the middle. */
function makeScale(low, high, from, to, log = false) {
  const turn = log ? Math.log10 : (value) => value;
  const back = log ? (value) => 10 ** value : (value) => value;
  let [first, last] = [turn(low), turn(high)];
  if (!(last > first)) {
    const half = Math.abs(first) * 0.05 || 0.5;
    [first, last] = [first - half, last + half];
  }
  const perUnit = (to - from) / (last - first);
  return {
    log,
    ends: [back(first), back(last)],
    place: (value) => from + (turn(value) - first) * perUnit,
    value: (place) => back(first + (place - from) / perUnit),
  };
}

/** Round values within a scale, about `count` of them. */
function ticksOf(scale, count) {
  const [low, high] = scale.ends[0] < scale.ends[1] ? scale.ends : [...scale.ends].reverse();
  return scale.log ? decades(low, high, count) : evenTicks(low, high, count);
}

function evenTicks(low, high, count) {
  const rough = (high - low) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) {
    ticks.push(Number((i * step).toPrecision(12))); // not .30000000000000004
  }
  return ticks;
}

function decades(low, high, count) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const every = Math.max(1, Math.ceil((last - first + 1) / Math.max(count, 1)));
  const ticks = [];
  for (let power = first; power <= last; power += every) ticks.push(10 ** power);
  return ticks.length >= 2 ? ticks : evenTicks(low, high, count).filter((value) => value > 0);
}
