// One chart: a compiled definition, which makes its own rows of the tables and of what the controls say.
const plots = [];

// What is clicked in one chart is in focus in all: a pair, or a run beside the reference.
function focusOn(id) {
  if (pairs.has(id)) return change({ focus: id });
  if (!runs.has(id)) return undefined;
  const reference = bundle.runs.find((run) => run.label === bundle.reference)?.id;
  const found = bundle.pairs.find((pair) => [pair.a, pair.b].includes(id) && [pair.a, pair.b].includes(reference)) ?? bundle.pairs.find((pair) => [pair.a, pair.b].includes(id));
  return found && change({ focus: found.id });
}

class Plot {
  constructor({ spec, title, describe, key, own, given = {} }) {
    Object.assign(this, { spec, title, describe, given });
    this.caption = el("figcaption");
    this.box = el("div", { class: own ? "plot own" : "plot", role: "img" });
    this.none = el("p", { class: "empty", hidden: true }, "Nothing to show for this choice.");
    this.node = el("figure", { "data-chart": key ?? spec }, this.caption, this.box, this.none);
    this.asked = bundle.specs[spec].signals.map((signal) => signal.name);
    this.current = [];
    plots.push(this);
  }

  // Signals and tables by their names, as explorer/view.py fills a figure.
  filled() {
    const spec = bundle.specs[this.spec];
    const tables = { pairs: bundle.pairs, runs: bundle.runs };
    const rowsOf = (name) => (tables[name] ?? table(name)).map((row) => ({ ...row }));
    return {
      ...spec,
      signals: spec.signals.map((signal) => (signal.name in this.seen ? { ...signal, value: this.seen[signal.name] } : signal)),
      data: spec.data.map((source) => (source.source || source.values ? source : { ...source, values: rowsOf(source.name) })),
    };
  }

  async start() {
    const tooltip = (_, event, item, value) => {
      if (!value) return hideTip();
      const text = Object.entries(value).map(([name, shown]) => `${name}: ${shown}`).join("\n");
      showTip(text, { left: event.clientX + 12, bottom: event.clientY + 8, top: event.clientY - 8 });
    };
    // The expressions of the charts are interpreted, so that the page's policy can forbid the evaluation of text.
    const options = { mode: "vega", renderer: "svg", actions: false, ast: true, hover: true, tooltip, defaultStyle: false, logLevel: 1 };
    this.seen = this.wanted();
    const { view } = await vegaEmbed(this.box, this.filled(), options);
    // The figure has a description of its own; the parts of the drawing would only repeat it piecemeal.
    this.box.querySelector("svg").setAttribute("aria-hidden", "true");
    this.view = view;
    if (this.asked.includes("layer")) this.follow();
    this.view.addEventListener("click", (_, item) => focusOn(item?.datum?.id));
    this.say();
    this.caption.replaceChildren(...this.title());
    this.count();
    return this.feed();
  }

  wanted() {
    const all = { ...signals(), ...this.given };
    return Object.fromEntries(this.asked.filter((name) => name in all).map((name) => [name, all[name]]));
  }

  // A click on a chart over layers moves the slider there.
  follow() {
    this.view.addEventListener("click", (event) => {
      const box = this.box.querySelector("svg").getBoundingClientRect();
      const x = event.clientX - box.left - this.view.origin()[0];
      const layer = Math.round(this.view.scale("x").invert(x));
      if (layer >= 0 && layer < bundle.layers) change({ layer });
    });
  }

  update() {
    this.caption.replaceChildren(...this.title());
    if (this.view) this.feed();
    else this.started ??= this.start();
  }

  // Gives the chart what changed; where neither its rows nor how they are drawn did, that is no redrawing.
  feed() {
    const wanted = this.wanted();
    const same = (name) => this.seen[name] === wanted[name] || JSON.stringify(this.seen[name]) === JSON.stringify(wanted[name]);
    const changed = Object.keys(wanted).filter((name) => !same(name));
    if (!changed.length) return;
    this.seen = wanted;
    for (const name of changed) this.view.signal(name, wanted[name]);
    const before = JSON.stringify(this.current);
    this.view.run();
    this.say();
    if (JSON.stringify(this.current) !== before || changed.some((name) => ["focus", "layer", "dark"].includes(name))) this.count();
  }

  count() {
    this.redrawn = (this.redrawn ?? 0) + 1;
    this.node.dataset.redrawn = this.redrawn;
  }

  // Rows that the chart made, for the table of numbers; and whether there is anything to see.
  say() {
    this.current = this.view.data("rows");
    const filled = this.current.some((row) => isNumber(row.value));
    const shown = this.box.hidden && filled;
    this.none.hidden = filled;
    this.box.hidden = !filled;
    if (shown || this.width !== this.current.length) this.view.resize().run();
    this.width = this.current.length;
    this.box.setAttribute("aria-label", this.describe ? this.describe() : this.caption.textContent);
  }
}
