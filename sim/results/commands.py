"""Which commands make up the tables of the README and of docs/architectures.md.

A row is a command `python -m sim.scaling …`; `sim.results` runs it and prints what it found.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from theory.architectures import ARCHITECTURES

Name = Literal["readme", "heads", "initializers", "activations", "normalization", "patches"]
NAMES: tuple[Name, ...] = get_args(Name)


@dataclass(frozen=True)
class Command:
    """A command `python -m sim.scaling …` whose widest network is a row of a table."""

    flags: str


@dataclass(frozen=True)
class CommandTable:
    """Rows below a head that begins with `title`."""

    name: Name
    title: str
    file: str
    """Where it stands, from the root of the repository."""
    rows: tuple[Command, ...]
    common: str = ""
    """Flags of every row that its cell leaves out."""
    only_widest: bool = False
    """Whether a row's command is of its widest network alone (`--widths`)."""
    has_ratio: bool = False
    """Whether a last column has the measured over the predicted norm at the largest side."""

    @property
    def head(self) -> tuple[str, ...]:
        """The names of the columns."""
        last = ("measured / predicted",) if self.has_ratio else ()
        return (self.title, "width", "measured", "predicted", "d → ∞", "rests on", *last)


README = (
    Command("--arch mlp"),
    Command("--arch cnn"),
    Command("--arch resnet"),
    Command("--arch cnn --head gap"),
    Command("--arch mlp --init he-fan-out --norms 1"),
)

INITIALIZERS = ("he-fan-out", "glorot", "constant")
"""Those that have not He's variance or a multiple of it at every fan-in."""

SMOOTH = ("tanh", "erf", "gelu", "silu")

SIXTEEN = "--tokens 16"
"""Patches that grow with the image instead of becoming more."""


def table(name: Name) -> CommandTable:
    """The table of that name.

    Args:
        name: One of `NAMES`.

    Returns:
        The table with its commands; every registered architecture has its rows.
    """
    if name == "readme":
        return CommandTable(name, "`python -m sim.scaling …`", "README.md", README)
    rows = {
        "heads": heads,
        "initializers": initializers,
        "activations": activations,
        "normalization": normalization,
        "patches": patches,
    }
    return CommandTable(
        name, f"{name}: `--arch …`", "docs/architectures.md", tuple(map(Command, rows[name]())),
        "--norms 1 --input gaussian", only_widest=True, has_ratio=True,
    )  # fmt: skip


def heads() -> Iterator[str]:
    """Every architecture with each of its heads, He initialization."""
    for name, found in ARCHITECTURES.items():
        for head in found.heads or (None,):
            yield f"--arch {name}" + (f" --head {head}" if head else "")
    yield "--arch cnn --border zero"
    yield from (f"--arch convnet-avdim --pooling {pooling}" for pooling in ("average", "max"))


def initializers() -> Iterator[str]:
    """Every architecture with its own head and each initializer that He's variance is not."""
    for name, _ in ARCHITECTURES.items():
        yield from (f"--arch {name} --init {init}" for init in INITIALIZERS)


def activations() -> Iterator[str]:
    """Smooth activations, where their gain does not depend on d and where it does."""
    for arch in ("mlp", "cnn", "resnet"):
        yield from (f"--arch {arch} --activation {activation}" for activation in SMOOTH)
    yield from (f"--arch mlp --activation {name} --init constant" for name in ("tanh", "gelu"))


def normalization() -> Iterator[str]:
    """Layer and batch normalization of every architecture that takes them, eight inputs a batch."""
    for name, found in ARCHITECTURES.items():
        if found.has_option("norm"):
            yield f"--arch {name} --norm layer"
            yield f"--arch {name} --norm batch --inputs-per-seed 8"
    yield "--arch cnn --norm layer --head gap"
    yield "--arch cnn --norm batch --head gap --inputs-per-seed 8"
    yield from (f"--arch cnn --norm layer --init {init}" for init in INITIALIZERS[1:])


def patches() -> Iterator[str]:
    """A fixed number of growing patches, with each head, and where attention scores are small."""
    for name, found in ARCHITECTURES.items():
        if found.has_option("tokens"):
            yield from (f"--arch {name} {SIXTEEN} --head {head}" for head in found.heads)
            yield f"--arch {name} {SIXTEEN} --init constant"
