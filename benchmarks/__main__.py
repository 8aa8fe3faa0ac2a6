"""Prints how long the simulator takes next to other ways to do the same, and to the machine."""

import argparse
import json
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--seeds", type=int, default=16, help="seeds per timing of ours")
    parser.add_argument("--repeats", type=int, default=5, help="turns of which to take the median")
    parser.add_argument(
        "--json", metavar="FILE", help='also write JSON ("-": only JSON, to stdout)'
    )
    chosen = parser.parse_args()

    from benchmarks import convolutions, peers

    machine = convolutions.machine(chosen.repeats)
    rows = []
    for network in convolutions.NETWORKS.values():
        rows += convolutions.compare(network, tuple(chosen.sides), chosen.seeds, chosen.repeats)
    result = {"machine": machine, "torch": peers.TORCH, "convolutions": rows}
    if chosen.json == "-":
        json.dump(result, sys.stdout, indent=1)
        return
    print(f"matrix product {machine['matmul'] / 1e9:.0f} GFLOP/s, ", end="")
    print(f"normal variates {machine['normals'] / 1e6:.0f} M/s")
    if not peers.TORCH:
        print("PyTorch is not installed (extra peers): no comparison with it.")
    for clock, title in (("seconds", "wall"), ("processor", "processor")):
        print(f"\n{title} milliseconds per seed")
        ways = list(rows[0][clock])
        print(f"{'network':<15}{'sides':<12}" + "".join(f"{way:>16}" for way in ways), end="")
        print(f"{'of peak':>10}" if clock == "seconds" else "")
        for row in rows:
            line = f"{row['network']:<15}{row['sides']:<12}"
            line += "".join(f"{1e3 * row[clock][way]:>16.2f}" for way in ways)
            print(line + (f"{row['of_peak']:>10.0%}" if clock == "seconds" else ""))
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
