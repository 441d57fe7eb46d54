// The bundle, read by the state of the controls: which runs and pairs take part, and what the charts ask for.
const runs = new Map(bundle.runs.map((run) => [run.id, run]));
const pairs = new Map(bundle.pairs.map((pair) => [pair.id, pair]));
const tint = (colour) => colour[state.dark ? 1 : 0];
const isNumber = (value) => typeof value === "number";
const rowsByTable = {};

// A table's rows, made of its columns once.
function table(name) {
  const columns = bundle.tables[name];
  if (!columns) return [];
  const names = Object.keys(columns);
  // Text of few values is stored once; see explorer/columns.py.
  const at = (column, index) => (column.of ? column.of[column.at[index]] : column[index]);
  const first = columns[names[0]];
  const length = (first.of ? first.at : first).length;
  rowsByTable[name] ??= Array.from({ length }, (_, index) => Object.fromEntries(names.map((key) => [key, at(columns[key], index)])));
  return rowsByTable[name];
}

const trained = table("training").length > 0;
const compared = trained ? "runs" : "adapters";

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
  const usual = visible.filter((pair) => pair.usual);
  const first = usual.length ? usual : visible.slice(0, 8);
  return visible.filter((pair) => first.includes(pair) || pair.id === state.focus);
}

// What the charts ask for: the same names as in explorer/view.py, which says what a figure is drawn with.
function signals() {
  const ids = (list) => list.map((entry) => entry.id);
  return {
    arranged: bundle.arranged, geometry: bundle.geometry, metrics: bundle.metrics, layers: bundle.layers, projections: bundle.projections, base_colour: bundle.base_colour,
    ...state, where: state.at ? state.layer : -1, picked: state.pairs !== null,
    shown: ids(shownRuns()), visible: ids(visiblePairs()), chosen: ids(chosenPairs()),
  };
}

// A metric of a pair at one place of the network, with its chance band and the verdict of the tables.
function measured(metric, pair, layer = -1, projection = "") {
  const block = bundle.geometry?.metrics[metric];
  const place = bundle.geometry?.places[`${layer}/${projection}`];
  if (!block || place === undefined || pair.order >= block.value.length) return { value: null, low: null, high: null, verdict: "-" };
  const at = (values) => values[Math.min(pair.order, values.length - 1)][place] ?? null;
  return { value: at(block.value), low: at(block.low), high: at(block.high), verdict: block.verdict[pair.order][place] };
}

const inside = (found) => found.verdict === "i";
const spread = (metric, pair) => bundle.geometry?.metrics[metric]?.spread[pair.order] ?? [null, null];
const noteOf = (metric, pair) => bundle.geometry?.metrics[metric]?.notes[pair.order] ?? "";
const sayProjection = () => (state.projection ? `${state.projection} projections` : "all projections");
const sayPlace = () => (state.at ? `layer ${state.layer}, ${sayProjection()}` : `whole model, ${sayProjection()}`);

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

// Whether a finding is about two runs: about them, or about their losses where each has its loss's own learning rate.
function isAbout(finding, pair) {
  const ends = [runs.get(pair.a), runs.get(pair.b)];
  const own = ends.every((run) => ["default", "seed"].includes(run.arm));
  return finding.pair === pair.id || (own && finding.pair.split("--").sort().join() === ends.map((run) => run.label).sort().join());
}

// Sentences of tables/findings.json on a section: what it says over all, and of the pair in focus.
function findingsOf(place) {
  const focus = pairs.get(state.focus);
  const here = bundle.findings.filter((finding) => finding.section === place
    && [["loss", state.loss]].every(([key, value]) => (new URLSearchParams(finding.view).get(key) ?? value) === value));
  const first = here.filter((finding) => finding.rank);
  return [...new Set([...(first.length ? first : here.filter((finding) => !finding.pair).slice(0, 1)), ...here.filter((finding) => finding.pair && focus && isAbout(finding, focus))])].filter(Boolean).slice(0, 4);
}
