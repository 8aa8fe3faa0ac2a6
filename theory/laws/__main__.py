"""`python -m theory.laws`: the law of every architecture, or of one of them, layer by layer."""

import sys
from collections.abc import Sequence
from typing import Any

import sympy as sp
from rich import box
from rich.console import Console
from rich.table import Table

from theory.activations import GaussianMean
from theory.architectures import ACTIVATIONS, ARCHITECTURES, find
from theory.arguments import Parser
from theory.console import for_tables, one_sentence, run
from theory.initializers import Scheme
from theory.laws import energy, wide
from theory.laws.law import Law
from theory.laws.prediction import missing, predict
from theory.network import Network, show
from theory.registry import NORMS, choice

ORDERS = ("1", "2", "inf")
HEADS = tuple(dict.fromkeys(head for known in ARCHITECTURES.values() for head in known.heads))
OPTIONS = ("norm", "patch", "tokens")
"""Options that some architectures have and others do not, besides the head."""


def main(args: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 2 bad usage)."""
    parser = Parser(
        "python -m theory.laws",
        "Predicted growth of the input gradient with the input dimension d.",
    )
    parser.add_argument("arch", nargs="?", help=f"one of {', '.join(ARCHITECTURES)}; all if absent")
    parser.add_argument("--head", help=f"one of {', '.join(HEADS)} (default: all that there are)")
    parser.add_argument("--init", default="he", help="initialization (default: he)")
    parser.add_argument("--activation", help=f"one of {', '.join(ACTIVATIONS)} (default: relu)")
    parser.add_argument("--width", type=int, help="units or channels of a layer")
    parser.add_argument("--norm", help=f"one of {', '.join(NORMS)} (default: none)")
    parser.add_argument("--patch", type=int, help="side of the patches (default: 4)")
    parser.add_argument("--tokens", type=int, help="number of patches, instead of their side")
    chosen = parser.read(args)
    with one_sentence():
        options = {"init": Scheme(chosen.init), "width": chosen.width}
        options["activation"] = chosen.activation
        options |= {name: getattr(chosen, name) for name in OPTIONS}
        given = {name: value for name, value in options.items() if value is not None}
        networks = _networks(chosen.arch, chosen.head, given)
    console = for_tables(100)
    console.print(_laws(networks))
    if chosen.arch is not None:
        for network in networks.values():
            why = missing(network)
            if why is not None:
                console.print(f"{network.name}: no law. {why} {TRACED}", highlight=False)
                continue
            console.print(_energies(network))
            _explain(console, predict(network))
    return 0


SIDE = 32
TRACED = "python -m sim.scaling predicts it from its code."


def _networks(arch: str | None, head: str | None, options: dict[str, Any]) -> dict[str, Network]:
    """The networks asked for, by a title."""
    if head is not None:
        choice("head", head, HEADS)
    networks = {}
    for architecture in [find(arch)] if arch else ARCHITECTURES.values():
        asked = options if head is None else {**options, "head": head}
        lacking = [name for name in asked if not architecture.has_option(name)]
        if arch and lacking:
            raise ValueError(f"{arch} takes no --{lacking[0]}.")
        own = {name: value for name, value in options.items() if name not in lacking}
        kinds = architecture.heads
        if head and not arch:  # of all architectures those that have it
            kinds = [kind for kind in kinds if kind == head]
        elif head:
            kinds = [head]
        for kind in kinds:
            title = f"{architecture.name}, {kind}"
            networks[title] = architecture.build(head=kind, **own)
        if not architecture.heads:
            networks[architecture.name] = architecture.build(**own)
    return networks


def _laws(networks: dict[str, Network]) -> Table:
    table = Table(
        title="E‖∂f_k/∂x‖_q at random initialization: exponent of d as d → ∞, and leading term",
        box=box.SIMPLE_HEAD,
    )
    for name in ("network, head", "ℓ₁", "ℓ₂", "ℓ∞", "leading term of ℓ₁"):
        table.add_column(name, no_wrap=True)
    for title, network in networks.items():
        if missing(network):
            table.add_row(title, *["–"] * len(ORDERS), "no law")
            continue
        laws = [predict(network, q) for q in ORDERS]
        exponents = [str(law.exponent) for law in laws]
        table.add_row(title, *exponents, _leading(laws[0]))
    return table


def _leading(law: Law) -> str:
    if law.asymptote is None:
        return "unknown"
    if any(mean.free_symbols for mean in law.asymptote.atoms(GaussianMean)):
        return "no closed form"
    integrals = {x: sp.N(x) for x in law.asymptote.atoms(sp.Integral, GaussianMean)}
    return (
        str(sp.N(law.asymptote.xreplace(integrals), 4)).replace("**0.5", "^½").replace("**1.0", "")
    )


def _energies(network: Network) -> Table:
    side = sp.Symbol("s", positive=True, integer=True)
    table = Table(title=f"{network.name}: energy gain κ of every layer", box=box.SIMPLE_HEAD)
    for name in ("layer", "output", "κ"):
        table.add_column(name)
    shape = network.input_shape(side)
    body = wide.resolve(network.body, shape).body if wide.needed(network.body) else network.body
    for row in energy.table(body, shape):
        table.add_row(repr(row.layer), show(row.shape), _short(row.gain))
    total = energy.simplified(energy.gain(body, shape))
    table.add_row("E‖∂f_k/∂x‖₂² = Πκ", "", _short(total), style="bold")
    return table


def _short(gain: sp.Expr) -> str:
    """A simple gain as it is, one with sampled or unevaluated means as a number if it is one."""
    sampled = any(x.q > 100 for x in gain.atoms(sp.Rational))
    if gain.is_number and (sampled or gain.atoms(GaussianMean)):
        return str(sp.N(gain, 4))
    return "depends on s" if gain.atoms(GaussianMean) else str(gain)


def _explain(console: Console, law: Law) -> None:
    console.print(f"rests on ({law.basis}):", highlight=False)
    for sentence in law.assumptions:
        console.print(f"  - {sentence}", highlight=False)
    console.print(_second_moments(law), highlight=False)
    console.print(_bounds(law), highlight=False)


def _second_moments(law: Law) -> str:
    if law.breaking_layer is None:
        return "E(∂f_k/∂x_i)² is exact at every width: every ReLU reads one sum of weights."
    return f"E(∂f_k/∂x_i)² is not exact ({law.second_moment_basis}): {law.breaking_layer}."


def _bounds(law: Law) -> str:
    """The bounds of the ℓ_1 norm beside the Gaussian constant, at images of side 32."""
    d = law.network.channels * SIDE**2
    found = law.bounds(d)
    if found is None:
        return "No bounds from fourth moments: the constant and the exponent rest on the above."
    return (
        f"Proved for d = {d}: {found.lower:.4g} ≤ E‖∂f_k/∂x‖₁ ≤ {found.upper:.4g}, with Gaussian "
        f"coordinates {law(d):.4g}; both bounds have the same exponent, which is thereby a theorem."
    )


if __name__ == "__main__":
    sys.exit(run(main))
