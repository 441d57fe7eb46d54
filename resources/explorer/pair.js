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
  const answer = el("p", { class: "answer", "aria-live": "polite" });
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
    answer.textContent = sentence(pair);
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

// The tables' verdict in words: below chance is more alike for an angle, less for a similarity.
function verdict(found, metric) {
  if (!isNumber(found.value)) return "undefined";
  if (found.verdict === "-") return "";
  if (found.verdict === "i") return "no more alike than chance";
  const above = found.verdict === "a";
  if (metric.name === "orthogonal_fraction" || metric.angle) return above ? "further apart than chance" : "more alike than chance";
  return above ? "more alike than chance" : metric.low < 0 ? "opposed, beyond chance" : "less alike than chance";
}

function sentence(pair) {
  const [a, b] = [runs.get(pair.a).name, runs.get(pair.b).name];
  const cosine = measured("cosine", pair);
  const parts = [];
  if (isNumber(cosine.value)) {
    const words = Math.abs(cosine.value) > 0.9 ? "nearly one direction" : inside(cosine) ? "unrelated directions" : Math.abs(cosine.value) > 0.4 ? "related directions" : "nearly orthogonal directions";
    parts.push(`${a} and ${b} changed the weights in ${words} (cosine ${write(cosine.value, bundle.metrics.cosine)}, chance ${chanceText(cosine, bundle.metrics.cosine)}).`);
    const gram = measured("gram_alignment.output", pair);
    if (isNumber(gram.value) && gram.value > 2 * Math.abs(cosine.value) && gram.value > (gram.high ?? 0) && gram.value > 0.3) {
      parts.push("They write to much the same outputs, though they read other inputs.");
    }
  }
  const barrier = table("barriers").find((row) => `${row.run_a}--${row.run_b}` === pair.id);
  if (barrier) {
    parts.push({
      barrier: "A loss barrier lies between them.", "no barrier": "No loss barrier lies between them.",
    }[barrier.verdict] ?? "Whether a loss barrier lies between them cannot be told.");
  }
  const tests = table("mcnemar").filter((row) => `${row.run_a}--${row.run_b}` === pair.id);
  if (tests.length) {
    const apart = tests.filter((row) => isNumber(row.p_holm) && row.p_holm < 0.05).map((row) => row.benchmark);
    parts.push(apart.length ? `Their greedy accuracy differs on ${apart.join(" and ")}.` : "Their greedy accuracy cannot be told apart.");
  }
  return parts.join(" ");
}

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
    const over = isNumber(from) ? el("span", { class: "quiet" }, ` (${write(from, metric)} to ${write(to, metric)} over `, term("depth_spread", "depth"), ")") : null;
    const why = noteOf(key, pair);
    rows.push({
      name: term(name, metric.title), value: [write(found.value, metric), over ?? "", why && !isNumber(found.value) ? ` ${why}` : ""],
      chance: [chanceText(found, metric), el("span", { class: "quiet" }, ` ${verdict(found, metric)}`)], layers: layersOf(key, pair),
    });
  }
  for (const row of table("barriers").filter((other) => `${other.run_a}--${other.run_b}` === pair.id)) {
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
  const percent = (row) => (row ? `${(100 * row.accuracy).toFixed(1)} %` : "–");
  for (const benchmark of new Set(table("accuracy").map((row) => row.benchmark))) {
    const of = (run) => table("accuracy").find((row) => row.run === run && row.benchmark === benchmark && row.decoding === state.decoding);
    const test = table("mcnemar").find((row) => `${row.run_a}--${row.run_b}` === pair.id && row.benchmark === benchmark);
    if (!of(pair.a) && !of(pair.b)) continue;
    rows.push({
      name: term("accuracy", `Accuracy, ${benchmark} (${state.decoding})`), value: `${percent(of(pair.a))} and ${percent(of(pair.b))}; base ${percent(of("base"))}`,
      chance: test && state.decoding === "greedy" ? [term("mcnemar", "p"), ` ${short(test.p)}, Holm ${short(test.p_holm)}`] : "–", layers: "–",
    });
  }
  return rows;
}
