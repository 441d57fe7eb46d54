// A second experiment beside this one: its explorer.json, read in the browser and sent nowhere.
function readOther(text, say) {
  let other = null;
  try {
    other = JSON.parse(text);
  } catch {
    // Said below: a file that is no JSON is no explorer.json either.
  }
  if (!Array.isArray(other?.findings)) return say("This is no explorer.json of an experiment; it lies beside explorer.html.", []);
  const theirs = new Map(other.findings.map((finding) => [finding.id, finding]));
  const both = bundle.findings.filter((finding) => theirs.has(finding.id));
  const name = String(other.experiment);
  return say(`${both.length} findings are in both experiments; ${bundle.findings.length - both.length} are in this one alone.`, both.map((finding) => ({ ours: finding, theirs: theirs.get(finding.id), name })));
}

function buildBeside() {
  if (!bundle.findings.length) return;
  const effect = (finding) => (isNumber(finding.value)
    ? `${short(finding.value)}${isNumber(finding.low) ? ` (${short(finding.low)} to ${short(finding.high)})` : ""} ${finding.unit}` : "–");
  const said = el("p", { role: "status", class: "quiet" });
  const holder = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Findings of both experiments" });
  const say = (text, rows) => {
    said.textContent = text;
    holder.replaceChildren(rows.length ? dataTable([
      { title: "question", show: ({ ours }) => ours.question },
      { title: bundle.experiment, show: ({ ours }) => [effect(ours), el("span", { class: "quiet" }, ` ${ours.verdict}`)] },
      { title: rows[0].name, show: ({ theirs }) => [effect(theirs), el("span", { class: "quiet" }, ` ${theirs.verdict}`)] },
    ], rows, null, "stack wide") : "");
  };
  const take = async (files) => files[0] && readOther(await files[0].text(), say);
  const input = el("input", { type: "file", id: "other", accept: ".json,application/json", onchange: () => take(input.files) });
  const field = el("label", { class: "drop" }, "Choose the explorer.json of another experiment, or drop it here ", input);
  field.addEventListener("dragover", (event) => event.preventDefault());
  field.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer.files);
  });
  addSection("beside", "Beside another experiment", [el("p", {}, "Findings that another experiment has too, its numbers beside these. The file is read here and sent nowhere.")], field, said, holder);
}
