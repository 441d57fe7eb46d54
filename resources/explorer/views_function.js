// The sections on what the updates do: losses between adapters, hidden states, answers, training.
function buildPaths() {
  const losses = [...new Set(table("connectivity").map((row) => row.loss))].map((loss) => [loss, bundle.losses[loss] ?? loss]);
  const select_ = select("loss", "Show", losses);
  const path = new Plot({
    spec: "path", rows: () => rowsOf.paths(state.loss),
    title: () => [bundle.losses[state.loss] ?? state.loss, soft(" — dashed: the chord; bands: 95 % over test sequences")],
  });
  const legend = pairLegend("Pairs interpolated", () => "Barrier above the chord (nats per token)", () => {
    const found = new Map(table("barriers").filter((row) => row.loss === state.loss).map((row) => [`${row.run_a}--${row.run_b}`, row]));
    return [...measuredPairs("connectivity")].map((id) => ({ pair: pairs.get(id), found: { value: found.get(id)?.barrier }, text: short(found.get(id)?.barrier ?? null), row: found.get(id) }));
  }, [{ title: "± s.e.", number: true, show: ({ row }) => el("span", { class: "quiet" }, short(row?.barrier_se ?? null)) },
    { title: "control", number: true, show: ({ row }) => el("span", { class: "quiet" }, short(row?.barrier_of_shrinking ?? null)) }]);
  const barrier = new Plot({
    spec: "whisker", key: "barriers", rows: () => rowsOf.barriers(state.loss), parameters: freeRange,
    title: () => [term("barrier"), soft(" above the chord — whiskers: 95 % over test sequences; grey: what the shorter update alone does")],
  });
  const hasBarriers = table("barriers").length > 0;
  section("connectivity", "One basin or two?", ["The loss on the straight line between two adapters (", term("connectivity", "mode connectivity"), "). Flat or straight: one basin. A hump above the chord: a ", term("barrier", "barrier"), "."],
    { controls: [select_], plots: [path], legend, layout: "legend", after: hasBarriers ? [barrier] : [] });
}

function buildSimilarity() {
  const estimators = [...new Set(table("cka").map((row) => row.estimator))].map((name) => [name, bundle.estimators[name] ?? name]);
  const fixed = (value) => (isNumber(value) ? value.toFixed(4).replace("-", "−") : "–");
  const title = () => bundle.estimators[state.estimator] ?? state.estimator;
  const controls = [select("estimator", "Show", estimators)];
  const plot = new Plot({
    spec: "depth", key: "similarity", rows: () => rowsOf.similarity(state.estimator), parameters: freeRange,
    title: () => [title(), soft(" — bands: 95 % over sequences")],
    describe: () => `${title()} by layer; at layer ${state.layer} the table beside it gives the values.`,
  });
  const legend = pairLegend("Pairs whose hidden states are compared", () => `${title()} at layer ${state.layer}`, () => {
    const found = new Map(table("cka").filter((row) => row.estimator === state.estimator && row.layer === state.layer).map((row) => [row.pair, row]));
    return [...measuredPairs("cka")].map((id) => ({ pair: pairs.get(id), found: { value: found.get(id)?.value }, text: fixed(found.get(id)?.value), row: found.get(id) }));
  }, [{ title: "95 %", number: true, show: ({ row }) => el("span", { class: "quiet" }, row && isNumber(row.low) ? `${fixed(row.low)} to ${fixed(row.high)}` : "–") }]);
  section("representations", "Does it compute something else?", ["Updates may differ and still make the same model. ", term("cka"), " compares hidden states on the same tokens, with the layer slider above."],
    { controls, plots: [plot], legend, layout: "legend" });
}

function buildAccuracy() {
  const benchmarks = [...new Set(table("accuracy").map((row) => row.benchmark))];
  const decodings = [...new Set(table("accuracy").map((row) => row.decoding))].map((name) => [name, name]);
  const controls = [select("decoding", "Decoding", decodings)];
  const facts = (benchmark) => table("accuracy").find((row) => row.benchmark === benchmark && row.decoding === state.decoding) ?? {};
  const charts = benchmarks.map((benchmark) => new Plot({
    spec: "accuracy", key: `accuracy-${benchmark}`, rows: () => rowsOf.accuracy(benchmark, state.decoding),
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
  section("accuracy", "What did it cost in accuracy?", [term("accuracy"), " against the base model's. Whiskers: 95 % intervals over problems. The numbers below give truncated and missing answers too."],
    { controls, plots: charts, layout: charts.length > 1 ? "two" : "square", after: table("mcnemar").length ? [{ node: tests, update }] : [] });
}

function buildRobustness() {
  const plot = new Plot({
    spec: "robustness", rows: rowsOf.robustness, parameters: (rows) => range(bundle.metrics.cosine)(rows),
    title: () => [`Similarity of two runs of one method, ${sayPlace()}`, soft(" — ● cosine, ◆ output-Gram alignment, ■ top output direction, ▲ top input direction; grey: ", term("chance", "chance"), " of the cosine")],
  });
  section("robustness", "Seed and learning rate", ["What a change of seed or of learning rate alone does (", term("robustness", "why it matters"), "). It bounds every comparison between methods above."],
    { plots: [plot], layout: "square", after: [...ceilings(), ...sensitivity()] });
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
    spec: "training", rows: () => rowsOf.training(state.quantity),
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
