"""What Snakemake imports and reads of its plugins whatever it plans: for the server that plans are forked from."""

import nbformat  # noqa: F401
import pydantic.main  # noqa: F401
import smart_open  # noqa: F401
import snakemake.api  # noqa: F401
from snakemake.cli import get_argument_parser

get_argument_parser()
