// One chart: a compiled definition, fed with rows. It is drawn again only when its rows or its parameters change.
const plots = [];
const numbered = (value) => (isNumber(value) ? short(value) : String(value));

class Plot {
  constructor({ spec, title, rows, parameters = () => ({}), describe, key, own }) {
    Object.assign(this, { spec, rows, parameters, title, describe });
    this.caption = el("figcaption");
    this.box = el("div", { class: own ? "plot own" : "plot", role: "img" });
    this.none = el("p", { class: "empty", hidden: true }, "Nothing to show for this choice.");
    this.node = el("figure", { "data-chart": key ?? spec }, this.caption, this.box, this.none);
    this.seen = {};
    plots.push(this);
  }

  async start(spec) {
    this.drawn = spec;
    const tooltip = (_, event, item, value) => {
      if (!value) return hideTip();
      const text = Object.entries(value).map(([name, shown]) => `${name}: ${shown}`).join("\n");
      showTip(text, { left: event.clientX + 12, bottom: event.clientY + 8, top: event.clientY - 8 });
    };
    // The expressions of the charts are interpreted, so that the page's policy can forbid the evaluation of text.
    const options = { mode: "vega", renderer: "svg", actions: false, ast: true, hover: true, tooltip, defaultStyle: false, logLevel: 1 };
    const { view } = await vegaEmbed(this.box, bundle.specs[spec], options);
    // The figure has a description of its own; the parts of the drawing would only repeat it piecemeal.
    this.box.querySelector("svg").setAttribute("aria-hidden", "true");
    if (this.drawn !== spec) return view.finalize();
    this.view = view;
    this.seen = {};
    if (this.takes("layer")) this.follow();
    return this.feed();
  }

  takes(signal) {
    return bundle.specs[this.drawn].signals?.some((other) => other.name === signal);
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
    const rows = this.rows();
    this.current = rows;
    const filled = rows.some((row) => isNumber(row.value ?? row.similarity));
    this.none.hidden = filled;
    this.box.hidden = !filled;
    this.caption.replaceChildren(...this.title(rows));
    if (!filled) return;
    this.box.setAttribute("aria-label", this.describe ? this.describe(rows) : this.caption.textContent);
    const spec = typeof this.spec === "function" ? this.spec() : this.spec;
    if (this.drawn === spec) {
      if (this.view) this.feed();
      return;
    }
    this.view?.finalize();
    this.view = null;
    this.started = this.start(spec);
  }

  feed() {
    let changed = false;
    const print = JSON.stringify(this.current);
    if (print !== this.seen.rows) {
      this.seen.rows = print;
      this.view.data("rows", this.current);
      changed = true;
    }
    const given = { focus: state.focus, layer: state.layer, dark: state.dark, ...this.parameters(this.current) };
    for (const [name, value] of Object.entries(given)) {
      if (this.seen[name] !== value && this.takes(name)) {
        this.view.signal(name, value);
        this.seen[name] = value;
        changed = true;
      }
    }
    if (!changed) return;
    this.view.resize().run();
    this.redrawn = (this.redrawn ?? 0) + 1;
    this.node.dataset.redrawn = this.redrawn;
  }
}

// The range of a value axis: a metric's own, but a signed one starts at the lowest value or chance level that is shown.
function range(metric) {
  return (rows) => {
    const floor = metric.low < 0 ? Math.max(metric.low, Math.min(-0.05, ...values(rows).map((value) => value - 0.04))) : metric.low;
    return { floor, ceiling: metric.high, form: metric.angle ? ".0f" : ".1f" };
  };
}

// Decimals that tell a fifth of a range apart.
const decimals = (span) => Math.min(7, Math.max(1, Math.ceil(1 - Math.log10(span || 1))));

function freeRange(rows) {
  const all = values(rows);
  if (!all.length) return {};
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const margin = 0.06 * (high - low || Math.abs(high) || 1);
  return { floor: low - margin, ceiling: high + margin, form: `.${decimals(high - low + 2 * margin)}f` };
}

function values(rows) {
  return rows.flatMap((row) => [row.value, row.low, row.high, row.from, row.to]).filter(isNumber);
}
