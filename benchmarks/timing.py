"""Times of several ways to do one thing, taken in turns."""

import statistics
import time
from collections.abc import Callable


def in_turns(
    ways: dict[str, Callable[[], object]], repeats: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Median wall seconds of each way, and median processor seconds (over all cores).

    Every way runs once untimed, then all run in turns, so that what else the machine does meets all
    of them alike. Where it does much, processor seconds say more.
    """
    for work in ways.values():
        work()
    wall: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, work in ways.items():
            start, start_processor = time.perf_counter(), time.process_time()
            work()
            wall[name].append(time.perf_counter() - start)
            processor[name].append(time.process_time() - start_processor)
    median = statistics.median
    return {k: median(v) for k, v in wall.items()}, {k: median(v) for k, v in processor.items()}
