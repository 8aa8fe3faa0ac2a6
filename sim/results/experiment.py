"""The commands behind the tables of results, run: the fit of every row."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from sim import scaling
from sim.plan.plan import Plan
from sim.results.configuration import Row
from sim.running import command_line
from sim.scaling.configuration import Config, planned
from sim.statistics import fitting
from sim.statistics.fits import Fit


def of_command(row: Row) -> Plan[Config]:
    """What a row's command does. Exits with status 2 if it does not parse.

    Raises:
        ValueError: If it cannot be run.
    """
    flags = f"{row.command.flags} {row.table.common}".split()
    (config,) = command_line.parse((Config,), "python -m sim.scaling", "", flags)
    plan = planned(config)
    return widest(plan) if row.table.only_widest else plan


def widest(plan: Plan[Config]) -> Plan[Config]:
    """The same with its widest network and the ℓ_1 norm alone."""
    return planned(replace(plan.config, widths=(max(plan.widths),), norms=("1",)))


def run(
    plans: Sequence[Plan[Config]],
    advance: Callable[..., None] = lambda done, more=0: None,
) -> list[Fit]:
    """Runs the commands of rows.

    Args:
        plans: What each of them does (`of_command`).
        advance: Called as `sim.scaling.run` does.

    Returns:
        For every row the fit of the ℓ_1 norm in the widest network of its command.
    """
    found = []
    for plan in plans:
        fits = fitting.fit(scaling.run(plan, advance))
        of_first_norm = [fit for fit in fits if fit.q == "1"]
        found.append(max(of_first_norm, key=lambda fit: fit.width or 0))
    return found
