// A link to the view, and the view as a file: SVG, PNG, or its numbers.
const HIDDEN = new Set(["id", "line", "dot", "dash", "order", "edge", "shift", "label_x", "label_y", "on", "tag", "row_order", "column_order", "similarity", "text", "place", "within"]);

function csvOf(rows) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) => !HIDDEN.has(name));
  // A field that a spreadsheet would run as a formula is kept as text.
  const field = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [columns.join(","), ...rows.map((row) => columns.map((name) => field(row[name])).join(","))].join("\n") + "\n";
}

// What the numbers are of, in lines that a reader of CSV is told to skip.
function headerOf(id) {
  const place = { section: id, focus: pairs.get(state.focus)?.name ?? "", layer: state.at ? state.layer : "all", projection: state.projection || "all" };
  const metric = { map: state.map, layers: state.depth, outputs: state.basis, angles: state.side, sizes: state.rank, connectivity: state.loss, representations: state.estimator, training: state.quantity }[id];
  const lines = Object.entries({ experiment: bundle.experiment, metric: metric ?? "", ...place, version: bundle.version, address: location.hash });
  return lines.map(([name, value]) => `# ${name}: ${String(value).replace(/[\r\n]/g, " ")}\n`).join("");
}

function save(name, address) {
  el("a", { href: address, download: name }).click();
}

function saveText(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  save(name, address);
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

async function saveDrawing(id, drawn, format) {
  for (const plot of drawn.filter((one) => one.view && !one.box.hidden)) {
    plot.view.background(state.dark ? "#15181d" : "#ffffff");
    const name = `${bundle.experiment}-${plot.node.dataset.chart}.${format}`;
    if (format === "svg") saveText(name, await plot.view.toSVG(), "image/svg+xml");
    else save(name, await plot.view.toImageURL("png", 2));
    plot.view.background("transparent");
  }
}

function tools(id, drawn, rows) {
  const copied = el("span", { class: "quiet", role: "status" });
  const link = () => {
    change({ section: id });
    const done = () => { copied.textContent = "The address of this view is copied."; };
    if (navigator.clipboard) navigator.clipboard.writeText(location.href).then(done, () => { copied.textContent = "The address bar holds this view."; });
    else copied.textContent = "The address bar holds this view.";
  };
  const button = (text, act) => el("button", { type: "button", onclick: act }, text);
  return el("p", { class: "tools" }, button("Copy link", link), drawn.length ? [
    button("SVG", () => saveDrawing(id, drawn, "svg")), button("PNG", () => saveDrawing(id, drawn, "png")),
    button("CSV", () => saveText(`${bundle.experiment}-${id}.csv`, headerOf(id) + csvOf(rows()), "text/csv")),
  ] : "", copied);
}
