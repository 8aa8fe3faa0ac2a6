"""`python -m theory.laws`: the law of every architecture, or of one of them, layer by layer."""

import sys
from collections.abc import Sequence
from typing import Any

from theory.architectures import ACTIVATIONS, ARCHITECTURES, find
from theory.arguments import Parser
from theory.console import one_sentence, run
from theory.initializers import SCHEMES, Scheme
from theory.laws import report
from theory.network import Network
from theory.printout import show
from theory.registry import NORMS, choice

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
    for name, known, purpose in (
        ("head", HEADS, "last layers (default: all that there are)"),
        ("init", SCHEMES, "initialization (default: he)"),
        ("activation", ACTIVATIONS, "activation (default: relu)"),
        ("norm", NORMS, "normalization (default: none)"),
    ):
        parser.add_argument(f"--{name}", metavar="{" + ",".join(known) + "}", help=purpose)
    parser.add_argument("--width", type=int, help="units or channels of a layer")
    parser.add_argument("--patch", type=int, help="side of the patches (default: 4)")
    parser.add_argument("--tokens", type=int, help="number of patches, instead of their side")
    parser.add_argument("--full", action="store_true", help="every head layer by layer")
    chosen = parser.read(args)
    with one_sentence():
        options = {"init": Scheme(chosen.init or "he"), "width": chosen.width}
        options["activation"] = chosen.activation
        options |= {name: getattr(chosen, name) for name in OPTIONS}
        given = {name: value for name, value in options.items() if value is not None}
        networks = _networks(chosen.arch, chosen.head, given)
    for found in report.printouts(networks, chosen.arch is not None, chosen.full):
        show(found)
    return 0


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


if __name__ == "__main__":
    sys.exit(run(main))
