"""One panel of the page as SVG: mean norms against d on logarithmic axes, and predicted lines."""

import math
from collections.abc import Sequence
from html import escape

from sim.drawing.style import COLOURS
from sim.statistics.fitting import Point

Mark = tuple[int, Point]
"""A point with its number in the report."""

WIDTH, HEIGHT = 400, 270
LEFT, RIGHT, TOP, BOTTOM = 56.0, 388.0, 10.0, 226.0

SHAPES = (
    '<circle class="mark" r="4"',
    '<rect class="mark" x="-3.7" y="-3.7" width="7.4" height="7.4"',
    '<path class="mark" d="M0 -5L4.6 3.6H-4.6Z"',
    '<path class="mark" d="M0 -5.4L5 0L0 5.4L-5 0Z"',
    '<path class="mark" d="M0 5L4.6 -3.6H-4.6Z"',
    '<path class="mark" d="M-4 -4L4 4M-4 4L4 -4"',
)


def marker(i: int) -> str:
    """The shape of the i-th width, about the origin; open, so that what lies below is seen."""
    return f'{SHAPES[i % 6]} fill="#fff" fill-opacity="0.6" stroke="{COLOURS[i % 6]}"/>'


def panel(name: str, marks: list[Mark], widths: Sequence[int | None]) -> str:
    """A figure of one norm. Values that are not positive and finite are not drawn."""
    points = [point for _, point in marks]
    xs = [float(point.d) for point in points]
    ys = [
        y for p in points for y in (p.mean, *p.interval, p.predicted) if y is not None and _drawn(y)
    ]
    if not ys:
        return f"<figure><figcaption>{escape(name)}</figcaption><p>no values to draw</p></figure>"
    x_axis, y_axis = _Axis(min(xs), max(xs), LEFT, RIGHT), _Axis(min(ys), max(ys), BOTTOM, TOP, 1.0)
    parts = [
        f'<figure><figcaption>{escape(name)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="group" aria-label="{escape(name)} against d">',
        *_axes(x_axis, y_axis, sorted(set(xs))),
    ]
    for i, width in enumerate(widths):
        own = [(number, point) for number, point in marks if point.width == width]
        parts.append(f'<g data-width="{width}">')
        path = " ".join(
            f"{x_axis(p.d):.1f},{y_axis(p.predicted):.1f}"
            for _, p in own
            if p.predicted is not None and _drawn(p.predicted)
        )
        parts.append(f'<polyline class="law" stroke="{COLOURS[i % 6]}" points="{path}"/>')
        parts += [_mark(i, n, p, name, x_axis, y_axis) for n, p in own if _drawn(p.mean)]
        parts.append("</g>")
    return "\n".join([*parts, "</svg></figure>"])


def _drawn(value: float) -> bool:
    return math.isfinite(value) and value > 0


class _Axis:
    """From a value to its place on a logarithmic axis of at least so many decades."""

    def __init__(self, low: float, high: float, start: float, end: float, decades: float = 0.1):
        low, high = math.log10(low), math.log10(high)
        margin = 0.05 * (high - low) + max(0.0, decades - (high - low)) / 2
        self.low, self.high, self.start, self.end = low - margin, high + margin, start, end

    def __call__(self, value: float | int) -> float:
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def ticks(self) -> list[float]:
        """1, 2 and 5 times powers of ten, or powers of ten alone where these would be many."""
        first, last = math.floor(self.low), math.ceil(self.high)
        steps = (1, 2, 5) if last - first <= 3 else (1,)
        found = [step * 10.0**k for k in range(first, last + 1) for step in steps]
        return [value for value in found if self.low <= math.log10(value) <= self.high]


def _axes(x_axis: _Axis, y_axis: _Axis, ds: list[float]) -> list[str]:
    parts = []
    for value in y_axis.ticks():
        y = y_axis(value)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{RIGHT}"/>')
        label = f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        parts.append(label)
    shown = [ds[0]]
    for d in ds[1:]:
        if x_axis(d) - x_axis(shown[-1]) > 44:
            shown.append(d)
    for d in shown:
        x = x_axis(d)
        parts.append(f'<path class="axis" d="M{x:.1f} {BOTTOM}v5"/>')
        parts.append(f'<text x="{x:.1f}" y="{BOTTOM + 19}" text-anchor="middle">{d:.0f}</text>')
    middle = (LEFT + RIGHT) / 2
    parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}"/>')
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">input dimension '
        '<tspan font-style="italic">d</tspan></text>'
    )
    return parts


def _mark(i: int, number: int, point: Point, name: str, x_axis: _Axis, y_axis: _Axis) -> str:
    x, y = x_axis(point.d), y_axis(point.mean)
    low, high = point.interval
    bar = ""
    if _drawn(low) and _drawn(high):
        ends = f"M0 {y_axis(low) - y:.1f}V{y_axis(high) - y:.1f}"
        bar = f'<path class="bar" stroke="{COLOURS[i % 6]}" d="{ends}"/>'
    predicted = f", predicted {point.predicted:.4g}" if point.predicted is not None else ""
    width = "" if point.width is None else f"width {point.width}, "
    title = f"{name}, {width}d = {point.d}: {point.mean:.4g} [{low:.4g}, {high:.4g}]{predicted}"
    return (
        f'<g class="point" data-point="{number}" transform="translate({x:.1f} {y:.1f})">'
        f"<title>{escape(title)}</title>"
        f'<circle class="target" r="9"/>{bar}{marker(i)}</g>'
    )
