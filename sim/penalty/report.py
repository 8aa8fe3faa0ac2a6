"""The comparisons of Proposition 3 as a table for people and as JSON for programs."""

from dataclasses import asdict

from sim.penalty.configuration import Config
from sim.penalty.experiment import Result
from sim.statistics import numbers
from sim.statistics.numbers import with_error
from theory.printout import Printout
from theory.tables import Table, columns


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


def printout(config: Config, results: list[Result]) -> Printout:
    """What the comparisons say to people."""
    names = ("p", "order of the difference", "augmented", "clean", "verdict")
    rows = tuple(map(_row, results))
    title = f"Proposition 3, {config.seeds} seeds"
    notes = (
        "order of the difference: of ε in the mean |augmented − penalized loss| of random GELU "
        "networks, by Proposition 3 2.",
        "augmented, clean: mean ‖∂L‖_q on held-out digits after training with that loss at "
        f"ε = {config.train_eps:g}, over that after penalized training; 1 if both losses do the "
        "same.",
    )
    return Printout(
        _answer(config, results),
        (Table(title, columns(names, ("p", "verdict")), rows),),
        notes=notes,
    )


def _answer(config: Config, results: list[Result]) -> str:
    """What was measured, what was predicted, the verdict, and what to do next."""
    last, known = results[-1], [one.agrees for one in results if one.unmeasured is None]
    order, ratio = (with_error(x.value, *x.interval) for x in (last.order, last.augmented))
    wrong = known.count(False)
    if wrong:
        verdict = f"{wrong} of {len(known)} norms CONTRADICT Proposition 3"
    elif known:
        verdict = f"All {len(known)} norms agree" if len(known) > 1 else "The norm agrees"
    else:
        verdict = "There is no verdict"
    return (
        f"Attacked and penalized losses differ by order {order} of ε in ℓ_{_name(last.p)} "
        f"(Proposition 3: 2), and training with either leaves gradients whose norms have the ratio "
        f"{ratio} (1 if both do the same). {verdict}; --seeds {4 * config.seeds} would halve the "
        "intervals."
    )


def _name(p: str) -> str:
    return "∞" if p == "inf" else p


def _row(result: Result) -> tuple[str, ...]:
    measured = (result.order, result.augmented, result.clean)
    cells = (with_error(one.value, *one.interval) for one in measured)
    verdict = "agrees" if result.agrees else "CONTRADICTS"
    if result.unmeasured is not None:
        verdict = f"no measurement: {result.unmeasured}"
    return (_name(result.p), *cells, verdict)
