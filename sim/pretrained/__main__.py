"""One trained network beside the same architecture at initialization: how its gradients grow.

`python -m sim.pretrained --model torchvision:resnet18 --weights resnet18.safetensors` brings every
image to several sides and measures the input gradients of the network's own class y there: of its
logit f_y, of its margin m = f_y − log Σ_{k≠y} e^{f_k}, and of its cross-entropy L. The same images
are shown to networks of the same architecture at initialization. Weights are never downloaded, and
no code of a file is run.
"""

import sys
from functools import partial

from sim import pretrained  # what needs jax is loaded where it is used
from sim.pretrained.configuration import Config, check, described, needs
from sim.running import command_line, compilation
from sim.running.command_line import Before
from theory import console


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 2 bad usage)."""
    kinds = (Config, command_line.Picture, Before, command_line.Debug)
    config, output, before, debug = command_line.parse(
        kinds, "python -m sim.pretrained", __doc__ or "", args
    )
    with command_line.one_sentence():
        check(config)
        output.refuse()
    if before.is_all(described(config), needs(config)):
        return 0
    compilation.keep()
    total = len(config.sizes) * (1 + config.networks)
    with (
        command_line.one_sentence(),
        command_line.debugging(debug.debug),
        command_line.progress("measuring networks", total) as advance,
    ):
        samples = pretrained.run(config, advance)
    if output.figure is not None:
        pretrained.picture.write(samples, output.figure)
    output.deliver(
        partial(pretrained.report.printout, samples), partial(pretrained.report.to_json, samples)
    )
    return 0


if __name__ == "__main__":
    sys.exit(console.run(main))
