// The sections on what the updates do: losses between adapters, hidden states, answers, training.
function buildPaths() {
  const losses = [...new Set(table("connectivity").map((row) => row.loss))].map((loss) => [loss, bundle.losses[loss] ?? loss]);
  const select_ = select("loss", "Show", losses);
  const path = new Plot({
    spec: "path",
    title: () => [`${bundle.losses[state.loss] ?? state.loss}: excess over the straight line between its ends`, soft(" — 0: on the line; above the grey of the chart below, it would be a barrier")],
  });
  const legend = pairLegend("Pairs interpolated", () => "Barrier above chord and control (nats per token)", () => {
    const found = new Map(table("barriers").filter((row) => row.loss === state.loss).map((row) => [`${row.run_a}--${row.run_b}`, row]));
    return idsOf(path).map((id) => ({ pair: pairs.get(id), found: { value: found.get(id)?.difference }, text: short(found.get(id)?.difference ?? null), row: found.get(id) }));
  }, [{ title: "control", number: true, show: ({ row }) => el("span", { class: "quiet" }, short(row?.control ?? null)) },
    { title: "verdict", show: ({ row }) => el("span", { class: "quiet", title: row?.reason ?? "" }, row?.verdict ?? "–") }]);
  const barrier = new Plot({
    spec: "barriers",
    title: () => [term("barrier"), soft(" above chord and control — whiskers: 95 % over test sequences; grey: too small to count")],
  });
  const hasBarriers = table("barriers").length > 0;
  section("connectivity", "One basin or two?", ["The loss on the straight line between two adapters (", term("connectivity", "mode connectivity"), "). On the chord: one basin. A hump above it: a ", term("barrier", "barrier"), "."],
    { controls: [select_], plots: [path], legend, layout: "legend", after: hasBarriers ? [barrier] : [] });
}

// Pairs that a chart draws, in its order.
const idsOf = (plot) => [...new Set(plot.current.map((row) => row.id))];

// A sentence with terms, written as [[key]] or [[key|text]].
const worded = (text) => text.split(/\[\[(.*?)\]\]/).flatMap((part, index) => (index % 2 ? term(...part.split("|"))
  : part.split("`").map((piece, place) => (place % 2 ? el("code", {}, piece) : piece))));

// Names and colours of lines that no table beside the chart names.
function keyOf(plot) {
  const lines = new Map((plot.current ?? []).filter((row) => isNumber(row.share) || isNumber(row.step) || row.title).map((row) => [row.title ?? row.name, row]));
  return lines.size ? [el("span", { class: "keys" }, [...lines].map(([name, row]) => el("span", { class: "row" }, swatch(row.line, row.line, row.dash), name)))] : [];
}

// A section that a stage describes: one chart over layers or along anything else, a select, and its reading beside it.
function buildPanel(panel) {
  const titled = panel.options.map(([value, text]) => [value, panel.select === "loss_a" ? bundle.methods[value]?.title ?? text : text]);
  const named = () => Object.fromEntries(titled)[state[panel.select]] ?? panel.title;
  const fixed = (value) => (isNumber(value) ? value.toFixed(4).replace("-", "−") : "–");
  const plot = new Plot({ spec: panel.chart, own: panel.inked, title: () => [panel.select === "loss_a" ? `${named()} and every other loss` : named(), soft(" — ", ...worded(panel.caption)), ...keyOf(plot)] });
  const legend = panel.by_layer && pairLegend(`Pairs: ${panel.title}`, () => `${named()} at layer ${state.layer}`, () =>
    plot.current.filter((row) => row.layer === state.layer).map((row) => ({ pair: pairs.get(row.id), found: row, text: fixed(row.value), row })),
  [{ title: "95 %", number: true, show: ({ row }) => el("span", { class: "quiet" }, isNumber(row.from) ? `${fixed(row.from)} to ${fixed(row.to)}` : "–") }]);
  section(panel.id, panel.title, worded(panel.intro), {
    controls: panel.options.length ? [select(panel.select, "Show", titled)] : [], plots: [plot], ...(legend ? { legend, layout: "legend" } : { layout: "square" }),
  });
}

