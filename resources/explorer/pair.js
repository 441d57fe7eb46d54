// Two runs, and in a few lines: how similar, compared with chance, in which layers, and what it cost in accuracy.
function buildPair() {
  if (!bundle.pairs.length) return;
  const options = bundle.runs.filter((run) => bundle.pairs.some((pair) => pair.a === run.id || pair.b === run.id));
  const choose = (key, label) => {
    const node = el("select", { "data-end": key }, options.map((run) => el("option", { value: run.id }, run.name)));
    node.addEventListener("change", () => choosePair(key, node.value));
    return el("label", {}, label, node);
  };
  const first = choose("a", "Compare");
  const second = choose("b", "with");
  const swatches = el("span", { "aria-hidden": "true" });
  const answer = el("div", { class: "answer", "aria-live": "polite" });
  const holder = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Measurements of this pair" });
  const node = el("section", { id: "pair", "aria-labelledby": "pair-title" }, el("h2", { id: "pair-title" }, `Two ${compared} in brief`),
    el("div", { class: "card" }, el("div", { class: "ask" }, first, second, swatches), answer, holder));
  main.append(node);
  const update = () => {
    const pair = pairs.get(state.focus);
    first.lastChild.value = pair.a;
    second.lastChild.value = pair.b;
    const partners = new Set(bundle.pairs.filter((other) => other.a === pair.a || other.b === pair.a).map((other) => (other.a === pair.a ? other.b : other.a)));
    for (const option of second.lastChild.options) option.disabled = !partners.has(option.value);
    swatches.replaceChildren(pairSwatch(pair));
    const said = sentences(pair);
    answer.replaceChildren(...(said.length ? said : ["No sentence of tables/findings.csv is about these two; their numbers follow."]).map((text) => el("p", {}, text)));
    holder.replaceChildren(dataTable([
      { title: "measurement", show: (row) => row.name }, { title: "value", show: (row) => row.value }, { title: "by chance", show: (row) => row.chance },
      { title: "in which layers", show: (row) => row.layers },
    ], brief(pair), null, "stack"));
  };
  sections.push({ id: "pair", title: `Two ${compared} in brief`, update });
}

function choosePair(end, run) {
  const now = pairs.get(state.focus);
  const other = end === "a" ? now.b : now.a;
  const joins = (pair, x, y) => (pair.a === x && pair.b === y) || (pair.a === y && pair.b === x);
  const found = bundle.pairs.find((pair) => joins(pair, run, other)) ?? bundle.pairs.find((pair) => pair.a === run || pair.b === run);
  change({ focus: found.id });
}

// One line per benchmark: the paired comparison under the chosen decoding, once, whatever questions it answers.
const pairedTests = (pair) => [...new Map(table("differences").filter((row) => row.pair === pair.id && row.decoding === state.decoding).reverse().map((row) => [row.benchmark, row])).values()].reverse();
const barriersOf = (pair) => table("barriers").filter((row) => `${row.run_a}--${row.run_b}` === pair.id);

// What findings.json says of two runs; nothing is judged here.
const sentences = (pair) => ["map", "connectivity", "representations", "accuracy"].flatMap((place) =>
  bundle.findings.filter((finding) => finding.section === place && isAbout(finding, pair)).slice(0, 1)).map((finding) => finding.statement);

function layersOf(metricKey, pair) {
  const metric = bundle.metrics[metricKey];
  const all = Array.from({ length: bundle.layers ?? 0 }, (_, layer) => ({ layer, ...measured(metricKey, pair, layer) })).filter((found) => isNumber(found.value));
  if (!all.length) return "–";
  const near = (found) => (metric.angle || metricKey === "orthogonal_fraction" ? -found.value : found.value);
  const sorted = [...all].sort((x, y) => near(y) - near(x));
  const [best, worst] = [sorted[0], sorted[sorted.length - 1]];
  const text = `most alike in ${best.layer} (${write(best.value, metric)}), least in ${worst.layer} (${write(worst.value, metric)})`;
  const lost = all.filter(inside).map((found) => found.layer);
  return lost.length === 0 ? text : lost.length === all.length ? "inside the chance band everywhere" : `${text}; chance in ${lost.join(", ")}`;
}

function brief(pair) {
  const rows = [];
  for (const [key, name] of [["cosine", "cosine"], ["gram_alignment.output", "gram_alignment"], ["top_direction.output", "top_direction"], ["angle_first.output", "angle"], ["orthogonal_fraction", "orthogonal_fraction"]]) {
    const found = measured(key, pair);
    const metric = bundle.metrics[key];
    if (!bundle.geometry?.metrics[key]) continue;
    const [from, to] = spread(key, pair);
    const over = isNumber(from) ? el("span", { class: "quiet" }, ` (${write(from, metric)} to ${write(to, metric)} over\u00a0`, el("span", { class: "whole" }, term("depth_spread", "depth"), ")")) : null;
    const why = noteOf(key, pair);
    rows.push({
      name: term(name, metric.title), value: [write(found.value, metric), over ?? "", why && !isNumber(found.value) ? ` ${why}` : ""],
      chance: [chanceText(found, metric), el("span", { class: "quiet" }, ` ${isNumber(found.value) ? metric.words[found.verdict] : "undefined"}`)], layers: layersOf(key, pair),
    });
  }
  for (const row of barriersOf(pair)) {
    rows.push({
      name: term("barrier", `Barrier, ${row.loss.replaceAll("_", " ")}`), value: `${short(row.difference)} (${short(row.difference_low)} to ${short(row.difference_high)})`,
      chance: [`control ${short(row.control)}`, el("span", { class: "quiet" }, ` ${row.verdict}`)], layers: "–",
    });
  }
  const similar = table("cka").filter((row) => row.pair === pair.id && row.estimator === "debiased" && isNumber(row.value));
  if (similar.length) {
    const low = similar.reduce((least, row) => (row.value < least.value ? row : least));
    rows.push({ name: term("cka", "CKA, debiased"), value: `at least ${low.value.toFixed(4)}`, chance: "0", layers: `lowest in ${low.layer}` });
  }
  const points = (value) => (isNumber(value) ? `${(100 * value).toFixed(1)} points`.replace("-", "−") : "–");
  const percent = (row) => (row ? `${(100 * row.accuracy).toFixed(1)} %` : "–");
  for (const benchmark of new Set(table("accuracy").map((row) => row.benchmark))) {
    const of = (run) => table("accuracy").find((row) => row.run === run && row.benchmark === benchmark && row.decoding === state.decoding);
    const test = pairedTests(pair).find((row) => row.benchmark === benchmark);
    if (!of(pair.a) && !of(pair.b)) continue;
    rows.push({
      name: term("accuracy", `Accuracy, ${benchmark} (${state.decoding})`), value: `${percent(of(pair.a))} and ${percent(of(pair.b))}; base ${percent(of("base"))}`,
      chance: test ? [`second − first: ${points(test.difference)} (${points(test.low)} to ${points(test.high)})`, el("span", { class: "quiet", title: test.reason ?? "" }, ` ${test.verdict}`)] : "–", layers: "–",
    });
  }
  return rows;
}
