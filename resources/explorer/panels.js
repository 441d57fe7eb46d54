// What is no chart: objectives, claims, samples, definitions, provenance.
function buildHead() {
  const facts = Object.entries(bundle.facts);
  const rollouts = table("rollouts")[0];
  const percent = (value) => `${(100 * value).toFixed(0)} %`;
  const listed = [...facts, [compared, bundle.runs.length], ["pairs", bundle.pairs.length]];
  if (rollouts) {
    listed.push(["rollouts", `${rollouts.rollouts} for ${rollouts.prompts} prompts`], ["correct", percent(rollouts.correct)]);
    if (isNumber(rollouts.groups_mixed)) listed.push([term("mixed", "mixed prompts"), percent(rollouts.groups_mixed)]);
  }
  const themes = { "": "system", light: "light", dark: "dark" };
  const theme = el("select", { id: "theme", onchange: () => change({ theme: theme.value }) }, Object.entries(themes).map(([value, text]) => el("option", { value }, text)));
  syncs.push(() => { theme.value = state.theme; });
  document.getElementById("head").append(
    el("div", { class: "headline" }, el("h1", {}, trained ? "What the choice of loss did to the weights" : "How these adapters changed the weights"),
      el("label", { class: "selects quiet" }, "Theme", theme)),
    el("p", { class: "lead" }, trained
      ? "One base model, one set of rollouts, one initialisation; only the loss differs. Which losses move the weights in one direction, which do not, and does it matter for what the model can do? Every similarity stands beside what chance gives."
      : "Adapters of one base model, compared by what they add to its weights. Every similarity stands beside what chance gives."),
    el("dl", { class: "facts" }, listed.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, String(value))))),
    el("nav", { class: "contents", "aria-label": "Sections" }));
}

function buildObjectives() {
  const labels = Object.keys(bundle.methods);
  if (!labels.length) return;
  const holder = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Objectives" });
  const update = () => {
    const rows = labels.map((label) => ({ ...bundle.methods[label], run: bundle.runs.find((run) => run.label === label) })).filter((row) => row.run);
    holder.replaceChildren(dataTable([
      { title: "method", show: (row) => el("span", { class: "row" }, runSwatch(row.run), row.title) },
      { title: "minimised", show: (row) => el("span", { class: "objective" }, row.objective) },
      { title: "learning rate", number: true, show: (row) => String(row.run.learning_rate) },
      { title: "steps", number: true, show: (row) => row.run.steps ?? "–" }, { title: "epochs", number: true, show: (row) => short(row.run.epochs) },
      { title: "tokens", number: true, show: (row) => (isNumber(row.run.tokens) ? row.run.tokens.toLocaleString("en") : "–") },
      { title: "source", show: (row) => row.citation },
    ], rows, null, "stack"));
  };
  const node = el("section", { id: "objectives", "aria-labelledby": "objectives-title" }, el("h2", { id: "objectives-title" }, "The objectives, written out"),
    el("p", {}, "pₜ is the model's probability of token t, r the reward of a rollout, sg stops the gradient. Equal steps are not equal epochs: a loss that uses fewer rollouts passes over them more often."), holder);
  main.append(node);
  sections.push({ id: "objectives", title: "Objectives", update });
}

const VERDICTS = { "same here": "✓ same here", "differs here": "✗ differs here", "cannot tell": "? cannot tell", "not tested": "– not tested" };

