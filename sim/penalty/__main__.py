"""Proposition 3: training on attacked inputs is, to first order, training with a gradient penalty.

`python -m sim.penalty` measures it in two ways. Random GELU networks: the mean of |augmented −
penalized loss|, ½ (L(x) + L(x + δ*)) against L(x) + (ε_p/2) ‖∂_x L‖_q, and its order in ε, which
is 2. Training: an mlp learns scikit-learn's digits with either loss from the same weights and the
same batches; the mean gradient norms on held-out digits are compared, and with those after clean
training. Inputs have mean square 1 per coordinate, the unit of ε; ε_p = ε d^{1/p}.
"""

import sys
from dataclasses import dataclass

from sim.penalty.configuration import Config, check
from sim.running import command_line, compilation, files
from theory import console


@dataclass(frozen=True)
class Output:
    """What to do with the result."""

    json: str | None = None
    """Write one JSON object to this file, or to standard output for "-"."""
    check: bool = False
    """Exit with status 1 if an order's interval excludes 2 or trained norms differ."""


def main(args: list[str] | None = None) -> int:
    """The command line.

    Args:
        args: Its flags; those of the process unless given.

    Returns:
        The exit status: 0 if all is well, 1 for a contradiction with --check.

    Raises:
        SystemExit: With status 2 after one sentence on standard error, for bad usage.
    """
    config, output = command_line.parse(
        (Config, Output), "python -m sim.penalty", __doc__ or "", args
    )
    with command_line.one_sentence():
        check(config)
        files.check_writable(output.json)
    from sim.penalty import experiment, report  # with jax

    compilation.keep()
    with command_line.progress("training networks", 1 + len(config.attack_norms)) as advance:
        results = experiment.run(config, advance)
    report.show(config, results, to_stderr=output.json == "-")
    if output.json is not None:
        files.write_text(output.json, report.to_json(config, results))
    return 1 if output.check and not all(result.agrees for result in results) else 0


if __name__ == "__main__":
    sys.exit(console.run(main))
