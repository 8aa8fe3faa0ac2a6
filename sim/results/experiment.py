"""The commands behind the tables of results, run: the fit of every row."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from sim import scaling
from sim.results.configuration import Row
from sim.running import command_line
from sim.scaling.experiment import complete, networks, sizes_of
from sim.statistics import fitting
from sim.statistics.fitting import Fit


def of_command(row: Row) -> scaling.Config:
    """The configuration of a row's command. Exits with status 2 if it does not parse."""
    flags = f"{row.command.flags} {row.table.common}".split()
    (found,) = command_line.parse((scaling.Config,), "python -m sim.scaling", "", flags)
    found = complete(found)
    return widest(found) if row.table.only_widest else found


def widest(config: scaling.Config) -> scaling.Config:
    """The same with its widest network and the ℓ_1 norm alone."""
    return replace(config, widths=(max(networks(config)),), norms=("1",))


def count(configs: Sequence[scaling.Config]) -> int:
    """How many networks are sampled in all."""
    return sum(len(networks(c)) * len(sizes_of(c)) * c.seeds for c in configs)


def run(
    configs: Sequence[scaling.Config],
    advance: Callable[..., None] = lambda done, more=0: None,
) -> list[Fit]:
    """Runs the commands of rows.

    Args:
        configs: The configuration of each (`of_command`).
        advance: Called as `sim.scaling.run` does.

    Returns:
        For every row the fit of the ℓ_1 norm in the widest network of its command.
    """
    found = []
    for config in configs:
        fits = fitting.fit(scaling.run(config, advance))
        of_first_norm = [fit for fit in fits if fit.q == "1"]
        found.append(max(of_first_norm, key=lambda fit: fit.width or 0))
    return found