function buildClaims() {
  const rows = table("claims");
  if (!rows.length) return;
  const made = dataTable([
    { title: "claim", show: (row) => [row.claim, row.part ? ` ${row.part}` : ""] }, { title: "what it says", show: (row) => row.statement + (row.learning_rates === "matched" ? " (at matched learning rates)" : "") }, { title: "paper", key: "paper" },
    { title: "here", show: (row) => [row.ours || "–", row.predicted ? el("p", { class: "quiet" }, `Predicted before training, and what that added: ${row.predicted}`) : ""] }, { title: "chance or interval", show: (row) => [row.decoding, row.band, row.smallest_difference ? `${row.decoding ? "smallest visible difference" : "replicates differ by"} ${row.smallest_difference}` : ""].filter(Boolean).join("; ") || "–" },
    { title: "verdict", show: (row) => [el("strong", { class: "verdict" }, VERDICTS[row.verdict] ?? row.verdict), row.reason ? el("p", { class: "quiet" }, row.reason) : "",
      el("details", {}, el("summary", { "aria-label": `How claim ${row.claim} ${row.part ?? ""} is judged` }, "how"), el("p", {}, row.rule), el("p", { class: "quiet" }, row.caveat))] },
  ], rows, null, "stack wide");
  const node = el("section", { id: "claims", "aria-labelledby": "claims-title" }, el("h2", { id: "claims-title" }, "The paper's claims, tested here"),
    el("p", {}, "Each claim of arXiv:2606.23740 beside what this experiment finds. Another base model and other rollouts may well decide otherwise; that is a finding, not a failure."),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Claims" }, made));
  main.append(node);
  sections.push({ id: "claims", title: "Claims", update: () => {} });
}

function buildSamples() {
  const rows = table("samples");
  if (!rows.length) return;
  const sources = [...new Set(rows.map((row) => row.source))].map((source) => [source, source === "rollouts" ? "training rollouts" : `answers of ${runs.get(source)?.name ?? source}`]);
  const verdicts = [["", "all"], ...[...new Set(rows.map((row) => row.verdict))].sort().map((name) => [name, name])];
  const list = el("div");
  const update = () => {
    const shown = rows.filter((row) => row.source === state.source && (!state.verdict || row.verdict === state.verdict));
    list.replaceChildren(...shown.map((row) => el("article", { class: "sample" },
      el("h3", {}, `${row.verdict} · ${row.set} · ${row.problem_id} · ${row.n_tokens} tokens`),
      row.problem ? el("pre", {}, row.problem) : null, el("pre", { class: "completion" }, row.completion + (row.cut ? " […]" : "")),
      el("p", { class: "quiet" }, "found ", el("bdi", {}, row.extracted || "no answer"), row.answer ? ", expected " : "", row.answer ? el("bdi", {}, row.answer) : ""))));
    if (!shown.length) list.append(el("p", { class: "empty" }, "No such sample."));
  };
  const node = el("section", { id: "samples", "aria-labelledby": "samples-title" }, el("h2", { id: "samples-title" }, "What the model wrote"),
    el("p", {}, "The first few of each verdict, as they are."), el("div", { class: "selects" }, select("source", "Text", sources), select("verdict", "Verdict", verdicts)), list);
  main.append(node);
  sections.push({ id: "samples", title: "Samples", update });
}

function buildFoot() {
  const glossary = el("section", { id: "definitions", "aria-labelledby": "definitions-title" }, el("h2", { id: "definitions-title" }, "How to read each measurement"),
    el("dl", { class: "glossary" }, Object.entries(bundle.definitions).map(([key, [title, text]]) => el("div", { id: `def-${key}` }, el("dt", {}, title), el("dd", {}, text)))));
  main.append(glossary);
  sections.push({ id: "definitions", title: "Definitions", update: () => {} });
  const digests = Object.entries(bundle.digests).map(([name, digest]) => `${digest.slice(0, 16)}  ${name}`).join("\n");
  document.getElementById("foot").append(
    el("p", {}, `Experiment ${bundle.experiment}. Everything on this page comes from the tables named below (sha256, first 16 digits); the page asks the network for nothing.`),
    el("details", {}, el("summary", {}, "Provenance"), el("pre", { tabindex: 0 }, digests), bundle.versions ? el("pre", { tabindex: 0 }, Object.entries(bundle.versions).map(([name, version]) => `${name} ${version}`).join("\n")) : null,
      bundle.config ? el("pre", { tabindex: 0 }, bundle.config) : null));
}
