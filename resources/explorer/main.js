// Builds the page from what the bundle holds, then keeps every part in step with the state.
function refresh() {
  syncs.forEach((sync) => sync());
  sections.forEach((part) => part.update());
}

// The order of the article; a section that is not named, such as that of a new stage, comes before what the models wrote.
const ORDER = ["takeaways", "objectives", "reading", "predicted", "regimes", "composition", "pair", "map", "where", "layers", "cosine_by_step", "step_map", "plane", "outputs", "angles", "sizes",
  "connectivity", "representations", "behaviour", "accuracy", "forgetting", "edits", "direction_by_norm", "robustness", "training", "", "texts", "rollouts", "numbers", "claims", "beside", "definitions", "methods"];
const placeOf = (id) => (ORDER.includes(id) ? ORDER.indexOf(id) : ORDER.indexOf(""));

function build() {
  readHash();
  applyTheme();
  buildHead();
  buildBar();
  buildTakeaways();
  buildObjectives();
  if (bundle.geometry) buildReading();
  buildPair();
  if (bundle.geometry) {
    buildMap();
    buildWhere();
    buildDepth();
    buildBasis();
    buildAngles();
    buildSizes();
  }
  if (table("connectivity").length) buildPaths();
  bundle.panels.forEach(buildPanel);
  if (table("accuracy").length) buildAccuracy();
  if (bundle.pairs.some((pair) => pair.kind !== "methods") && bundle.geometry) buildRobustness();
  if (table("training").length) buildTraining();
  buildTexts();
  buildRollouts();
  buildClaims();
  buildBeside();
  buildFoot();
  sections.sort((one, other) => placeOf(one.id) - placeOf(other.id));
  main.append(...sections.map((part) => document.getElementById(part.id)));
  document.querySelector("nav.contents").append(...sections.map((part) => el("a", { href: `#${part.id}` }, part.title)));
  syncs.forEach((sync) => sync());
}

// Sections are drawn one after another, from the top, so that the first is there at once.
async function drawAll() {
  for (const part of sections) {
    part.update();
    await Promise.all(plots.map((plot) => plot.started));
    part.update();
  }
  document.documentElement.dataset.ready = "true";
  arrive();
}

build();
drawAll();
addEventListener("hashchange", () => {
  if (!location.hash.includes("=") && location.hash) return;
  readHash();
  applyTheme();
  refresh();
  arrive();
});
systemDark.addEventListener("change", () => {
  applyTheme();
  refresh();
});
