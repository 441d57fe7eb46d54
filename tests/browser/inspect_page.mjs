// Opens pages in headless Chromium, uses them as a reader would, and prints what happened as a list in JSON.
// node inspect_page.mjs <chromium> <file with a JSON list of {page, width, theme, fragment, use}>
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, list] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// Nothing here measures time; a busy machine may take long.
const PATIENCE = 180000;

async function inspect(browser, { page: file, width, theme: colorScheme, fragment: hash, use }) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, reducedMotion: "reduce" });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const found = { requests: [], messages: [], steps: {} };
  const address = pathToFileURL(file).href;
  page.on("request", (request) => request.url().split("#")[0] !== address && request.url() !== "data:," && found.requests.push(request.url()));
  page.on("console", (message) => found.messages.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => found.messages.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => { found.messages.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });

  const open = async (target) => {
    await target.goto(address + hash);
    await target.waitForSelector("html[data-ready]");
  };
  const settle = () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60)))));
  const redrawn = () => page.evaluate(() => Object.fromEntries([...document.querySelectorAll("[data-chart]")].map((node) => [node.dataset.chart, Number(node.dataset.redrawn ?? 0)])));
  const step = async (name, act) => {
    const before = await redrawn();
    await act();
    await settle();
    const after = await redrawn();
    found.steps[name] = Object.keys(after).filter((chart) => after[chart] !== before[chart]).sort();
  };
  const press = async (selector, ...keys) => {
    await page.locator(selector).first().focus();
    for (const key of keys) await page.keyboard.press(key);
  };

  await open(page);
  found.charts = Object.keys(await redrawn()).sort();
  found.sections = await page.$$eval("main > section", (nodes) => nodes.map((node) => node.id));
  found.brief = await page.evaluate(() => document.querySelector("#pair .answer")?.textContent ?? null);
  found.overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

  // Text that a chart cuts off, and text that lies on other text.
  found.cut = await page.evaluate(() => [...document.querySelectorAll(".plot:not([hidden]) svg")].flatMap((svg) => {
    const frame = svg.getBoundingClientRect();
    return [...svg.querySelectorAll("text")].filter((text) => text.textContent.trim() && getComputedStyle(text).opacity !== "0").filter((text) => {
      const box = text.getBoundingClientRect();
      return box.left < frame.left - 1.5 || box.right > frame.right + 1.5 || box.top < frame.top - 1.5 || box.bottom > frame.bottom + 1.5;
    }).map((text) => `${svg.closest("figure").dataset.chart}: ${text.textContent}`);
  }));
  found.overlapping = await page.evaluate(() => [...document.querySelectorAll(".plot:not([hidden]) svg")].flatMap((svg) => {
    const texts = [...svg.querySelectorAll("text")].filter((text) => text.textContent.trim() && text.getAttribute("opacity") !== "0" && !/rotate/.test(text.getAttribute("transform")));
    const boxes = texts.map((text) => text.getBoundingClientRect());
    const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4;
    return texts.flatMap((text, i) => texts.slice(i + 1).filter((_, j) => meet(boxes[i], boxes[i + 1 + j])).map((other) => `${svg.closest("figure").dataset.chart}: ${text.textContent} / ${other.textContent}`));
  }));

  await page.evaluate(() => document.querySelectorAll("main details").forEach((node) => { node.open = true; }));
  await settle();
  await page.evaluate(axe);
  found.axe = await page.evaluate(async () => (await axe.run()).violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 160)}`)));
  await page.evaluate(() => document.querySelectorAll("main details").forEach((node) => { node.open = false; }));

  if (!use) {
    await context.close();
    return found;
  }

  if (await page.locator("#layer").count()) {
    await step("layer", () => press("#layer", "ArrowRight"));
    await step("at", () => press("#at", "Space"));
    await step("layer and at", () => press("#layer", "Home"));
    if (await page.locator("#select-projection").count()) await step("projection", () => press("#select-projection", "ArrowDown"));
  }
  await press("details.filters summary", "Enter");
  await step("pair", () => press("details.filters .pairs input:enabled", "Space"));
  await step("method", () => press("details.filters fieldset:first-of-type label:nth-of-type(2) input", "Space"));
  await press("details.filters summary", "Enter");
  for (const key of ["map", "depth", "basis", "side", "rank", "loss", "estimator", "decoding", "quantity"]) {
    const last = await page.evaluate((id) => { const node = document.getElementById(id); return node && node.selectedIndex === node.options.length - 1; }, `select-${key}`);
    if ((await page.locator(`#select-${key} option`).count()) > 1) await step(key, () => press(`#select-${key}`, last ? "ArrowUp" : "ArrowDown"));
  }
  await step("theme", () => page.locator("#theme").selectOption(colorScheme === "dark" ? "light" : "dark"));
  found.theme = await page.evaluate(() => document.documentElement.dataset.theme);

  // Definitions on focus, gone with Escape.
  await page.locator("button.term").first().focus();
  found.tip = await page.locator("#tip").textContent();
  await page.keyboard.press("Escape");
  found.tipGone = await page.locator("#tip").isHidden();

  // The address gives the same view again.
  const says = (target) => target.evaluate(() => [...document.querySelectorAll("select, input")].map((node) => (node.type === "checkbox" ? node.checked : node.value)).concat([...document.querySelectorAll(".legend-table, #pair")].map((node) => node.innerText)));
  const copy = await context.newPage();
  await copy.goto(page.url());
  await copy.waitForSelector("html[data-ready]");
  found.sameView = JSON.stringify(await says(page)) === JSON.stringify(await says(copy));
  await copy.close();

  // The file that a reader saves is what the chart shows.
  if (await page.locator("#layers").count()) {
    await page.evaluate(() => { document.querySelector("#layers details.numbers").open = true; });
    const [saved] = await Promise.all([page.waitForEvent("download"), page.locator("#layers .tools button", { hasText: "CSV" }).click()]);
    found.csv = readFileSync(await saved.path(), "utf8");
  }

  // Each takeaway's button leads to what it is about: section, sentence and pair in focus.
  found.takeaways = [];
  for (const item of await page.locator(".takeaways li").all()) {
    await item.locator("button").focus();
    await page.keyboard.press("Enter");
    await settle();
    found.takeaways.push({ id: await item.getAttribute("data-finding"), statement: await item.locator("p").first().textContent(), ...await page.evaluate(() => {
      const section = document.activeElement.closest("section");
      const box = section?.getBoundingClientRect();
      return { section: section?.id, inView: Boolean(box) && box.top > -2 && box.top < innerHeight / 2, said: [...section?.querySelectorAll(".finding") ?? []].map((node) => node.textContent), address: location.hash };
    }) });
  }

  // A cell of the map that is clicked, or tapped, is the pair in focus everywhere. Not one that is so already: its box is larger.
  if (await page.locator("#map").count()) {
    await page.evaluate(() => document.querySelector("#map").scrollIntoView());
    await page.locator('[data-chart=map] svg .mark-rect path[stroke-width="0"]').nth(3).click({ position: { x: 4, y: 4 } });
    await settle();
    found.focus = await page.evaluate(() => [document.querySelector("a.focus").textContent.trim(), document.querySelector("[data-chart=where] figcaption strong").textContent]);
  }

  // A figure as a file, and how to cite.
  if (await page.locator("#map .tools").count()) {
    const [drawn] = await Promise.all([page.waitForEvent("download"), page.locator("#map .tools button", { hasText: "SVG" }).click()]);
    found.svg = readFileSync(await drawn.path(), "utf8").slice(0, 400);
    found.cite = await page.locator(".cite").textContent();
  }

  // What every section says of one pair, chosen by its second run.
  const partner = await page.$$eval('#pair select[data-end="b"] option', (nodes) => nodes.find((node) => node.textContent === "DPO")?.value ?? null);
  if (partner) {
    await page.evaluate(() => { location.hash = "#theme=light&section=pair"; });
    await settle();
    await page.locator('#pair select[data-end="b"]').selectOption(partner);
    await settle();
    found.answers = await page.evaluate(() => Object.fromEntries([...document.querySelectorAll("main > section")].map((node) => [node.id, [...node.querySelectorAll(".finding")].map((text) => text.textContent)])));
  }

  // On paper: every term, caption and finding stays; what only works on a screen goes.
  await page.emulateMedia({ media: "print" });
  found.print = await page.evaluate(() => {
    const seen = (selector) => [...document.querySelectorAll(selector)].filter((node) => node.closest("details:not([open])") === null).map((node) => node.getClientRects().length > 0);
    return { kept: [...seen("main button.term"), ...seen("figcaption"), ...seen(".finding"), ...seen(".glossary dd")], gone: [...seen("#bar"), ...seen(".tools button"), ...seen(".takeaways button")] };
  });
  await page.emulateMedia({ media: "screen" });

  // A second experiment is set beside this one; what is none is refused in a sentence.
  if (await page.locator("#other").count()) {
    const held = await page.evaluate(() => document.querySelector(".takeaways li").dataset.finding);
    const finding = { id: held, value: 0.5, low: 0.25, high: 0.75, unit: "cosine", verdict: "<b>theirs</b>" };
    const give = async (text) => {
      await page.locator("#other").setInputFiles({ name: "explorer.json", mimeType: "application/json", buffer: Buffer.from(text) });
      await settle();
      return page.locator("#beside").innerText();
    };
    found.beside = [await give("not json"), await give(JSON.stringify({ experiment: "another", findings: [finding] }))];
  }

  // One problem side by side, by what a run changed.
  if (await page.locator("#select-flip").count()) {
    await page.locator("#select-flip").selectOption("gained");
    await settle();
    found.gained = await page.$$eval("#texts .sample", (nodes) => nodes.map((node) => [...node.querySelectorAll("h4 span")].map((mark) => mark.className)));
    await page.locator("#select-flip").selectOption("");
  }

  // Every text that the models wrote, on the page at once.
  for (const key of ["writer", "set"]) {
    if (!(await page.locator(`#select-${key}`).count())) continue;
    for (const option of await page.$$eval(`#select-${key} option`, (nodes) => nodes.map((node) => node.value))) await page.locator(`#select-${key}`).selectOption(option);
  }
  await settle();
  found.samples = await page.$$eval(".completion", (nodes) => nodes.map((node) => node.textContent));
  found.hacked = await page.evaluate(() => window.hacked ?? null);
  await context.close();
  return found;
}

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"], timeout: PATIENCE });
const all = [];
for (const view of JSON.parse(readFileSync(list, "utf8"))) all.push(await inspect(browser, view));
console.log(JSON.stringify(all));
await browser.close();
