from . import (
    attacks as attacks,
)
from . import (
    audit as audit,
)
from . import (
    calibration as calibration,
)
from . import (
    drawing as drawing,
)
from . import (
    independence as independence,
)
from . import (
    models as models,
)
from . import (
    networks as networks,
)
from . import (
    penalty as penalty,
)
from . import (
    plan as plan,
)
from . import (
    predictions as predictions,
)
from . import (
    report as report,
)
from . import (
    results as results,
)
from . import (
    running as running,
)
from . import (
    sampling as sampling,
)
from . import (
    scaling as scaling,
)
from . import (
    statements as statements,
)
from . import (
    statistics as statistics,
)
from . import (
    storage as storage,
)
from . import (
    training as training,
)
from . import (
    training_report as training_report,
)
from . import (
    vulnerability as vulnerability,
)

__all__ = [
    "attacks",
    "audit",
    "calibration",
    "drawing",
    "independence",
    "models",
    "networks",
    "penalty",
    "plan",
    "predictions",
    "report",
    "results",
    "running",
    "sampling",
    "scaling",
    "statements",
    "statistics",
    "storage",
    "training",
    "training_report",
    "vulnerability",
]
