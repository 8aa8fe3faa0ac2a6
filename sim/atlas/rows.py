"""What was found of each architecture, and the file of comma-separated values that keeps it."""

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from sim.atlas.configuration import Config, models
from sim.running import files


@dataclass(frozen=True)
class Row:
    """One norm of the loss's input gradient in one architecture.

    Numbers are NaN where there is none; intervals are of 95 % over networks.
    """

    model: str
    end: str
    """What is done with the last features, see `sim.atlas.networks`."""
    q: str
    """Order of the norm ‖∂_x L‖_q."""
    sizes: str
    """Sides of the images, with spaces between them."""
    seeds: int
    seed: int
    exponent: float
    """Of d, of the mean norm over these sides."""
    low: float
    high: float
    predicted: float
    """The exponent under gradient independence."""
    predicted_error: float
    """Its standard error."""
    mean: float
    """E‖∂_x L‖_q at the largest side."""
    mean_low: float
    mean_high: float
    ratio: float
    """Measured over predicted mean there."""
    ratio_low: float
    ratio_high: float
    verdict: str
    seconds: float
    """Of processors, for all norms together, compiling and predicting included."""
    mebibytes: int
    """The most memory that the process had."""
    remark: str
    """Why there is no number, or what the prediction leaves out."""

    @property
    def grows(self) -> str:
        """Whether the norm grows like √d over these sides: the interval has ½ in it, and not 0."""
        if not self.low <= self.high:
            return "–"
        if self.low <= 0.5 <= self.high:
            return "unclear" if self.low <= 0 else "yes"
        return "slower" if self.high < 0.5 else "faster"


class Key(NamedTuple):
    """What the rows of one architecture are of."""

    model: str
    sizes: str
    seeds: int
    seed: int


def key(row: Row) -> Key:
    """The architecture of a row, and how it was measured."""
    return Key(row.model, row.sizes, row.seeds, row.seed)


def wanted(config: Config) -> list[Key]:
    """The keys of what a configuration asks for."""
    sizes = " ".join(map(str, sorted(config.sizes)))
    return [Key(model, sizes, config.seeds, config.seed) for model in models(config)]


def read(path: str) -> list[Row]:
    """The rows of a file; none if there is no file.

    Raises:
        ValueError: It is no file of such rows.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read {path}.") from error
    kinds = get_type_hints(Row)
    lines = csv.DictReader(io.StringIO(text))
    if lines.fieldnames != list(kinds):
        raise ValueError(f"{path} is no table of python -m sim.atlas.")
    try:
        return [Row(**{name: kinds[name](cell) for name, cell in line.items()}) for line in lines]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is no table of python -m sim.atlas.") from error


def write(path: str, rows: Iterable[Row]) -> None:
    """Keeps all rows in a file, whole or not at all."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(field.name for field in fields(Row))
    lines.writerows([_cell(x) for x in astuple(row)] for row in rows)
    files.write_text(path, text.getvalue())


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
