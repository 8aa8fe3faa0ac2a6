"""The samples that figures draw: sampled afresh, or read from a folder of runs and kept there."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from sim.running import command_line
from sim.scaling.configuration import planned
from sim.scaling.experiment import run
from sim.storage import provenance


@dataclass
class Runs:
    """Where a figure takes its samples from; it remembers which, for the figure's metadata."""

    quick: bool = False
    """Fewer and smaller networks."""
    folder: str | None = None
    """Where runs are kept, a folder for each; what is there is not computed again."""
    study: str | None = None
    """The folder of a study of training."""
    used: dict[str, Any] = field(default_factory=dict)
    """The configurations drawn so far, by name."""

    def scaling(self, name: str, config: Any) -> xr.Dataset:
        """The samples of `sim.scaling.run(config)`, in the folder under this name."""
        out = None if self.folder is None else str(Path(self.folder) / name)
        plan = planned(config, out)
        self.used[name] = asdict(plan.config)
        with command_line.progress(f"{name}: sampling networks", plan.samples) as advance:
            return run(plan, advance, out, command_line.tell)

    def fresh(self, name: str, config: Any, total: int, run: Callable[..., Any]) -> Any:
        """What `run(config, advance)` returns; it is not kept."""
        self.used[name] = asdict(config)
        with command_line.progress(f"{name}: sampling networks", total) as advance:
            return run(config, advance)

    def provenance(self, name: str) -> dict[str, Any]:
        """The command that draws the figure, what it sampled, and with which versions."""
        flags = " --quick" * self.quick + " --study RUN" * (self.study is not None)
        return {
            "command": f"python -m figures {name}{flags}",
            "runs": self.used,
            "versions": provenance.versions(),
        }
