// Builds the page from what the bundle holds, then keeps every part in step with the state.
function refresh() {
  syncs.forEach((sync) => sync());
  sections.forEach((part) => part.update());
}

function build() {
  readHash();
  applyTheme();
  buildHead();
  buildBar();
  buildPair();
  buildClaims();
  buildObjectives();
  if (bundle.geometry) {
    buildMap();
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
  buildSamples();
  buildFoot();
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
}

build();
drawAll();
addEventListener("hashchange", () => {
  if (!location.hash.includes("=") && location.hash) return;
  readHash();
  applyTheme();
  refresh();
});
systemDark.addEventListener("change", () => {
  applyTheme();
  refresh();
});
