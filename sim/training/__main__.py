"""The law after training: what regularizers do to input gradients, and how those grow with d.

`python -m sim.training` trains the paper's convolutional networks, batch normalization included,
on images that are made larger by copying pixels: ordinarily, with PGD training at several strengths
(all at every side), and with other regularizers (at one side). It measures accuracy, ‖∂_x L‖_q,
adversarial damage and vulnerability on training and test images, and fits how they grow with
d = channels · side², before training and after. Images have mean square 1 per coordinate, the unit
of ε; attacks and regularizers have sizes ε_p = ε d^{1/p}: a fixed change per pixel. Gradients are
split into their parts on the subspace of images with copied pixels and off it. `--network mlp`
trains dense networks, of which theory says what becomes of both.
"""

import sys
from dataclasses import dataclass

from sim.running import command_line, compilation, files, flags
from sim.running.command_line import Before
from sim.training.configuration import (
    Config,
    check,
    completed,
    described,
    epochs_in_all,
    needs,
)
from sim.training.output import Output
from theory import console


@dataclass(frozen=True)
class Keep:
    """Where trainings are kept."""

    out: flags.Place = None
    """Keep finished trainings, and checkpoints of others, in this folder or at this URL of fsspec;
    the same command continues."""


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 contradiction, 2 bad usage)."""
    config, keep, output, before = command_line.parse(
        (Config, Keep, Output, Before), "python -m sim.training", __doc__ or "", args
    )
    with command_line.one_sentence():
        check(config)
        files.check_apart(keep.out, *output.targets())
        output.refuse()
    full = completed(config)
    if before.is_all(described(full), needs(full)):
        return 0
    from sim.training import experiment, report  # with jax

    compilation.keep()
    with (
        command_line.stoppable(keep.out),
        command_line.one_sentence(),
        command_line.progress("training networks", epochs_in_all(full)) as advance,
    ):
        samples = experiment.run(config, keep.out, advance, command_line.tell)
    return report.deliver(samples, output)


if __name__ == "__main__":
    sys.exit(console.run(main))
