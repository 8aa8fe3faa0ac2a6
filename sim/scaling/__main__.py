"""The command line `python -m sim.scaling`."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial

import sim.scaling
from sim.plan.configuration import Keep
from sim.plan.plan import completed
from sim.running import command_line, files
from sim.running.command_line import Before, PageOutput
from sim.sampling import hosts
from sim.scaling.configuration import Config, needs, planned
from theory.console import run as run_main


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 contradiction, 2 bad usage)."""
    kinds = (Config, Keep, hosts.Spread, PageOutput, Before, command_line.Debug)
    parsed = command_line.parse(kinds, "python -m sim.scaling", sim.scaling.__doc__ or "", args)
    config, keep, spread, output, before, debug = parsed
    plan = None
    with command_line.one_sentence():
        spread.refuse()
        config = completed(config)
        # to look at a user's model starts jax, which must be told its devices and processes before
        if config.model is None or before.dry_run:
            plan = planned(config, keep.out)
            needs(plan, spread.devices).refuse()
        files.check_apart(keep.out, *output.targets())
        output.refuse()
    if plan is not None and before.is_all(plan.described, needs(plan, spread.devices)):
        return 0
    from sim.running import compilation
    from sim.scaling import deliver, experiment
    from sim.storage import provenance
    from sim.storage.refusals import RunError

    started = provenance.now()
    compilation.keep()
    joined = hosts.joined(spread, repr((config, keep)), keep.out)
    with command_line.one_sentence(), joined as reports, command_line.debugging(debug.debug):
        plan = plan or planned(config, keep.out)
        mine = len(experiment.share(plan, keep.out is not None))
        total = len(plan.networks) * len(plan.sizes) * mine
        shown = _progress(f"{config.arch}: sampling networks", total, reports)
        with command_line.one_sentence(RunError), command_line.stoppable(keep.out), shown as done:
            samples = experiment.run(plan, done, keep.out, command_line.tell, spread.devices)
    if reports and "unpredicted" in samples.attrs:
        command_line.tell(f"no prediction: {samples.attrs['unpredicted']}")
    sessions = partial(experiment.sessions, keep.out, started)
    return deliver.deliver(samples, output, sessions) if reports else 0


@contextmanager
def _progress(title: str, total: int, shown: bool) -> Generator[Callable[..., None], None, None]:
    if not shown:
        yield lambda done, more=0: None
        return
    with command_line.progress(title, total) as advance:
        yield advance


if __name__ == "__main__":
    sys.exit(run_main(main))
