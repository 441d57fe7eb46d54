"""docs/tables.md is in step with the stages, and the stages with what the code writes."""

import subprocess
import sys

import pytest

from lossgeometry.provenance import SCRIPTS
from lossgeometry.report.data_dictionary import data_dictionary, tables

DESCRIBED = {table.name: [column.name for column in table.columns] for table in tables()}


def test_the_document_is_what_the_stages_say():
    assert (SCRIPTS.parents[1] / "docs/tables.md").read_text(encoding="utf-8") == data_dictionary(), (
        "run make reference"
    )


def test_every_column_has_a_meaning_and_stands_once():
    for table in tables():
        names = [column.name for column in table.columns]
        assert len(names) == len(set(names)) and all(column.meaning for column in table.columns), table.name
    assert len(DESCRIBED) == len(tables())


def test_the_columns_are_those_that_the_code_writes():
    from lossgeometry.claims.tabulation import COLUMNS as CLAIM_COLUMNS
    from lossgeometry.connectivity.paths import CURVE_COLUMNS
    from lossgeometry.connectivity.tabulation import BARRIER_COLUMNS
    from lossgeometry.evaluation import across_seeds, contamination, differences, pass_curves
    from lossgeometry.evaluation.accuracy import ACCURACY_COLUMNS
    from lossgeometry.geometry.sweeps import CeilingRow, RateRow, ShareRow
    from lossgeometry.report.sensitivity import COLUMNS as SENSITIVITY_COLUMNS
    from lossgeometry.representations.comparison import COLUMNS as CKA_COLUMNS

    pair = ["run_a", "run_b"]
    assert DESCRIBED["connectivity"] == [*pair, *CURVE_COLUMNS]
    assert DESCRIBED["barriers"] == list(BARRIER_COLUMNS)
    assert DESCRIBED["cka"] == [*pair, *CKA_COLUMNS[:-1], "control", "replicate", CKA_COLUMNS[-1]]
    assert DESCRIBED["accuracy"] == ACCURACY_COLUMNS and DESCRIBED["mcnemar"] == differences.MCNEMAR_COLUMNS
    for name, module in (("differences", differences), ("pass_at_k", pass_curves), ("across_seeds", across_seeds)):
        assert DESCRIBED[name] == module.COLUMNS
    assert DESCRIBED["contamination"] == contamination.COLUMNS
    assert DESCRIBED["claims"] == CLAIM_COLUMNS and DESCRIBED["sensitivity"] == SENSITIVITY_COLUMNS
    for name, row in (("seeds", CeilingRow), ("decomposition", ShareRow), ("rates", RateRow)):
        assert DESCRIBED[name] == list(row._fields)


@pytest.mark.parametrize("heavy", ["torch", "pandas", "altair"])
def test_describing_the_stages_is_light(heavy):
    code = f"import sys, lossgeometry.stages; sys.exit({heavy!r} in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, check=True)
