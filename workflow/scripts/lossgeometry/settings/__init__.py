"""The configuration's blocks, one module per stage of the workflow."""
