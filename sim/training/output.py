"""What to do with a study, fresh or stored. Needs no jax."""

from dataclasses import dataclass

from sim.running import command_line, files, flags


@dataclass(frozen=True)
class Output(command_line.Output):
    """What to do with the result."""

    figure: flags.Place = None
    """Draw growth with d; the name ends in .png, .svg or .pdf. python -m figures has more."""
    parts_figure: flags.Place = None
    """Draw the gradient's parts on and off the data's subspace; endings as for --figure."""
    check: bool = False
    """Exit with status 1 if a loss was not finite, or ordinary training leaves less than 97 %
    accuracy on the test digits at some side."""
    markdown: flags.Place = None
    """Write the tables as Markdown to this file, or to standard output for "-"."""

    def targets(self) -> tuple[str | None, ...]:
        return *super().targets(), self.parts_figure, self.markdown

    def refuse(self) -> None:
        super().refuse()
        if self.parts_figure is not None:
            files.check_format(self.parts_figure)
