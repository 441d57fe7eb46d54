"""Time until every chart of the page stands, time of a slider step, and the page's size, for experiments of 10 and of 30 runs.

    PYTHONPATH=workflow/scripts:tests/shared python tests/benchmarks/explorer_load.py

The baseline, in the same run, is an empty page in the same browser. CPU time is that of the page's own thread: on a busy machine
it tells more than the clock. Needs Debian's chromium, and the npm packages that
tests/browser/test_browser.py installs.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from explorer_results import write_results

from lossgeometry.explorer.bundle import gather
from lossgeometry.explorer.page import write_page

TOOLS = Path(__file__).parents[2] / "build" / "browser"
SIZES = {
    "10 runs, 4 layers": {"methods": 5, "seeds": 2},
    "10 runs, 36 layers": {"methods": 5, "seeds": 2, "layers": 36},
    "30 runs, 36 layers": {"methods": 10, "seeds": 2, "rates": 1, "layers": 36},
}
OPEN = """
import { chromium } from "playwright-core";
const [executablePath, ...files] = process.argv.slice(2);
// From the event of a slider to the end of the frame that draws it, with maps read at the layer too; the median of ten.
const STEP = async () => {
  const slider = document.getElementById("layer");
  if (!slider) return 0;
  document.getElementById("at").click();
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  await frame();
  const taken = [];
  for (let i = 0; i < 10; i++) {
    slider.value = (Number(slider.value) + 1) % (Number(slider.max) + 1);
    const start = performance.now();
    slider.dispatchEvent(new Event("input"));
    await frame();
    taken.push(performance.now() - start);
  }
  return taken.sort((a, b) => a - b)[5];
};
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
for (const file of files) {
  const times = [], steps = [], cpu = [];
  for (let i = 0; i < 5; i++) {
    const page = await browser.newPage();
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    const busy = async () => {
      const { metrics } = await session.send("Performance.getMetrics");
      return 1000 * metrics.find((metric) => metric.name === "TaskDuration").value;
    };
    await page.goto("file://" + file);
    await page.waitForSelector("html[data-ready]", { state: "attached" });
    times.push(await page.evaluate(() => performance.now()));
    const ready = await busy();
    steps.push(await page.evaluate(STEP));
    cpu.push([ready, (await busy() - ready) / 11]);
    await page.close();
  }
  const least = (index) => Math.min(...cpu.map((one) => one[index]));
  console.log(Math.min(...times), Math.min(...steps), least(0), least(1));
}
await browser.close();
"""


def main() -> None:
    """Print one line per size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pages = [folder / "empty.html"]
        pages[0].write_text("<!doctype html><html data-ready lang=en><title>empty</title>", encoding="utf-8")
        for index, size in enumerate(SIZES.values()):
            pages.append(folder / f"{index}.html")
            write_page(gather(**write_results(folder / str(index), **size)), pages[-1])
        script = TOOLS / "open_page.mjs"
        script.write_text(OPEN, encoding="utf-8")
        command = ["node", script, shutil.which("chromium"), *pages]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        (empty, *_), *times = [[float(value) for value in line.split()] for line in said.splitlines()]
        for title, page, (ready, step, ready_cpu, step_cpu) in zip(SIZES, pages[1:], times, strict=True):
            print(
                f"{title}: {ready:.0f} ms ({ready_cpu:.0f} of CPU), {ready / empty:.0f} times an empty page;"
                f" {step:.0f} ms ({step_cpu:.0f} of CPU) a slider step; {page.stat().st_size / 1e6:.2f} MB"
            )


if __name__ == "__main__":
    main()
