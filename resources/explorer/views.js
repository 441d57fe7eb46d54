// The sections of the page: each is left out where its stage did not run.
const main = document.getElementById("main");
const sections = [];

// A section of text, or one that draws for itself; its `update` may be set afterwards.
function addSection(id, title, intro, ...content) {
  main.append(el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), intro, ...content));
  sections.push({ id, title, update: () => {} });
}
const metricOptions = (keys) => keys.filter((key) => bundle.geometry?.metrics[key]).map((key) => [key, bundle.metrics[key].title]);
const soft = (...text) => el("span", { class: "key" }, ...text);
const bandKey = () => soft(" — grey: where 95 % of ", term("chance", "unrelated updates"), " fall (the widest band shown)");

function section(id, title, intro, { controls = [], plots: shown = [], legend, layout = "", after = [] }) {
  const charts = el("div", { class: `charts ${layout}` }, shown.map((plot) => plot.node), legend && legend.node);
  const numbers = el("details", { class: "numbers" });
  const holder = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Numbers: ${title}` });
  const drawn = [...shown, ...after.filter((part) => part instanceof Plot)];
  const rows = () => drawn.flatMap((plot) => (plot.current ?? []).map((row) => (drawn.length > 1 ? { chart: plot.node.dataset.chart, ...row } : row)));
  numbers.append(el("summary", {}, "Numbers shown"), holder);
  const found = el("div", { class: "found", "aria-live": "polite" });
  const say = () => {
    const text = findingsOf(id).map((finding) => finding.statement);
    if (found.dataset.said === text.join("|")) return;
    found.dataset.said = text.join("|");
    found.replaceChildren(...text.map((statement) => el("p", { class: "finding" }, statement)));
  };
  const fill = () => {
    if (!numbers.open) return;
    const keys = [...new Set(rows().flatMap((row) => Object.keys(row)))].filter((key) => !HIDDEN.has(key));
    holder.replaceChildren(dataTable(keys.map((key) => ({ key, title: key, number: isNumber(rows()[0]?.[key]) })), rows()));
  };
  numbers.addEventListener("toggle", fill);
  const node = el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), found, el("p", {}, ...intro),
    controls.length ? el("div", { class: "selects" }, controls) : null, charts, ...after.map((part) => part.node), shown.length ? [tools(id, drawn, rows), numbers] : null);
  main.append(node);
  sections.push({ id, title, update: () => { say(); shown.forEach((plot) => plot.update()); legend?.update(); after.forEach((part) => part.update?.()); fill(); } });
}

// The legend of charts with one line per pair, which is also their reading at the chosen place.
function pairLegend(label, caption, valueOf, columns) {
  const node = el("div", { class: "legend-box scroll", tabindex: 0, role: "region", "aria-label": label });
  const update = () => {
    const rows = valueOf().sort((x, y) => (y.found.value ?? -9) - (x.found.value ?? -9));
    const shown = [{ title: "pair", show: ({ pair }) => pick(pair) }, { title: "value", number: true, show: ({ text }) => text }, ...columns];
    const made = dataTable(shown, rows, caption());
    made.classList.add("legend-table");
    const focused = node.contains(document.activeElement) ? document.activeElement.dataset.pair : null;
    node.replaceChildren(made);
    if (focused) node.querySelector(`[data-pair="${CSS.escape(focused)}"]`)?.focus();
  };
  return { node, update };
}

function pick(pair) {
  const pressed = state.focus === pair.id;
  return el("button", {
    type: "button", class: "pick", "aria-pressed": String(pressed), "data-pair": pair.id, title: "Compare this pair above, and draw it thicker",
    onclick: () => change({ focus: pair.id }),
  }, pairSwatch(pair), pair.name);
}

const nearZero = (found) => Math.abs(found.low + found.high) < 1e-3 * Math.abs(found.high);
function chanceText(found, metric) {
  if (!isNumber(found.low)) return "–";
  return nearZero(found) ? `±${write(found.high, metric)}` : `${write(found.low, metric)} to ${write(found.high, metric)}`;
}

function buildMap() {
  const metric = () => bundle.metrics[state.map];
  const plot = new Plot({
    spec: "map", own: true,
    title: () => [metric().title, soft(`, ${sayPlace()} — italics: no more than `, term("chance", "chance"), " gives")],
  });
  section("map", "A map of directions", [`Each ${trained ? "run" : "adapter"} against each other. Strong colour: they changed the weights in the same way; no colour: unrelated. `,
    "Start with the ", term("cosine", "cosine"), "; the ", term("gram_alignment", "output-Gram alignment"), " forgets which inputs an update reads. ",
    trained ? "Point at a cell for what the similarity is read beside: that of a control, trained on shuffled verdicts, and that of a replicate, which differs in the order of the data alone." : ""],
  { controls: [select("map", "Show", metricOptions(["cosine", "gram_alignment.output", "gram_alignment.input", "top_direction.output", "top_direction.input", "angle_first.output", "angle_first.input"]))],
    plots: [plot], layout: "square" });
}

function buildWhere() {
  if (!(bundle.projections ?? []).length || !bundle.layers) return;
  const focus = new Plot({ spec: "where", own: true, title: () => [el("strong", {}, pairs.get(state.focus)?.name ?? ""), soft(", cosine of every matrix — italics: within chance")] });
  const all = new Plot({ spec: "where_all", title: () => ["Every pair in lines", soft(" — one strip a pair; within a projection, layers run from left to right; click a strip to follow its pair")] });
  section("where", "Where in the network", ["Every matrix of the model, by layer and projection, for the pair in focus; below, for all pairs that are drawn as lines. The same colours as in the map."],
    { plots: [focus, all] });
}

function buildDepth() {
  const metric = () => bundle.metrics[state.depth];
  const plot = new Plot({
    spec: "depth", key: "layers",
    title: () => [metric().title, soft(`, ${sayProjection()}`), bandKey()],
    describe: () => `${metric().title} by layer for ${chosenPairs().length} pairs; at layer ${state.layer} the table beside it gives the values.`,
  });
  const legend = pairLegend("Pairs, layer by layer",
    () => `${metric().title} at layer ${state.layer}`,
    () => chosenPairs().map((pair) => {
      const found = measured(state.depth, pair, state.layer, state.projection);
      return { pair, found, text: write(found.value, metric()) };
    }),
    [{ title: "chance", number: true, show: ({ found }) => el("span", { class: "quiet" }, chanceText(found, metric())) }]);
  const byMatrixKey = () => (bundle.geometry.projected.includes(state.depth) ? state.depth : "cosine");
  const byMatrix = new Plot({
    spec: "projections",
    title: () => [`By matrix: ${pairs.get(state.focus)?.name ?? ""}`, soft(`, ${bundle.metrics[byMatrixKey()].title.toLowerCase()}, ${state.at ? `layer ${state.layer}` : "whole model"}`)],
  });
  section("layers", "Layer by layer", [`Where in the network do two ${trained ? "losses" : "adapters"} agree? Drag the slider above, use its arrow keys, or click in the chart; pick a pair in the table to follow it.`],
    { controls: [select("depth", "Show", metricOptions(Object.keys(bundle.metrics)))], plots: [plot], legend, layout: "legend", after: [byMatrix] });
}

function buildBasis() {
  const metric = () => bundle.metrics[state.basis];
  const plot = new Plot({
    spec: "basis",
    title: () => [metric().title, soft(`, against the cosine, ${sayPlace()} — grey: `, term("chance", "chance"), " on either axis; squares: two seeds of one method; faint: pairs not chosen")],
  });
  section("outputs", "Same outputs, other inputs", ["A low ", term("cosine", "cosine"), " need not mean another solution. Points high above the diagonal write to the same outputs while reading their inputs in another basis, as two seeds of one method do."],
    { controls: [select("basis", "Vertical axis", metricOptions(["top_direction.output", "gram_alignment.output", "top_direction.input", "gram_alignment.input"]))], plots: [plot], layout: "square" });
}

function buildAngles() {
  const k = () => bundle.k?.[`angle_first.${state.side}`] ?? "k";
  const plot = new Plot({
    spec: "angles",
    title: () => [`First of ${k()} `, term("angle", "principal angles"), `, ${state.side} side, degrees, ${sayPlace()}`, soft(" — dot: the first angle, median over matrices; tick: the last; grey: the first angle of ", term("chance", "unrelated subspaces"))],
  });
  section("angles", "How far apart are the subspaces?", ["The directions that two updates use, apart from how strongly. Left of the grey bar: the subspaces share more than random ones would."],
    { controls: [select("side", "Side", [["output", "output"], ["input", "input"]])], plots: [plot], layout: "square" });
}

function buildSizes() {
  const charts = [["norm", () => "norm"], ["rank", () => state.rank]].map(([key, metric]) => new Plot({
    spec: key, key: `sizes-${key}`,
    title: () => [key === "norm" ? term("norm", bundle.run_metrics.norm) : term("effective_rank", bundle.run_metrics[metric()]), soft(`, ${state.at ? `layer ${state.layer}` : "whole model"} — one dot a run: ● at its method's learning rate, ◆ at another, ■ control or edit; lines span seeds`)],
  }));
  const ranks = Object.entries(bundle.run_metrics).filter(([key]) => key !== "norm" && table("run_metrics").some((row) => row.metric === key));
  section("sizes", "Size and rank of the move", ["How far each run went, and over how many directions.", trained ? " Equal steps and learning rates do not mean equal moves." : ""],
    { controls: [select("rank", "Rank", ranks)], plots: charts, layout: "two" });
}
