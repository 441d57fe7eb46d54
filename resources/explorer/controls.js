// The bar that stays in sight: the layer, where pairwise charts are read, and which runs and pairs take part.
function buildBar() {
  const bar = el("div");
  document.getElementById("bar").append(bar);
  const row = el("div", { class: "row" });
  if (bundle.layers > 0) {
    const value = el("output", { for: "layer" });
    const slider = el("input", { id: "layer", type: "range", min: 0, max: bundle.layers - 1, step: 1, oninput: () => change({ layer: Number(slider.value) }) });
    const at = el("input", { type: "checkbox", id: "at", onchange: () => change({ at: at.checked }) });
    syncs.push(() => {
      slider.value = state.layer;
      slider.setAttribute("aria-valuetext", `layer ${state.layer} of 0 to ${bundle.layers - 1}`);
      value.textContent = String(state.layer);
      at.checked = state.at;
    });
    row.append(el("label", { class: "wide" }, "Layer", slider, value), el("label", {}, at, "maps at this layer"));
  }
  if ((bundle.projections ?? []).length > 1) {
    row.append(select("projection", "Matrices", [["", "all"], ...bundle.projections.map((name) => [name, name])]));
  }
  if (bundle.pairs.length) {
    const focus = el("a", { href: "#pair", class: "focus" });
    syncs.push(() => focus.replaceChildren(pairSwatch(pairs.get(state.focus)), ` ${pairs.get(state.focus).name}`));
    row.append(el("span", { class: "quiet" }, "In focus: ", focus));
  }
  bar.append(row, buildFilters());
}

function buildFilters() {
  const toggle = (checked, onchange, ...content) => {
    const box = el("input", { type: "checkbox" });
    box.addEventListener("change", () => onchange(box.checked));
    syncs.push(() => { box.checked = checked(); });
    return el("label", {}, box, ...content);
  };
  const without = (list, item, add) => (add ? [...list, item] : list.filter((other) => other !== item));
  const first = [...new Map(bundle.runs.map((run) => [run.label, run])).values()].reverse().map((run) => bundle.runs.find((other) => other.label === run.label)).reverse();
  const methods = el("fieldset", {}, el("legend", {}, trained ? "Methods" : "Adapters"), el("div", { class: "choices" }, first.map((run) => {
    const holder = el("span", { class: "row" });
    syncs.push(() => holder.replaceChildren(runSwatch(run)));
    return toggle(() => !state.off.includes(run.label), (on) => change({ off: without(state.off, run.label, !on) }), holder, run.name);
  })));
  const arms = ARMS.length > 1 ? el("fieldset", {}, el("legend", {}, "Runs"), el("div", { class: "choices" }, ARMS.map(([arm, title]) =>
    toggle(() => state.arms.includes(arm), (on) => change({ arms: without(state.arms, arm, on) }), title)))) : null;
  const list = el("div", { class: "choices pairs" });
  const fieldset = el("fieldset", {}, el("legend", {}, "Pairs drawn as lines and bars"),
    el("p", { class: "choices" },
      el("button", { type: "button", onclick: () => change({ pairs: null }) }, "usual"),
      el("button", { type: "button", onclick: () => change({ pairs: visiblePairs().map((pair) => pair.id) }) }, "all"),
      el("button", { type: "button", onclick: () => change({ pairs: [] }) }, "only the one in brief")), list);
  let built = "";
  syncs.push(() => {
    const visible = visiblePairs();
    const chosen = new Set(chosenPairs().map((pair) => pair.id));
    const print = `${visible.map((pair) => pair.id)} ${state.dark}`;
    if (print !== built) {
      built = print;
      list.replaceChildren(...visible.map((pair) => {
        const box = el("input", { type: "checkbox", "data-pair": pair.id });
        box.addEventListener("change", () => change({ pairs: without(chosenPairs().map((other) => other.id), pair.id, box.checked) }));
        return el("label", {}, box, pairSwatch(pair), pair.name);
      }));
    }
    for (const box of list.querySelectorAll("input")) {
      box.checked = chosen.has(box.dataset.pair);
      box.disabled = box.dataset.pair === state.focus;
    }
  });
  const summary = el("summary", {});
  const details = el("details", { class: "filters" }, summary, el("div", { class: "panel" }, el("div", {}, methods, arms, fieldset)));
  syncs.push(() => {
    summary.textContent = `${trained ? "Runs" : "Adapters"} and pairs: ${shownRuns().length} of ${bundle.runs.length} ${compared}, ${chosenPairs().length} of ${bundle.pairs.length} pairs`;
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && details.open) {
      details.open = false;
      summary.focus();
    }
  });
  document.addEventListener("click", (event) => { if (!details.contains(event.target)) details.open = false; });
  return details;
}
