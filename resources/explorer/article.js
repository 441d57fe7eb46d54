// What is read first: what was run, what was found, the losses, and how to read the rest.
function goTo(view, place) {
  const asked = new URLSearchParams(view);
  if (place) asked.set("section", place);
  if (state.theme) asked.set("theme", state.theme);
  history.pushState(null, "", `#${asked.toString().replaceAll("%2C", ",")}`);
  readHash();
  applyTheme();
  refresh();
  arrive();
}

// Scrolls to the section that the address names; its heading takes the focus, so that the keyboard goes on there.
function arrive() {
  const target = document.getElementById(state.section);
  if (!target) return;
  target.scrollIntoView();
  // Charts above that are drawn anew in the next frame may have another height.
  requestAnimationFrame(() => requestAnimationFrame(() => target.scrollIntoView()));
  const heading = target.querySelector("h2");
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

function buildHead() {
  const rollouts = table("rollouts")[0];
  const percent = (value) => `${(100 * value).toFixed(0)} %`;
  const own = bundle.runs.filter((run) => ["default", "seed", "learning_rate"].includes(run.arm));
  const facts = [...Object.values(bundle.facts), `${own.length} ${compared}`, `${bundle.pairs.length} pairs`];
  if (rollouts) facts.push(`${rollouts.rollouts} rollouts for ${rollouts.prompts} prompts, ${percent(rollouts.correct)} right`);
  const themes = { "": "system", light: "light", dark: "dark" };
  const theme = el("select", { id: "theme", onchange: () => change({ theme: theme.value }) }, Object.entries(themes).map(([value, text]) => el("option", { value }, text)));
  syncs.push(() => { theme.value = state.theme; });
  document.getElementById("head").append(
    el("div", { class: "headline" }, el("h1", {}, trained ? "What the choice of loss did to the weights" : "How these adapters changed the weights"),
      el("label", { class: "selects quiet" }, "Theme", theme)),
    el("p", { class: "lead" }, trained
      ? "One base model, one set of rollouts, one initialisation; only the loss differs. "
      : "Adapters of one base model, compared by what they add to its weights. ", `Run here: ${facts.join("; ")}.`,
    rollouts && isNumber(rollouts.groups_mixed) ? [" ", term("mixed", "Mixed prompts"), `: ${percent(rollouts.groups_mixed)}.`] : ""),
    el("nav", { class: "contents", "aria-label": "Sections" }));
}

function buildTakeaways() {
  const found = bundle.findings.filter((finding) => finding.rank).slice(0, 8);
  if (!found.length) return;
  const list = el("ol", { class: "takeaways" }, found.map((finding) => el("li", { "data-finding": finding.id },
    el("h3", {}, finding.question), el("p", {}, finding.statement),
    el("p", { class: "quiet" }, `Not shown: ${finding.not_shown}.`),
    el("button", { type: "button", onclick: () => goTo(finding.view, finding.section) }, "Show me"))));
  addSection("takeaways", "What was found", [el("p", { class: "quiet" }, "Each sentence is computed from the tables; tables/findings.csv has all of them, with intervals and verdicts.")], list);
}

// π_w, ε_low and the like as subscripts; single letters are variables, words are functions.
function typeset(text) {
  return text.split(/([A-Za-zα-ωΑ-Ω]+(?:_[a-z]+)?)/).map((part, index) => {
    if (index % 2 === 0) return part;
    const [name, below] = part.split("_");
    const letter = [...name].length === 1;
    return [letter ? el("i", {}, name) : name, below ? el("sub", {}, below) : ""];
  }).flat();
}

function buildObjectives() {
  const labels = Object.keys(bundle.methods);
  if (!labels.length) return;
  const told = bundle.told;
  const holder = el("div", { class: "cards" });
  const update = () => holder.replaceChildren(...labels.map((label) => {
    const run = bundle.runs.find((one) => one.label === label);
    const method = bundle.methods[label];
    const takes = told.methods[label.split("@")[0]];
    if (!run || run.arm === "control") return "";
    const facts = [["learning rate", String(run.learning_rate)], ["steps", run.steps ?? "–"], ["epochs", short(run.epochs)]];
    if (takes) facts.unshift([told.wrong, takes[0]], [told.reward, takes[1]], [told.reference, takes[2]]);
    return el("article", { class: "loss" }, el("h3", { class: "row" }, runSwatch(run), run.title), el("p", { class: "objective" }, typeset(method.objective)),
      el("dl", {}, facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))), el("p", { class: "quiet" }, method.citation));
  }));
  addSection("objectives", "The losses", [el("p", {}, "Minimised over the same rollouts, from the same initialisation. ", labels.includes("rift") && labels.includes("rft") ? told.one_family : "")],
    holder, el("dl", { class: "symbols" }, told.symbols.map(([symbol, meaning]) => el("div", {}, el("dt", { class: "objective" }, typeset(symbol)), el("dd", {}, meaning)))), el("p", { class: "quiet" }, "Equal steps are not equal epochs: a loss that takes fewer rollouts passes over them more often."));
  sections.at(-1).update = update;
}

function buildReading() {
  const read = bundle.told.reading.filter(([key]) => bundle.definitions[key]);
  addSection("reading", "How to read it", [], el("div", { class: "cards" }, read.map(([key, title, text]) =>
    el("article", { class: "loss" }, el("h3", {}, term(key, title)), el("p", {}, text)))));
}