function buildAccuracy() {
  const benchmarks = [...new Set(table("accuracy").map((row) => row.benchmark))];
  const decodings = [...new Set(table("accuracy").map((row) => row.decoding))].map((name) => [name, name]);
  const controls = [select("decoding", "Decoding", decodings)];
  const facts = (benchmark) => table("accuracy").find((row) => row.benchmark === benchmark && row.decoding === state.decoding) ?? {};
  const forests = table("differences").some((row) => row.most_precise) ? benchmarks.map((benchmark) => new Plot({
    spec: "forest", key: `forest-${benchmark}`, given: { benchmark },
    title: () => [el("strong", {}, benchmark), soft(", difference to the base in points, most precise decoding — whiskers: 95 % over problems; grey: counts as none; hollow: cannot tell")],
  })) : [];
  const charts = benchmarks.map((benchmark) => new Plot({
    spec: "accuracy", key: `accuracy-${benchmark}`, given: { benchmark },
    title: () => {
      const row = facts(benchmark);
      const size = isNumber(row.problems) ? ` — ${row.problems} problems` : "";
      const seen = table("accuracy").filter((one) => one.benchmark === benchmark && one.decoding === state.decoding && isNumber(one.minimum_detectable_difference));
      const detectable = seen.length ? Math.max(...seen.map((one) => one.minimum_detectable_difference)) : null;
      return [el("strong", {}, benchmark), soft(size, ...(isNumber(detectable) ? ["; ", term("detectable", "smallest detectable difference"), ` ${(100 * detectable).toFixed(1)} points`] : []), "; grey: the base")];
    },
  }));
  const tests = el("details", { class: "numbers" }, el("summary", {}, "Paired tests"));
  const holder = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "McNemar tests" });
  tests.append(el("p", {}, term("mcnemar"), "; b and c count the problems that only the first or only the second run solves."), holder);
  const name = (id) => runs.get(id)?.name ?? id;
  const update = () => holder.replaceChildren(dataTable([
    { title: "first", show: (row) => name(row.run_a) }, { title: "second", show: (row) => name(row.run_b) }, { title: "benchmark", key: "benchmark" },
    { title: "b", key: "b", number: true }, { title: "c", key: "c", number: true }, { title: "p", key: "p", number: true }, { title: "p (Holm)", key: "p_holm", number: true },
  ], table("mcnemar").filter((row) => runShown(row.run_a) && runShown(row.run_b))));
  section("accuracy", "What did it cost in accuracy?", ["First the paired difference of every run to the base, on the same problems; then the ", term("accuracy", "accuracies"), " themselves, under a decoding of your choice. The numbers below give truncated and missing answers too."],
    { controls, plots: [...forests, ...charts], layout: benchmarks.length > 1 ? "two" : "square", after: table("mcnemar").length ? [{ node: tests, update }] : [] });
}

function buildRobustness() {
  const plot = new Plot({
    spec: "robustness",
    title: () => [`Similarity of two runs of one method, ${sayPlace()}`, soft(" — ● cosine, ◆ output-Gram alignment, ■ top output direction, ▲ top input direction; grey: ", term("chance", "chance"), " of each")],
  });
  const shares = table("decomposition").length ? [new Plot({
    spec: "decomposition", own: true,
    title: () => ["What goes with the loss, and what with the seed", soft(" — shares of the squared length of the updates, each taken at length 1; point at a part for what unrelated updates would have")],
  })] : [];
  section("robustness", "Seed, order, data, rate, loss", ["What a change of seed or of learning rate alone does (", term("robustness", "why it matters"), "). It bounds every comparison between methods above."],
    { plots: [...shares, plot], layout: "square", after: [...ceilings(), ...sensitivity()] });
}

function extra(title, label, made) {
  return { node: el("details", { class: "numbers" }, el("summary", {}, title), el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, made)) };
}

function ceilings() {
  const rows = table("seeds");
  const title = (label) => bundle.methods[label]?.title ?? label;
  return rows.length ? [extra("Noise ceilings", "Noise ceilings", [el("p", {}, term("ceiling"), ": the last column is 1 where two methods differ no more than their own seeds do."), dataTable([
    { title: "measure", show: (row) => row.measure.replaceAll("_", " ") }, { title: "methods", show: (row) => `${title(row.method_a)} – ${title(row.method_b)}` },
    { title: "same seed", key: "same_seed", number: true }, { title: "other seed", key: "other_seed", number: true }, { title: "ceiling", key: "ceiling", number: true },
    { title: "by chance", key: "chance", number: true }, { title: "other seed / ceiling", key: "ratio", number: true },
  ], rows)])] : [];
}

function sensitivity() {
  const rows = table("sensitivity");
  const name = (row) => pairs.get(`${row.run_a}--${row.run_b}`)?.name ?? `${row.run_a} – ${row.run_b}`;
  return rows.length ? [extra("Each pair under the one thing that varies in it", "Sensitivity", dataTable([
    { title: "pair", show: name }, { title: "varies", show: (row) => String(row.varies).replaceAll("_", " ") }, { title: "cosine", key: "cosine", number: true },
    { title: "norms", number: true, show: (row) => `${short(row.norm_a)}, ${short(row.norm_b)}` }, { title: "ratio", key: "norm_ratio", number: true },
    { title: "barrier", key: "barrier", number: true },
    { title: "accuracies", number: true, show: (row) => `${short(row.accuracy_a)}, ${short(row.accuracy_b)}` }, { title: "on", show: (row) => row.benchmark ?? "–" },
  ], rows))] : [];
}

function buildTraining() {
  const quantities = [...new Set(table("training").map((row) => row.quantity))].map((name) => [name, bundle.quantities[name] ?? name]);
  const controls = [select("quantity", "Show", quantities)];
  const plot = new Plot({
    spec: "training",
    title: () => [bundle.quantities[state.quantity] ?? state.quantity, soft(" — values of different losses cannot be compared; dashes: other seeds and learning rates")],
  });
  const node = el("div", { class: "legend-box scroll", tabindex: 0, role: "region", "aria-label": "Runs shown" });
  const update = () => {
    const last = new Map((plot.current ?? []).map((row) => [row.id, row.value]));
    const made = dataTable([
      { title: "run", show: (run) => el("span", { class: "row" }, runSwatch(run), run.name) }, { title: "last", number: true, show: (run) => last.get(run.id) },
    ], shownRuns().filter((run) => last.has(run.id)), "Mean over the last steps");
    made.classList.add("legend-table");
    node.replaceChildren(made);
  };
  section("training", "Training", ["How each run got there."], { controls, plots: [plot], legend: { node, update }, layout: "legend" });
}
