"""Files of the workflow that are no code: beside the library, from whatever folder it is used."""

from lossgeometry.provenance import SCRIPTS

RESOURCES = SCRIPTS.parents[1] / "resources"
PAPER = RESOURCES / "paper_reference.yaml"
"""What the paper reports."""
