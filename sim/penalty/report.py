"""The comparisons of Proposition 3 as a table for people and as JSON for programs."""

from dataclasses import asdict

from sim.penalty.configuration import Config
from sim.penalty.experiment import Result
from sim.statistics import numbers
from sim.statistics.numbers import with_error
from theory.console import for_tables
from theory.tables import Table, columns, printed


def to_json(config: Config, results: list[Result]) -> str:
    """One JSON object {"config", "results"}; its schema: `sim/penalty/report.schema.json`."""
    rows = [
        {
            "p": result.p,
            "order": result.order.value,
            "order_ci": result.order.interval,
            "augmented": result.augmented.value,
            "augmented_ci": result.augmented.interval,
            "clean": result.clean.value,
            "clean_ci": result.clean.interval,
            "agrees": result.agrees,
            "reliable": result.unmeasured is None,
            "unmeasured": result.unmeasured,
        }
        for result in results
    ]
    return numbers.to_json({"config": asdict(config), "results": rows})


def show(config: Config, results: list[Result], to_stderr: bool = False) -> None:
    """Print the table, on standard output or on standard error."""
    console = for_tables(130, to_stderr)
    names = ("p", "order of the difference", "augmented", "clean", "verdict")
    rows = tuple(map(_row, results))
    title = f"Proposition 3, {config.seeds} seeds"
    console.print(printed(Table(title, columns(names, ("p", "verdict")), rows)))
    console.print(
        "order: of ε in the mean |augmented − penalized loss| of random GELU networks, by "
        "Proposition 3 2.\naugmented, clean: mean ‖∂L‖_q on held-out digits after training with "
        f"that loss at ε = {config.train_eps:g}, over that after penalized training; 1 if both "
        "losses do the same.",
        style="dim",
        highlight=False,
    )


def _row(result: Result) -> tuple[str, ...]:
    measured = (result.order, result.augmented, result.clean)
    cells = (with_error(one.value, *one.interval) for one in measured)
    name = "∞" if result.p == "inf" else result.p
    verdict = "agrees" if result.agrees else "CONTRADICTS"
    if result.unmeasured is not None:
        verdict = f"no measurement: {result.unmeasured}"
    return (name, *cells, verdict)
