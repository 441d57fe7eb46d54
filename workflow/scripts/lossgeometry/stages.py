"""The stages, in the order in which the summary tells of them."""

from lossgeometry.audit.stage import STAGE as AUDIT
from lossgeometry.behaviour.stage import STAGE as BEHAVIOUR
from lossgeometry.claims.stage import STAGE as CLAIMS
from lossgeometry.connectivity.stage import STAGE as CONNECTIVITY
from lossgeometry.edits.stage import STAGE as EDITS
from lossgeometry.evaluation.stage import STAGE as EVALUATION
from lossgeometry.findings.stage import STAGE as FINDINGS
from lossgeometry.forgetting.stage import STAGE as FORGETTING
from lossgeometry.geometry.stage import STAGE as GEOMETRY
from lossgeometry.report.stage import STAGE as SENSITIVITY
from lossgeometry.representations.stage import STAGE as REPRESENTATIONS
from lossgeometry.rollouts.stage import STAGE as ROLLOUTS
from lossgeometry.training.stage import STAGE as TRAINING
from lossgeometry.trajectories.stage import STAGE as TRAJECTORIES

STAGES = (
    ROLLOUTS,
    AUDIT,
    TRAINING,
    GEOMETRY,
    TRAJECTORIES,
    CONNECTIVITY,
    REPRESENTATIONS,
    BEHAVIOUR,
    EVALUATION,
    FORGETTING,
    EDITS,
    SENSITIVITY,
    CLAIMS,
    FINDINGS,
)
