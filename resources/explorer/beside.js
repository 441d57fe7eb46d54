// A second experiment beside this one: its explorer.json, written into the page or read in the browser, and sent nowhere.
const NO_BUNDLE = "This is no explorer.json of an experiment; it lies beside explorer.html.";

function parsedOther(text) {
  try {
    const other = JSON.parse(text);
    return Array.isArray(other?.findings) ? other : null;
  } catch {
    return null;
  }
}

// The same verdict; where neither has one, intervals that meet. Of anything else the two say different things.
function alike({ ours, theirs }) {
  if (ours.verdict || theirs.verdict) return ours.verdict === theirs.verdict;
  return [ours, theirs].every((one) => isNumber(one.low)) && ours.low <= theirs.high && theirs.low <= ours.high;
}

// Cosines from -1 to 1, one line an experiment: the interval and the value, 0 and 1 marked.
function strip(both) {
  const at = (value) => 6 + 94 * (1 + value);
  const part = (tag, given) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(given)) node.setAttribute(key, value);
    return node;
  };
  const colours = [tint(bundle.base_colour), "currentColor"];
  const svg = part("svg", { width: 200, height: 34, class: "strip", "aria-hidden": "true" });
  svg.append(...[-1, 0, 1].map((value) => part("path", { d: `M${at(value)} 2V32`, class: "grid" })));
  both.forEach((one, index) => {
    const y = 11 + 13 * index;
    if (isNumber(one.low)) svg.append(part("path", { d: `M${at(one.low)} ${y}H${at(one.high)}`, stroke: colours[index], "stroke-width": 2 }));
    svg.append(part("circle", { cx: at(one.value), cy: y, r: 4, fill: index ? "none" : colours[0], stroke: colours[index], "stroke-width": 2 }));
  });
  return svg;
}

function buildBeside() {
  if (!bundle.findings.length) return;
  const effect = (finding) => [isNumber(finding.value) ? `${short(finding.value)}${isNumber(finding.low) ? ` (${short(finding.low)} to ${short(finding.high)})` : ""} ${finding.unit}` : "–",
    el("span", { class: "quiet" }, ` ${finding.verdict}`)];
  const said = el("p", { role: "status", class: "quiet" });
  const holder = el("div", { class: "found" });
  const tableOf = (rows, name) => el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Findings beside those of ${name}` }, dataTable([
    { title: "question", show: ({ ours }) => ours.question },
    { title: `● ${bundle.experiment}`, show: ({ ours }) => effect(ours) }, { title: `○ ${name}`, show: ({ theirs }) => effect(theirs) },
    { title: "cosines, −1 to 1", show: ({ ours, theirs }) => ([ours, theirs].every((one) => one.unit === "cosine" && isNumber(one.value)) ? strip([ours, theirs]) : "–") },
  ], rows, null, "stack wide"));
  const show = (other) => {
    if (!other) {
      said.textContent = NO_BUNDLE;
      return holder.replaceChildren();
    }
    const theirs = new Map(other.findings.map((finding) => [finding.id, finding]));
    const both = bundle.findings.filter((finding) => theirs.has(finding.id)).map((ours) => ({ ours, theirs: theirs.get(ours.id) }));
    const [same, apart] = [both.filter(alike), both.filter((row) => !alike(row))];
    const held = new Set(bundle.findings.map((finding) => finding.id));
    const alone = other.findings.filter((finding) => !held.has(finding.id)).length;
    const name = String(other.experiment);
    said.textContent = `${both.length} findings are in both experiments: ${same.length} the same, ${apart.length} different. ${bundle.findings.length - both.length} are in ${bundle.experiment} alone, ${alone} in ${name} alone.`;
    return holder.replaceChildren(...[["Different", apart], ["The same in both", same]].flatMap(([title, rows]) => (rows.length ? [el("h3", {}, title), tableOf(rows, name)] : [])));
  };
  const take = async (files) => files[0] && show(parsedOther(await files[0].text()));
  const input = el("input", { type: "file", id: "other", accept: ".json,application/json", onchange: () => take(input.files) });
  const field = el("label", { class: "drop" }, "Choose the explorer.json of another experiment, or drop it here ", input);
  field.addEventListener("dragover", (event) => event.preventDefault());
  field.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer.files);
  });
  addSection("beside", "Beside another experiment", [el("p", {}, "What holds in both experiments, and what does not. Two findings are the same where their verdicts are; where there is none, where their intervals meet. The file is read here and sent nowhere.")], field, said, holder);
  if (bundle.other) show(bundle.other);
}
