// Small builders. Text always goes in as text, never as markup: model output is hostile.
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "selected") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function swatch(line, dot, dash = []) {
  const name = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(name, "svg");
  for (const [key, value] of Object.entries({ width: 22, height: 12, class: "swatch", "aria-hidden": "true" })) svg.setAttribute(key, value);
  const path = document.createElementNS(name, "path");
  for (const [key, value] of Object.entries({ d: "M1 6H21", stroke: line, "stroke-width": 3, "stroke-dasharray": dash.join(" ") })) path.setAttribute(key, value);
  const circle = document.createElementNS(name, "circle");
  for (const [key, value] of Object.entries({ cx: 11, cy: 6, r: 4.2, fill: dot })) circle.setAttribute(key, value);
  svg.append(path, circle);
  return svg;
}

const runSwatch = (run) => swatch(tint(run.colour), tint(run.colour));
const pairSwatch = (pair) => swatch(tint(pair.lines), tint(pair.dots));

// A word with its definition, on hover and on focus.
const tip = document.getElementById("tip");
function term(key, text) {
  const [title, definition] = bundle.definitions[key];
  const node = el("button", { type: "button", class: "term", "aria-describedby": `def-${key}` }, text ?? title);
  const show = () => showTip(`${title}: ${definition}`, node.getBoundingClientRect());
  node.addEventListener("mouseenter", show);
  node.addEventListener("focus", show);
  node.addEventListener("click", show);
  node.addEventListener("mouseleave", hideTip);
  node.addEventListener("blur", hideTip);
  return node;
}

function showTip(text, box) {
  tip.textContent = text;
  tip.hidden = false;
  const width = tip.offsetWidth;
  const left = Math.max(12, Math.min(box.left, document.documentElement.clientWidth - width - 12));
  const below = box.bottom + tip.offsetHeight + 8 < innerHeight;
  tip.style.left = `${left + scrollX}px`;
  tip.style.top = `${(below ? box.bottom + 6 : box.top - tip.offsetHeight - 6) + scrollY}px`;
}

function hideTip() {
  tip.hidden = true;
}
addEventListener("keydown", (event) => event.key === "Escape" && hideTip());

function select(key, label, options) {
  const node = el("select", { id: `select-${key}`, onchange: () => change({ [key]: node.value }) },
    options.map(([value, text]) => el("option", { value }, text)));
  const sync = () => {
    if (!options.some(([value]) => value === state[key])) state[key] = options[0]?.[0] ?? "";
    node.value = state[key];
  };
  sync();
  syncs.push(sync);
  return el("label", {}, label, node);
}

const syncs = [];

function dataTable(columns, rows, caption, kind) {
  const head = el("tr", {}, columns.map((column) => el("th", { scope: "col", class: column.number ? "n" : null }, column.title)));
  const body = rows.map((row) => el("tr", {}, columns.map((column, index) => {
    const value = column.show ? column.show(row) : row[column.key];
    const content = value instanceof Node || Array.isArray(value) ? value : isNumber(value) ? short(value) : value ?? "–";
    return index === 0 ? el("th", { scope: "row" }, content) : el("td", { class: column.number ? "n" : null, "data-title": column.title }, content);
  })));
  return el("table", { class: kind }, caption && el("caption", {}, caption), el("thead", {}, head), el("tbody", {}, body));
}
