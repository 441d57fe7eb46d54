// The paper's claims, definitions, provenance.
const VERDICTS = { "same here": "✓ same here", "differs here": "✗ differs here", "cannot tell": "? cannot tell", "not tested": "– not tested" };

const SHORTEST_FOLDED = 180;

// The tables name runs by their ids, which nobody says; longest first, as one may begin another.
const byLength = [...runs.values()].sort((one, other) => other.id.length - one.id.length);
const anyOf = (names) => names.map((name) => name.replace(/[^\w-]/g, "\\$&")).join("|");
const anyId = anyOf(byLength.map((run) => run.id));
const ofPairs = new RegExp(`(${anyId}) (?=${anyId})`, "g");
const titles = new Map(byLength.map((run) => [run.label, run.title]));
const anyLabel = anyOf([...titles.keys()].sort((one, other) => other.length - one.length));
const ofLosses = new RegExp(`\\b(${anyLabel})(-| less )(${anyLabel}|base)\\b`, "g");
const spoken = (text) => byLength.reduce((said, run) => said.replaceAll(run.id, run.name), text.replace(ofPairs, "$1 – "))
  .replace(ofLosses, (_, one, between, other) => `${titles.get(one)}${between === "-" ? " – " : between}${titles.get(other) ?? "the base"}`);

// The first numbers of many; the others on demand.
function folded(text) {
  const said = spoken(text);
  if (said.length <= SHORTEST_FOLDED) return [said];
  const end = said.lastIndexOf(" ", SHORTEST_FOLDED / 2);
  return [`${said.slice(0, end)} …`, el("details", {}, el("summary", {}, "all"), el("p", {}, said))];
}

function buildClaims() {
  const rows = table("claims");
  if (!rows.length) return;
  const made = dataTable([
    { title: "claim", show: (row) => [row.claim, row.part ? ` ${row.part}` : ""] }, { title: "what it says", show: (row) => row.statement + (row.learning_rates === "matched" ? " (at matched learning rates)" : "") }, { title: "paper", key: "paper" },
    { title: "here", show: (row) => [...folded(row.ours || "–"), row.predicted ? el("div", { class: "quiet" }, "Predicted before training, and what that added: ", ...folded(row.predicted)) : ""] }, { title: "chance or interval", show: (row) => folded([row.decoding, row.band, row.smallest_difference ? `${row.decoding ? "smallest visible difference" : "replicates differ by"} ${row.smallest_difference}` : ""].filter(Boolean).join("; ") || "–") },
    { title: "verdict", show: (row) => [el("strong", { class: "verdict" }, VERDICTS[row.verdict] ?? row.verdict), row.reason ? el("div", { class: "quiet" }, ...folded(row.reason)) : "",
      el("details", {}, el("summary", { "aria-label": `How claim ${row.claim} ${row.part ?? ""} is judged` }, "how"), el("p", {}, row.rule), el("p", { class: "quiet" }, row.caveat))] },
  ], rows, null, "stack wide");
  const node = el("section", { id: "claims", "aria-labelledby": "claims-title" }, el("h2", { id: "claims-title" }, "The paper's claims, tested here"),
    el("p", {}, "Each claim of arXiv:2606.23740 beside what this experiment finds. Another base model and other rollouts may well decide otherwise; that is a finding, not a failure."),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Claims" }, made));
  main.append(node);
  sections.push({ id: "claims", title: "Claims", update: () => {} });
}

function buildFoot() {
  const glossary = el("section", { id: "definitions", "aria-labelledby": "definitions-title" }, el("h2", { id: "definitions-title" }, "How to read each measurement"),
    el("dl", { class: "glossary" }, Object.entries(bundle.definitions).map(([key, [title, text]]) => el("div", { id: `def-${key}` }, el("dt", {}, title), el("dd", {}, text)))));
  main.append(glossary);
  sections.push({ id: "definitions", title: "Definitions", update: () => {} });
  const made = Object.values(bundle.digests)[0]?.slice(0, 16) ?? "";
  const cite = [`@software{lossgeometry,`, `  title = {lossgeometry: what the choice of training loss does to the weights},`, `  author = {{The lossgeometry authors}},`,
    `  version = {${bundle.version}},`, `  note = {experiment ${bundle.experiment}, tables from ${made}}`, `}`, `@article{weightspacegeometry,`,
    `  title = {Weight-Space Geometry of Offline Reasoning Training},`, `  author = {Nikolich, Aleksandr and Kiselev, Igor and Platonov, Vladimir and Romanova, Karina},`,
    `  journal = {arXiv:2606.23740},`, `  year = {2026}`, `}`].join("\n");
  addSection("methods", "Methods, provenance, how to cite", [el("p", {}, `Made by lossgeometry ${bundle.version}. What each number is and where it ends is told under “How to read each measurement”; columns and units in docs/tables.md; the settings of this experiment are below.`)],
    el("pre", { class: "cite", tabindex: 0, "aria-label": "BibTeX entry" }, cite), el("p", { class: "tools" }, el("button", { type: "button", onclick: () => saveText("lossgeometry.bib", `${cite}\n`, "text/plain") }, "BibTeX")));
  const digests = Object.entries(bundle.digests).map(([name, digest]) => `${digest.slice(0, 16)}  ${name}`).join("\n");
  document.getElementById("foot").append(
    el("p", {}, `Experiment ${bundle.experiment}. Everything on this page comes from the tables named below (sha256, first 16 digits); the page asks the network for nothing.`),
    el("details", {}, el("summary", {}, "Provenance"), el("pre", { tabindex: 0 }, digests), bundle.versions ? el("pre", { tabindex: 0 }, Object.entries(bundle.versions).map(([name, version]) => `${name} ${version}`).join("\n")) : null,
      bundle.config ? el("pre", { tabindex: 0 }, bundle.config) : null));
}
