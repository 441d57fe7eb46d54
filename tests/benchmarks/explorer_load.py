"""Time until every chart of the page stands, and the page's size, for experiments of 10 and of 30 runs.

    PYTHONPATH=workflow/scripts:tests/shared python tests/benchmarks/explorer_load.py

The baseline, in the same run, is an empty page in the same browser. Needs Debian's chromium, and the npm packages that
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
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
for (const file of files) {
  const times = [];
  for (let i = 0; i < 5; i++) {
    const page = await browser.newPage();
    await page.goto("file://" + file);
    await page.waitForSelector("html[data-ready]", { state: "attached" });
    times.push(await page.evaluate(() => performance.now()));
    await page.close();
  }
  console.log(Math.min(...times));
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
        times = [
            float(line) for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        ]
        for title, page, time in zip(SIZES, pages[1:], times[1:], strict=True):
            ratio = time / times[0]
            print(f"{title}: {time:.0f} ms, {ratio:.0f} times an empty page; {page.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
