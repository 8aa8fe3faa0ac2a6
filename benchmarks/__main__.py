"""Prints how long the simulator takes next to other ways to do the same, and to the machine."""

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import (
    convolutions,
    dense,
    independence,
    memory,
    peers,
    precision,
    pytorch,
    variance,
)
from sim.plan import refusals
from sim.running import files
from sim.statistics.numbers import with_ends
from theory import console
from theory.arguments import Parser
from theory.network import output_shape
from theory.registry import counts


def measure_machine(chosen: argparse.Namespace) -> Any:
    """What the machine can do."""
    return {**convolutions.machine(chosen.repeats), "torch": peers.TORCH}


def measure_convolutional(chosen: argparse.Namespace) -> Any:
    """Networks of convolutions at several sides."""
    rows = []
    for network in convolutions.NETWORKS.values():
        rows += convolutions.compare(network, tuple(chosen.sides), chosen.seeds, chosen.repeats)
    return rows


def measure_dense(chosen: argparse.Namespace) -> Any:
    """Dense networks at several sides."""
    return [dense.compare(side, chosen.repeats) for side in dense.SIDES]


def measure_growth(chosen: argparse.Namespace) -> Any:
    """How time and memory of a dense network grow with d."""
    exponent, rows = dense.growth(10_000)
    return {"exponent": exponent, "rows": [*rows, dense.apart(*dense.WIDE)]}


def measure_variance(chosen: argparse.Namespace) -> Any:
    """What lowers the variance of an exponent."""
    return {arch: variance.compare(*case) for arch, case in variance.CASES.items()}


def measure_precision(chosen: argparse.Namespace) -> Any:
    """The time until an exponent is known well enough."""
    rows = []
    for case in precision.CASES:
        row: dict[str, Any] = {"network": case.arch, "ours": precision.ours(case, chosen.until)}
        if peers.TORCH:
            row["torch loop"] = precision.loop(case, chosen.until)
        rows.append(row)
    return rows


def measure_independence(chosen: argparse.Namespace) -> Any:
    """Predictions by gradient independence beside their measurement."""
    rows = [independence.compare(name, network) for name, network in independence.cases()]
    return [{key: x for key, x in row.items() if key != "samples"} for row in rows]


def measure_agreement(chosen: argparse.Namespace) -> Any:
    """Gradient independence beside the law."""
    return list(independence.agreements())


def measure_memory(chosen: argparse.Namespace) -> Any:
    """The memory that commands estimate and take."""
    return memory.all_measured()


def measure_pytorch(chosen: argparse.Namespace) -> Any:
    """Models of PyTorch beside a loop."""
    return pytorch.rows()


def show_machine(found: Any) -> None:
    print(f"matrix product {found['matmul'] / 1e9:.0f} GFLOP/s, ", end="")
    print(f"normal variates {found['normals'] / 1e6:.0f} M/s", end="")
    print(f" (by jax.random alone {found['jax_normals'] / 1e6:.0f} M/s)")
    if not found["torch"]:
        print("PyTorch is not installed (extra peers): no comparison with it.")


def show_convolutional(rows: Any) -> None:
    for clock, title in (("seconds", "wall"), ("processor", "processor")):
        print(f"\nconvolutions: {title} milliseconds per seed")
        ways = list(rows[0][clock])
        print(f"{'network':<15}{'sides':<12}" + "".join(f"{way:>16}" for way in ways), end="")
        print(f"{'of peak':>10}{'again':>8}" if clock == "seconds" else "")
        for row in rows:
            line = f"{row['network']:<15}{row['sides']:<12}"
            line += "".join(f"{1e3 * row[clock][way]:>16.2f}" for way in ways)
            again = "" if row["of_peak_again"] is None else f"{row['of_peak_again']:>8.0%}"
            print(line + (f"{row['of_peak']:>10.0%}{again}" if clock == "seconds" else ""))


def show_dense(rows: Any) -> None:
    print("\ndense layers, 4 × 512 units: milliseconds per seed")
    print(f"{'d':>8}" + "".join(f"{way:>16}" for way in rows[0]["seconds"]), end="")
    print(f"{'variates per second':>22}")
    for row in rows:
        cells = "".join(f"{1e3 * seconds:>16.3f}" for seconds in row["seconds"].values())
        print(f"{row['d']:>8}{cells}{row['normals'] / 1e6:>20.0f} M")


def show_growth(found: Any) -> None:
    print(f"\ngrowth, 4 hidden layers: time ∝ d^{found['exponent']:.3f} at width 10000")
    print(f"{'width':>8}{'d':>12}{'s per seed':>14}{'peak GiB':>12}")
    for row in found["rows"]:
        print(f"{row['width']:>8}{row['d']:>12}{row['seconds']:>14.3f}", end="")
        print(f"{row['peak_bytes'] / 2**30:>12.2f}")


