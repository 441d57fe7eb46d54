"""The files that the page is made of; the Snakefile asks, so nothing heavy is imported."""

from lossgeometry.resources import RESOURCES

CODE = (
    *("state.js", "data.js", "dom.js", "exports.js", "plots.js", "views.js", "views_function.js"),
    *("article.js", "pair.js", "texts.js", "beside.js", "panels.js", "controls.js", "main.js"),
)
ASSETS = ("page.html", "style.css", "definitions.json", "losses.json", *CODE)
"""What the page is made of; the code in the order in which it runs."""
ASSET_FOLDER = RESOURCES / "explorer"
