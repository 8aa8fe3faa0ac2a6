"""Proposition 3: training on attacked inputs is, to first order, training with a gradient penalty.

`python -m sim.penalty` measures it in two ways. Random GELU networks: the mean of |augmented −
penalized loss|, ½ (L(x) + L(x + δ*)) against L(x) + (ε_p/2) ‖∂_x L‖_q, and its order in ε, which
is 2. Training: an mlp learns scikit-learn's digits with either loss from the same weights and the
same batches; the mean gradient norms on held-out digits are compared, and with those after clean
training. Inputs have mean square 1 per coordinate, the unit of ε; ε_p = ε d^{1/p}.
"""

import sys
from dataclasses import dataclass
from functools import partial

from sim.penalty.configuration import Config, check, needs
from sim.running import command_line, compilation
from sim.running.command_line import Before
from theory import console


@dataclass(frozen=True)
class Output(command_line.Json):
    """What to do with the result."""

    check: bool = False
    """Exit with status 1 if an order's interval excludes 2 or trained norms differ."""


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 contradiction, 2 bad usage)."""
    kinds = (Config, Output, Before)
    config, output, before = command_line.parse(kinds, "python -m sim.penalty", __doc__ or "", args)
    with command_line.one_sentence():
        check(config)
        output.refuse()
    taken = needs(config)
    if before.is_all(f"{taken.what}, with {1 + 2 * len(config.attack_norms)} losses", taken):
        return 0
    from sim.penalty import experiment, report  # with jax

    compilation.keep()
    with command_line.progress("training networks", 1 + len(config.attack_norms)) as advance:
        results = experiment.run(config, advance)
    given = config, results
    output.deliver(partial(report.printout, *given), partial(report.to_json, *given))
    return 1 if output.check and any(result.agrees is False for result in results) else 0


if __name__ == "__main__":
    sys.exit(console.run(main))
