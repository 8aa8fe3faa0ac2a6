"""What to do with the result of a scaling run."""

from dataclasses import dataclass

from sim.running import command_line


@dataclass(frozen=True)
class Output(command_line.Output):
    """What to do with the result of a scaling run."""

    html: str | None = None
    """Write one page of HTML that needs no network: tables, picture, configuration,
    provenance."""

    def targets(self) -> tuple[str | None, ...]:
        return *super().targets(), self.html

    def refuse(self) -> None:
        super().refuse()
        if self.html == "-":
            raise ValueError("--html needs the name of a file, not standard output.")
