// The bundle as rows: the same rows that the figures are drawn from, chosen by the state of the controls.
const DASHES = { default: [1, 0], seed: [6, 3], learning_rate: [2, 2] };
const BASE_COLOUR = bundle.base_colour;
const runs = new Map(bundle.runs.map((run) => [run.id, run]));
const pairs = new Map(bundle.pairs.map((pair, index) => [pair.id, { ...pair, index }]));
const tint = (colour) => colour[state.dark ? 1 : 0];
const isNumber = (value) => typeof value === "number";

function table(name) {
  const columns = bundle.tables[name];
  if (!columns) return [];
  table.made ??= {};
  const names = Object.keys(columns);
  table.made[name] ??= columns[names[0]].map((_, index) => Object.fromEntries(names.map((key) => [key, columns[key][index]])));
  return table.made[name];
}

const runShown = (id) => {
  const run = runs.get(id);
  return !run || (!state.off.includes(run.label) && state.arms.includes(run.arm));
};
const shownRuns = () => bundle.runs.filter((run) => runShown(run.id));
const pairVisible = (pair) => runShown(pair.a) && runShown(pair.b);

// Pairs of shown runs; of these, the chosen ones are drawn as lines.
const visiblePairs = () => [...pairs.values()].filter(pairVisible);
function chosenPairs() {
  const visible = visiblePairs();
  if (state.pairs) return visible.filter((pair) => state.pairs.includes(pair.id) || pair.id === state.focus);
  // Another seed or learning rate brings its comparisons with the default of its own method and with the reference.
  const usual = visible.filter((pair) => bundle.default_pairs.includes(pair.id) || pair.kind !== "methods" || withReference(pair));
  const first = usual.length ? usual : visible.slice(0, 8);
  return visible.filter((pair) => first.includes(pair) || pair.id === state.focus);
}

const withReference = (pair) => [pair.a, pair.b].some((id) => runs.get(id).label === bundle.reference);

function look(pair) {
  const arm = [pair.a, pair.b].map((id) => runs.get(id).arm).find((name) => name !== "default") ?? "default";
  return { id: pair.id, name: pair.name, line: tint(pair.line), dot: tint(pair.dot), dash: DASHES[arm], order: pair.index };
}

function runLook(id, order) {
  const run = runs.get(id);
  return { id, name: run ? run.name : id, line: tint(run ? run.colour : BASE_COLOUR), dash: run ? DASHES[run.arm] : DASHES.default, order };
}

const places = bundle.geometry ? new Map(bundle.geometry.places.map(([layer, projection], index) => [`${layer}/${projection}`, index])) : new Map();

function measured(metric, pair, layer = -1, projection = "") {
  const block = bundle.geometry?.metrics[metric];
  const place = places.get(`${layer}/${projection}`);
  if (!block || place === undefined || pair.index >= block.value.length) return { value: null, low: null, high: null };
  const at = (values) => (Array.isArray(values[0]) ? values[pair.index] : values)[place] ?? null;
  return { value: at(block.value), low: at(block.low), high: at(block.high) };
}

const spread = (metric, pair) => bundle.geometry?.metrics[metric]?.spread[pair.index] ?? [null, null];
const noteOf = (metric, pair) => bundle.geometry?.metrics[metric]?.notes[pair.index] ?? "";
const place = () => ({ layer: state.at ? state.layer : -1, projection: state.projection });
const here = (metric, pair) => measured(metric, pair, place().layer, place().projection);
const inside = (found) => isNumber(found.low) && isNumber(found.value) && found.low <= found.value && found.value <= found.high;

const sayProjection = () => (state.projection ? `${state.projection} projections` : "all projections");
const sayPlace = () => (state.at ? `layer ${state.layer}, ${sayProjection()}` : `whole model, ${sayProjection()}`);

