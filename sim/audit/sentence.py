"""The sentence of an audit: which places account for the gap, and whether the exponent is safe."""

import numpy as np

from sim.audit.analysis import HYPOTHESIS, INDEPENDENCE, LAW, NETWORK, Analysis, Place
from sim.audit.ratios import Measured
from sim.statistics import numbers

MOST = 4
"""Places that the sentence names, the largest factors first."""

TITLES = {
    LAW: "the law",
    HYPOTHESIS: "hypothesis H",
    INDEPENDENCE: "gradient independence",
    NETWORK: "the network as it is",
}

TOGETHER = {"mask": "all true masks", "weights": "all couplings of weights to their gradients"}
OTHERS = {"mask": "the other true masks", "weights": "the other couplings"}


def sentence(found: Analysis) -> str:
    """What accounts for the gap between prediction and network; whether the exponent is safe."""
    last, norm = found.last, norm_of(found.quantity)
    start = f"{found.arch}: at side {last.side}, {norm} is {text(last.gap.norm)} times that of "
    start += title(found, last.gap.start)
    if last.ladder.start == last.gap.start:
        return f"{start}{_account(found)}. {_exponent(found)}"
    verdict = "" if _is_off(last.gap.norm, found) else ": no gap"
    ladder = f"It is {text(last.ladder.norm)} times that of {title(found, last.ladder.start)}"
    return f"{start}{verdict}. {ladder}{_account(found)}. {_exponent(found)}"


def norm_of(quantity: str, q: str = "₁") -> str:
    """E‖∂L‖₁, or E‖∂f‖₁ of a logit."""
    return f"E‖∂{'L' if quantity == 'loss' else 'f'}‖{q}"


def title(found: Analysis, name: str) -> str:
    """What the ladder compares, in words."""
    return f"{TITLES[name]} ({found.basis})" if name == LAW else TITLES[name]


def text(estimate: Measured) -> str:
    """A value and its interval."""
    return numbers.between(estimate.value, *estimate.interval, ".3f")


def that_differ(found: Analysis) -> list[Place]:
    """The places whose factor differs from 1 at the largest size, the largest factor first."""
    differing = [x for x in found.last.places if x.differs]
    return sorted(differing, key=lambda x: -abs(np.log(x.norm.value)))


def _is_off(estimate: Measured, found: Analysis) -> bool:
    return bool(abs(estimate.z) > found.single_bound)


def _account(found: Analysis) -> str:
    """What makes the factor of the whole ladder: the end of a sentence."""
    last, named = found.last, that_differ(found)
    if not named:
        steps = [step for step in last.steps if step.start != LAW]
        if not any(_is_off(step.norm, found) for step in (last.ladder, *steps)):
            return ", and no place differs"
        together = [f"{TOGETHER[kind]} together × {text(last.rest[kind])}" for kind in last.rest]
        return f", and no place differs by itself: {_listed(together)}"
    shown = [f"{_cause(x)} × {text(x.norm)}" for x in named[:MOST]]
    if len(named) > MOST:
        shown.append(f"{len(named) - MOST} more places")
    for kind, rest in last.rest.items():
        has_named = any(x.kind == kind for x in named)
        shown.append(f"{(OTHERS if has_named else TOGETHER)[kind]} together × {text(rest)}")
    return f": {_listed(shown)}"


def _cause(found: Place) -> str:
    name = found.name
    if ":" in found.where and not name.startswith(found.where):
        name = f"{name} ({found.where})"
    if found.kind == "mask":
        return f"the true masks of {name}"
    return f"the coupling of {name} to its own gradient"


def _listed(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _exponent(found: Analysis) -> str:
    moved = f"over these sizes the gap to {TITLES[found.prediction]} moves it by "
    moved += _shift(found.exponent)
    start = found.last.ladder.start
    if start != found.prediction:
        moved += f", the ladder from {TITLES[start]} by {_shift(found.ladder_exponent)}"
    if found.safe is None:
        return f"Whether the exponent is safe needs more seeds: {moved}."
    return f"The exponent is {'safe' if found.safe else 'not safe'}: {moved}."


def _shift(estimate: Measured) -> str:
    return f"{estimate.value:+.3f} ± {estimate.half:.3f}"
