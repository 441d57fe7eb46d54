// What the controls say, kept in the address so that a view can be linked to.
const bundle = await readBundle(document.getElementById("bundle").textContent);

// Everything that the page shows lies in it as compressed JSON.
async function readBundle(text) {
  if (text.startsWith("{")) return JSON.parse(text);
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}
const ARMS = [["default", "default runs"], ["seed", "other seeds and orders"], ["learning_rate", "other learning rates"], ["snapshot", "snapshots"],
  ["control", "controls"], ["edit", "edits"]]
  .filter(([arm]) => bundle.runs.some((run) => run.arm === arm));

const initial = () => ({
  ...structuredClone(bundle.initial), pairs: null, theme: "", section: "", source: "", verdict: "", benchmark: "", writer: "", flip: "", search: "",
  ...Object.fromEntries(bundle.panels.filter((panel) => panel.select).map((panel) => [panel.select, panel.options[0][0]])),
});
const state = initial();

function readHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  const fresh = initial();
  const list = (key) => (given.has(key) ? given.get(key).split(",").filter(Boolean) : null);
  const known = new Set(bundle.pairs.map((pair) => pair.id));
  for (const [key, value] of Object.entries(fresh)) {
    if (typeof value === "string" && !["projection", "focus", "theme"].includes(key) && given.has(key)) fresh[key] = given.get(key);
  }
  const layer = Number.parseInt(given.get("layer"), 10);
  if (layer >= 0 && layer < (bundle.layers ?? 1)) fresh.layer = layer;
  fresh.at = given.get("at") === "layer" && bundle.layers > 0;
  if ((bundle.projections ?? []).includes(given.get("projection"))) fresh.projection = given.get("projection");
  const labels = bundle.runs.map((run) => run.label);
  fresh.off = (list("off") ?? []).filter((label) => labels.includes(label));
  fresh.arms = list("arms")?.filter((arm) => ARMS.some(([name]) => name === arm)) ?? fresh.arms;
  fresh.pairs = list("pairs")?.filter((pair) => known.has(pair)) ?? null;
  if (known.has(given.get("focus"))) fresh.focus = given.get("focus");
  if (["light", "dark"].includes(given.get("theme"))) fresh.theme = given.get("theme");
  Object.assign(state, fresh);
}

function writeHash() {
  const usual = initial();
  const given = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) {
    if (key === "dark" || JSON.stringify(value) === JSON.stringify(usual[key])) continue;
    given.set(key, key === "at" ? "layer" : Array.isArray(value) ? value.join(",") : String(value));
  }
  const hash = given.toString().replaceAll("%2C", ",");
  // Anchors of sections share the address; an untouched page keeps its own.
  if (hash || location.hash.includes("=")) history.replaceState(null, "", `#${hash}`);
}

const systemDark = matchMedia("(prefers-color-scheme: dark)");
function applyTheme() {
  state.dark = state.theme ? state.theme === "dark" : systemDark.matches;
  document.documentElement.dataset.theme = state.dark ? "dark" : "light";
}

let pending = 0;
function change(values) {
  Object.assign(state, values);
  applyTheme();
  writeHash();
  // Many events of a dragged slider become one redrawing per frame.
  pending ||= requestAnimationFrame(() => {
    pending = 0;
    refresh();
  });
}