const rowsOf = {
  map: (metric) => {
    const described = bundle.metrics[metric];
    const order = shownRuns().map((run) => run.id);
    return visiblePairs().flatMap((pair) => {
      const found = here(metric, pair);
      if (!isNumber(found.value)) return [];
      const text = write(found.value, described);
      const cell = {
        id: pair.id, name: pair.name, text, chance: chanceText(found, described), inside: inside(found), edge: tint(pair.line),
        similarity: described.angle ? 1 - found.value / 90 : found.value,
      };
      return [[pair.a, pair.b], [pair.b, pair.a]].map(([row, column]) => ({
        ...cell, row: runs.get(row).name, column: runs.get(column).name,
        row_order: order.indexOf(row), column_order: order.indexOf(column),
      }));
    });
  },
  depth: (metric) => {
    const layers = Array.from({ length: bundle.layers }, (_, layer) => layer);
    return chosenPairs().flatMap((pair) => layers.map((layer) => ({
      ...look(pair), layer, ...measured(metric, pair, layer, state.projection), from: null, to: null,
    })));
  },
  basis: (metric) => {
    const chosen = new Set(chosenPairs().map((pair) => pair.id));
    const rows = visiblePairs().map((pair) => {
      const cosine = here("cosine", pair);
      const on = chosen.has(pair.id);
      return {
        ...look(pair), cosine: cosine.value, cosine_low: cosine.low, cosine_high: cosine.high, ...here(metric, pair),
        on, tag: on ? tagOf(pair) : "", shift: 0,
      };
    });
    return dodge(rows);
  },
  angles: (side) => chosenPairs().map((pair) => {
    const first = here(`angle_first.${side}`, pair);
    const last = here(`angle_last.${side}`, pair);
    return { ...look(pair), ...first, from: first.value, to: last.value };
  }),
  projections: (metric, pair) => bundle.projections.map((projection, order) => ({
    id: pair.id, name: projection, order, line: tint(pair.line), dot: tint(pair.dot), from: null, to: null,
    ...measured(metric, pair, state.at ? state.layer : -1, projection),
  })),
  sizes: (metric) => {
    const layer = state.at ? state.layer : -1;
    const values = new Map(table("runs").filter((row) => row.metric === metric && row.layer === layer).map((row) => [row.run, row.value]));
    return shownRuns().filter((run) => values.has(run.id)).map((run, order) => ({ ...runLook(run.id, order), value: values.get(run.id) }));
  },
  paths: (loss) => {
    const chosen = measuredPairs("connectivity");
    return table("connectivity").filter((row) => row.loss === loss && chosen.has(row.pair)).map((row) => ({
      ...look(pairs.get(row.pair)), t: row.t, value: row.value,
      from: isNumber(row.se) ? row.value - 1.96 * row.se : null, to: isNumber(row.se) ? row.value + 1.96 * row.se : null,
    }));
  },
  barriers: (loss) => {
    const chosen = measuredPairs("connectivity");
    return table("barriers").filter((row) => row.loss === loss && chosen.has(`${row.run_a}--${row.run_b}`)).map((row) => ({
      ...look(pairs.get(`${row.run_a}--${row.run_b}`)), value: row.difference,
      from: row.difference_low, to: row.difference_high, low: 0, high: row.smallest_effect,
    }));
  },
  similarity: (estimator) => {
    const chosen = measuredPairs("cka");
    return table("cka").filter((row) => row.estimator === estimator && chosen.has(row.pair)).map((row) => ({
      ...look(pairs.get(row.pair)), layer: row.layer, value: row.value, from: row.low, to: row.high, low: null, high: null,
    }));
  },
  accuracy: (benchmark, decoding) => {
    const all = table("accuracy").filter((row) => row.benchmark === benchmark && row.decoding === decoding);
    const base = all.find((row) => !runs.has(row.run)) ?? {};
    return all.filter((row) => runShown(row.run)).map((row, order) => ({
      ...runLook(row.run, order), value: row.accuracy, from: row.low, to: row.high,
      base: base.accuracy ?? null, base_from: base.low ?? null, base_to: base.high ?? null,
      truncation_rate: row.truncation_rate, no_answer_rate: row.no_answer_rate,
    }));
  },
  robustness: () => [...pairs.values()].filter((pair) => pair.kind !== "methods" && !state.off.includes(runs.get(pair.a).label))
    .flatMap((pair) => Object.entries(bundle.series).map(([metric, series]) => ({ ...look(pair), series, ...here(metric, pair) }))),
  training: (quantity) => {
    const order = new Map(shownRuns().map((run, index) => [run.id, index]));
    return table("training").filter((row) => row.quantity === quantity && order.has(row.run))
      .map((row) => ({ ...runLook(row.run, order.get(row.run)), step: row.step, value: row.value }));
  },
};

// Stages that measured a subset of the pairs show the chosen ones among them, or all that they have.
function measuredPairs(name) {
  const there = new Set(table(name).map((row) => row.pair));
  const chosen = chosenPairs().filter((pair) => there.has(pair.id)).map((pair) => pair.id);
  const rest = visiblePairs().filter((pair) => there.has(pair.id)).map((pair) => pair.id);
  return new Set(chosen.length || state.pairs ? chosen : rest);
}

function tagOf(pair) {
  const [a, b] = [runs.get(pair.a), runs.get(pair.b)];
  if (a.label === b.label) return pair.name;
  if (a.label === bundle.reference) return b.name;
  return b.label === bundle.reference ? a.name : pair.name;
}

// Labels of points that lie close to each other are set below one another; one that would end up far from its point is left out.
function dodge(rows) {
  const placed = [];
  for (const row of rows.filter((row) => row.tag && isNumber(row.value)).sort((x, y) => y.value - x.value)) {
    let y = row.value;
    while (placed.some((other) => Math.abs(other.y - y) < 0.055 && Math.abs(other.x - row.cosine) < 0.3)) y -= 0.0275;
    if (row.value - y > 0.17 && row.id !== state.focus) row.tag = "";
    else placed.push({ x: row.cosine, y });
    row.shift = Math.round((row.value - y) * 225);
  }
  return rows;
}

function write(value, metric) {
  if (!isNumber(value)) return "–";
  return (metric.angle ? `${value.toFixed(0)}°` : value.toFixed(2)).replace("-", "−");
}

const short = (value) => {
  if (!isNumber(value)) return value === null || value === undefined ? "–" : String(value);
  const size = Math.abs(value);
  const text = size !== 0 && (size < 0.001 || size >= 1e6) ? value.toExponential(1) : size >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
  return text.replace(/^-/, "−");
};
