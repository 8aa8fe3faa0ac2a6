"""The simulations of statements, run one after the other."""

from collections.abc import Callable

from sim.statements.configuration import Config, check
from sim.statements.outcome import Outcome, Settings
from sim.statements.simulations import CHECKS
from theory.statements import STATEMENTS


def run(config: Config, advance: Callable[[int], None] = lambda done: None) -> dict[str, Outcome]:
    """Simulates the main claim of every statement.

    Args:
        config: What to simulate.
        advance: Called with 1 after each statement.

    Returns:
        The outcome of each simulation by the statement's name, in the order of the list. Statements
        in `sim.statements.simulations.WITHOUT` are left out.

    Raises:
        ValueError: For a configuration that makes no sense.
    """
    check(config)
    settings, outcomes = Settings(config.seeds, config.seed), {}
    for name in STATEMENTS:
        if name not in (config.names or STATEMENTS):
            continue
        if name in CHECKS:
            outcomes[name] = CHECKS[name](settings)
        advance(1)
    return outcomes


def contradicted(outcomes: dict[str, Outcome]) -> list[str]:
    """The statements whose simulation contradicts them.

    If all statements hold, the list is empty in all but a share of
    `sim.statistics.verdicts.FALSE_ALARM` of runs.
    """
    count = sum(outcome.z is not None for outcome in outcomes.values())
    return [name for name, outcome in outcomes.items() if outcome.agrees(max(count, 1)) is False]