def show_variance(found: Any) -> None:
    print("\nvariance of an exponent over seeds, and seconds of a seed, each over its first row's")
    for arch, rows in found.items():
        print(f"{arch:<30}{'deviation':>10}{'variance':>10}{'time':>8}{'gain':>8}")
        for row in rows:
            print(f"{row['lever']:<30}{row['deviation']:>10.4f}{row['variance']:>10.3f}", end="")
            print(f"{row['time']:>8.2f}{row['gain']:>8.2f}")


def show_precision(rows: Any) -> None:
    print("\ntime to precision: seconds of the whole process")
    for row in rows:
        ours = row["ours"]
        print(f"{row['network']:<8} ours {ours['cold']:.1f} s, again {ours['warm']:.1f} s", end="")
        print(f" ({ours['seeds']} seeds, half-width {ours['half_width']:.4f})", end="")
        if "torch loop" in row:
            peer = row["torch loop"]
            print(f"; PyTorch loop {peer['seconds']:.0f} s ({peer['seeds']:.0f} seeds), ", end="")
            print(f"{peer['seconds'] / ours['cold']:.1f} times as long", end="")
        print()


def show_independence(rows: Any) -> None:
    print("\npredictions by gradient independence beside their measurement, with compilation")
    print("| model | measured / predicted, side 16 | side 32 | processor s, measured | predicted |")
    print("|---|---|---|---|---|")
    for row in rows:
        times = row["measurement"]["processor"], row["prediction"]["processor"]
        cells = [with_ends(x["value"], *x["interval"]) for x in row["ratios"]]
        cells += [f"{seconds:.1f}" for seconds in times]
        print(f"| `{row['model']}` | " + " | ".join(cells) + " |")
    whole = [sum(row[part]["processor"] for row in rows) for part in ("measurement", "prediction")]
    print(f"all together: {whole[0]:.0f} s and {whole[1]:.0f} s, {whole[1] / whole[0]:.2f} times")


def show_agreement(rows: Any) -> None:
    print("\ngradient independence over the law, E‖∂f_k‖₁")
    for row in rows:
        print(f"{row['arch']:<32}width {row['width']:<6}side {row['side']:<5}", end="")
        print(f"{row['ratio']:.3f} ± {1.96 * row['error']:.3f}")


PARTS: dict[str, tuple[Callable[[argparse.Namespace], Any], Callable[[Any], None]]] = {
    "machine": (measure_machine, show_machine),
    "convolutions": (measure_convolutional, show_convolutional),
    "dense": (measure_dense, show_dense),
    "growth": (measure_growth, show_growth),
    "variance": (measure_variance, show_variance),
    "precision": (measure_precision, show_precision),
    "independence": (measure_independence, show_independence),
    "agreement": (measure_agreement, show_agreement),
    "pytorch": (measure_pytorch, pytorch.show),
    "memory": (measure_memory, memory.show),
}
"""What is measured, and how it is printed."""


def check(chosen: argparse.Namespace) -> None:
    """Raises ValueError, with one sentence, for flags that make no sense."""
    refusals.check_distinct("--only", chosen.only)
    refusals.check_distinct("--sides", chosen.sides)
    if len(chosen.sides) < 2:
        raise ValueError(f"a sweep needs two sides or more, not only --sides {chosen.sides[0]}.")
    for network in convolutions.NETWORKS.values():
        for side in chosen.sides:
            counts(side=side)
            output_shape(network.body, network.input_shape(side))
    counts(seeds=chosen.seeds, repeats=chosen.repeats)
    if not 0 < chosen.until < math.inf:
        raise ValueError(f"--until must be a positive number, not {chosen.until:g}.")
    files.check_writable(chosen.json)


def main(args: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 2 bad usage)."""
    parser = Parser("python -m benchmarks", __doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--seeds", type=int, default=64, help="convolutional networks of ours")
    parser.add_argument("--repeats", type=int, default=5, help="turns of which to take the median")
    parser.add_argument("--until", type=float, default=0.005, help="half-width of the exponent")
    parser.add_argument(
        "--json", metavar="FILE", help='also write JSON ("-": only JSON, to stdout)'
    )
    chosen = parser.read(args)
    with console.one_sentence():
        check(chosen)
    result = {}
    for name in chosen.only:
        measure, show = PARTS[name]
        result[name] = measure(chosen)
        if chosen.json != "-":
            show(result[name])
            sys.stdout.flush()
    if chosen.json is not None:
        files.write_text(chosen.json, json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(console.run(main))
