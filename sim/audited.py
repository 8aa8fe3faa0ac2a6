"""A network read for its audit: what the law expects of every layer, and how it is measured.

A network that `theory` describes is read layer by layer, with the gains of `theory.energy` in the
wide limit where that is needed; a user's own model node by node, as its trace has it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from sim import taps
from sim.layers import INPUTS
from sim.models import Own, pair
from sim.trace import basis_of, live
from sim.trace.squared import Squared, squared
from sim.trace.values import Pointwise, Signal, Step
from theory import activations, energy, wide
from theory.law import bases
from theory.network import (
    Activation,
    AvgPool,
    Branching,
    Concat,
    GlobalAvgPool,
    GlobalMaxPool,
    Identity,
    Layer,
    LeakyReLU,
    MaxPool,
    Network,
    Normalization,
    ReLU,
    Serial,
    SmoothActivation,
    Weighted,
    show,
    walk,
)

POST_ACTIVATION = "a residual stream that has been through an activation"
SHARED_KERNELS = "an average over positions that share their kernels"
MAX_POOLING = "max pooling"
PRODUCT = "products and statistics of the input (normalization, attention)"
MASKS = "masks that depend on the weights"
WAYS = "ways that meet again and are correlated"
OTHER = "weights or arithmetic"


@dataclass(frozen=True)
class Row:
    """One layer, or one node of a trace."""

    name: str
    kind: str
    where: str
    """The shape of the layer's output, or a line of the model's source."""
    rests: str
    """What its predicted gain rests on."""
    reason: str
    """What a gain other than predicted would come from."""


@dataclass(frozen=True)
class Audited:
    """Of all seeds at one size; fields as in `sim.audit.run`."""

    rows: list[Row]
    leaves: list[str]
    arrived: Float[np.ndarray, "rows seeds"]
    expected: Float[np.ndarray, "rows seeds"]
    left: Float[np.ndarray, "rows seeds"]
    active: Float[np.ndarray, "rows seeds"]
    flow: Float[np.ndarray, " rows"]
    paper: Float[np.ndarray, " rows"]
    energy: Float[np.ndarray, " seeds"]
    gaussian: Float[np.ndarray, " seeds"]
    nonzero: Float[np.ndarray, " seeds"]
    square: Float[np.ndarray, "leaves seeds"]
    sum: Float[np.ndarray, "leaves seeds"]
    node: Float[np.ndarray, "leaves seeds ends"]
    map: Float[np.ndarray, "seeds side side"]
    predicted_map: Float[np.ndarray, "side side"]
    total: float
    """E‖∂_x f_k‖_2² by the law."""
    basis: str
    shown: Bool[np.ndarray, " rows"] | None = None
    """Rows that say something at this size; None: all."""


def _of_inputs(measure: Callable[..., Any], weights: Any, xs: Array, key: Key[Array, ""]) -> Any:
    """Means over the inputs of a seed, and facts of its gradients and weights."""

    def one(x: Array, key: Key[Array, ""]) -> Any:
        found = measure(x, key)
        g = found.pop("gradient")
        root = jnp.sqrt(jnp.mean(g**2))
        return found | {
            "map": jnp.sum(g**2, axis=-1),
            "energy": jnp.sum(g**2),
            "gaussian": jnp.mean(jnp.abs(g)) / jnp.where(root > 0, root, 1) * jnp.sqrt(jnp.pi / 2),
            "nonzero": jnp.mean(g != 0),
        }

    found = jax.vmap(one, axis_name=INPUTS)(xs, jax.random.split(key, len(xs)))
    means = jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), found)
    return means | {"leaves": [_leaf(w) for w in _matrices(weights)]}


def _matrices(weights: Any) -> list[Array]:
    arrays = jax.tree.leaves(weights)
    return [w for w in arrays if w.ndim > 1 and jnp.issubdtype(w.dtype, jnp.floating)]


def _leaf(w: Array) -> tuple[Array, Array, Array]:
    """Mean square, sum in units of its error, and the sums of the weights of one node squared."""
    squares = jnp.sum(w**2)
    unit = jnp.where(squares > 0, squares, 1)
    by_output = jnp.sum(jnp.sum(w, axis=tuple(range(w.ndim - 1))) ** 2) / unit
    by_input = jnp.sum(jnp.sum(w, axis=tuple(range(1, w.ndim))) ** 2) / unit
    total = jnp.sum(w) / jnp.sqrt(unit)
    return squares / w.size, total, jnp.stack([by_output, by_input])


def _common(raw: Any, leaves: list[str]) -> dict[str, Any]:
    """The fields of `Audited` that do not depend on how the network is read."""
    seeds = len(raw["energy"])
    columns = list(zip(*raw["leaves"], strict=True)) or [[], [], []]
    ends = [(), (), (2,)]
    square, total, node = (
        np.array([np.asarray(x, float) for x in column]).reshape(len(leaves), seeds, *end)
        for column, end in zip(columns, ends, strict=True)
    )
    names = ("energy", "gaussian", "nonzero", "map")
    known = {name: np.asarray(raw[name], float) for name in names}
    return {"leaves": leaves, "square": square, "sum": total, "node": node} | known


class Described:
    """A network of `theory`, layer by layer."""

    def __init__(self, network: Network, shape: tuple[int, ...]) -> None:
        self.network, self.shape, self.body = network, shape, network.body
        needs_wide = wide.needed(self.body)
        self.resolved = wide.resolve(self.body, shape).body if needs_wide else self.body
        self.places = taps.places(self.body, shape)

    def measure(self, weights: Any, xs: Array, labels: Array, key: Key[Array, ""]) -> Any:
        def one(x: Array, key: Key[Array, ""]) -> Any:
            return taps.measure(self.body, weights, x, key)

        return _of_inputs(one, weights, xs, key)

    def understood(self, raw: Any) -> Audited:
        energies = [[np.asarray(e, float) for e in ends] for ends in raw["energies"]]
        resolved = taps.places(self.resolved, self.shape)
        arrived = np.array([_total(ends[0]) for ends in energies])
        left = np.array([_total(ends[-1]) for ends in energies])
        expected = np.array(
            [
                sum(map(_total, ends[1:-1])) if len(ends) > 2 else _total(_pulled(place, ends[-1]))
                for place, ends in zip(resolved, energies, strict=True)
            ]
        )
        reasons = _reasons(self.body)
        rows = [self._row(*pair) for pair in zip(self.places, reasons, strict=True)]
        predicted = energy.logit_energy_map(self.resolved, self.shape)
        leaves = [
            f"{i}: {place.layer!r}"
            for i, place in enumerate(self.places)
            if isinstance(place.layer, Weighted)
        ]
        return Audited(
            rows=rows,
            arrived=arrived,
            expected=expected,
            left=left,
            active=self._active(raw["positive"]),
            flow=self._flows(energies),
            paper=np.array([_paper(a, b) for a, b in zip(self.places, resolved, strict=True)]),
            predicted_map=predicted,
            total=float(predicted.sum()),
            basis=bases(self.network)[0],
            **_common(raw, leaves),
        )

    def _row(self, place: taps.Place, reason: str) -> Row:
        layer, inner = place.layer, "  " * place.depth
        if isinstance(layer, Branching):
            joined = "next to" if isinstance(layer, Concat) else "+"
            return Row(f"{inner}branch {joined} shortcut", "sum", show(place.ends[-1]), "", reason)
        rests = ""
        if not isinstance(layer, SmoothActivation | Normalization):
            rests = "; ".join(energy.connection(layer, place.shape).assumptions)
        kind = "weights" if isinstance(layer, Weighted) else "activation"
        kind = kind if isinstance(layer, Weighted | Activation) else "fixed"
        return Row(f"{inner}{layer!r}", kind, show(place.ends[-1]), rests, reason)

    def _active(self, positive: Any) -> np.ndarray:
        asked = [isinstance(place.layer, ReLU | LeakyReLU) for place in self.places]
        rows = zip(positive, asked, strict=True)
        return np.array([np.asarray(p, float) if a else np.full(len(p), np.nan) for p, a in rows])

    def _flows(self, energies: list[list[np.ndarray]]) -> np.ndarray:
        """The share of all energy through each place: 1, and less inside of a residual."""
        measured = iter(zip(self.places, energies, strict=True))
        flows: list[float] = []

        def through(layer: Layer, share: float) -> None:
            if isinstance(layer, Serial):
                for inner in layer.layers:
                    through(inner, share)
                return
            _, ends = next(measured)
            flows.append(share)
            if isinstance(layer, Branching):
                branch, shortcut = (float(np.mean(_total(way))) for way in ends[1:3])
                whole = branch + shortcut or 1.0
                through(layer.branch, share * branch / whole)
                through(layer.shortcut, share * shortcut / whole)

        through(self.body, 1.0)
        return np.array(flows)


def _total(energies: np.ndarray) -> np.ndarray:
    return energies.reshape(len(energies), -1).sum(axis=1)


def _pulled(place: taps.Place, out: np.ndarray) -> np.ndarray:
    """The expected map of energies before a layer, for the measured ones behind it."""
    maps = out.reshape(*out.shape, *(1,) * (3 - out.ndim))
    return energy.energy_map(place.layer, place.shape, maps)


def _paper(plain: taps.Place, resolved: taps.Place) -> float:
    """What hypothesis H expects over what the law does."""
    if isinstance(plain.layer, SmoothActivation | Normalization):
        return np.nan
    if not isinstance(resolved.layer, wide.Resolved):
        return 1.0
    assert isinstance(plain.layer, Activation)
    return float(activations.slope_moment(plain.layer, 1) / resolved.layer.second_moment)


def _reasons(body: Serial) -> list[str]:
    """For every place: what would make its gain another one than hypothesis H says."""
    reasons: list[str] = []
    none: frozenset[int] = frozenset()

    def through(
        layer: Layer, stream: frozenset[int], after_max: bool, before_pool: bool
    ) -> frozenset[int]:
        """The places of activations that what leaves has been through, with no weights since."""
        if isinstance(layer, Serial):
            for i, inner in enumerate(layer.layers):
                pool = before_pool or _pools(Serial(layer.layers[i + 1 :]))
                last = layer.layers[i - 1] if i else None
                stream = through(inner, stream, isinstance(last, MaxPool), pool)
            return stream
        if isinstance(layer, Branching):
            reasons.append(WAYS)
            ways = (layer.branch, layer.shortcut)
            return none.union(*[through(x, stream, False, before_pool) for x in ways])
        if isinstance(layer, MaxPool | GlobalMaxPool):
            reasons.append(MAX_POOLING)
        elif isinstance(layer, Activation) and not isinstance(layer, Identity):
            reason = MAX_POOLING if after_max else SHARED_KERNELS if before_pool else MASKS
            reasons.append(POST_ACTIVATION if stream else reason)
            for place in stream:  # its mask decides which units are large in the stream
                reasons[place] = POST_ACTIVATION
            return frozenset([len(reasons) - 1])
        elif isinstance(layer, Normalization):
            reasons.append(PRODUCT)
        else:
            reasons.append(SHARED_KERNELS if before_pool else OTHER)
        return none if isinstance(layer, Weighted) else stream

    through(body, none, False, False)
    return reasons


def _pools(layer: Layer) -> bool:
    return any(isinstance(inner, AvgPool | GlobalAvgPool) for inner in walk(layer))


@dataclass
class Traced:
    """A user's own model, node by node."""

    own: Own
    shape: tuple[int, ...]
    network: Squared = field(init=False)

    def __post_init__(self) -> None:
        init, apply = pair(self.own, self.shape)
        self.network = squared(init, apply, self.shape)
        tape = self.network.tape
        classes = self.network.logits.shape[0]
        ones = np.full(classes, 1 / classes)
        arrived, self.gains = tape.pull(self.network.logits.node, ones)
        self.predicted = np.zeros(self.shape) if arrived is None else np.asarray(arrived, float)
        self.nodes = live.tapped_nodes(self.network)
        halves = [step.inputs[0] for step in tape.steps if step.kind == "activation"]
        self.halves = list(dict.fromkeys(halves))

    def measure(self, weights: Any, xs: Array, labels: Array, key: Key[Array, ""]) -> Any:
        leaves = jax.tree.leaves(weights[0])

        def one(x: Array, key: Key[Array, ""]) -> Any:
            return live.measure(self.network, leaves, x, key, self.halves)

        return _of_inputs(one, weights, xs, key)

    def understood(self, raw: Any) -> Audited:
        tape = self.network.tape
        measured = {
            n: np.asarray(e, float) for n, e in zip(self.nodes, raw["energies"], strict=True)
        }
        positive = dict(zip(self.halves, raw["positive"], strict=True))
        consumers: dict[int, list[tuple[Step, float]]] = {}
        for step, gains in zip(tape.steps, self.gains, strict=True):
            for node, gain in zip(step.inputs, gains, strict=True):
                if np.isfinite(gain) and gain > 0:
                    consumers.setdefault(node, []).append((step, gain))
        energies, expected = dict(measured), {}
        for node in range(len(tape.shapes) - 1, -1, -1):
            parts = consumers.get(node, [])
            if parts:
                expected[node] = sum(gain * energies[step.output] for step, gain in parts)
                energies.setdefault(node, expected[node])
        flows = _flows(self.network, self.gains, energies, expected)
        chosen = [node for node in self.nodes if node in expected]
        shown = [_is_shown(consumers[n], measured[n], expected[n]) for n in chosen]
        reasons = _Reasons(self.network)
        unknown = np.full(len(raw["energy"]), np.nan)
        steps = [consumers[node][0][0] for node in chosen]
        ways = [len(consumers[node]) for node in chosen]
        rows = [
            Row(
                step.kind if n == 1 else f"{n} ways",
                step.kind if n == 1 else "sum",
                str(step.source),
                "; ".join(step.assumptions),
                reasons.of(node, step, n),
            )
            for node, step, n in zip(chosen, steps, ways, strict=True)
        ]
        left = [sum(energies[step.output] for step, _ in consumers[node]) for node in chosen]
        is_half = [
            n == 1 and step.kind == "activation" for n, step in zip(ways, steps, strict=True)
        ]
        assumptions = {a for step in tape.steps for a in step.assumptions}
        return Audited(
            rows=rows,
            arrived=np.array([measured[node] for node in chosen]),
            expected=np.array([expected[node] for node in chosen]),
            left=np.array(left),
            active=np.array(
                [
                    np.asarray(positive[node], float) if half else unknown
                    for node, half in zip(chosen, is_half, strict=True)
                ]
            ),
            flow=np.array([flows.get(node, 0.0) for node in chosen]),
            paper=np.ones(len(chosen)),
            predicted_map=self.predicted.sum(axis=-1),
            total=float(self.predicted.sum()),
            basis=basis_of(assumptions),
            shown=np.array(shown),
            **_common(raw, [f"array {i}" for i in range(len(raw["leaves"]))]),
        )


def _is_shown(parts: list[tuple[Step, float]], measured: np.ndarray, expected: np.ndarray) -> bool:
    """Layers, sums of several ways, and whatever else does other than expected."""
    if len(parts) > 1 or parts[0][0].kind not in _MIXES_NOTHING:
        return True
    off = measured - expected
    return bool(abs(off.mean()) > 4 * off.std() / np.sqrt(len(off)) + 1e-4 * expected.mean())


def _flows(
    network: Squared,
    gains: list[tuple[float, ...]],
    energies: dict[int, np.ndarray],
    expected: dict[int, np.ndarray],
) -> dict[int, float]:
    """The share of all energy that passes a node, divided at the input of several ways as there."""
    flows = {0: 1.0}
    for step, parts in zip(network.tape.steps, gains, strict=True):
        for node, gain in zip(step.inputs, parts, strict=True):
            whole = float(np.mean(expected[node])) if node in expected else 0.0
            if np.isfinite(gain) and gain > 0 and whole > 0:
                part = flows.get(node, 0.0) * gain * float(np.mean(energies[step.output])) / whole
                flows[step.output] = flows.get(step.output, 0.0) + part
    return flows


_MIXES_NOTHING = ("arrange", "scale", "sum")


class _Reasons:
    """What would make the gain at a node of a trace another one than predicted."""

    def __init__(self, network: Squared) -> None:
        self.signals: dict[int, Signal] = {}
        for outputs in network.made:
            for output in outputs:
                signal = output.settled if isinstance(output, Pointwise) else output
                if isinstance(signal, Signal):
                    self.signals.setdefault(signal.node, signal)
        steps = network.tape.steps
        self.made_by = {step.output: step.kind for step in steps}
        self.has_statistics = any(step.kind in ("statistic", "product") for step in steps)
        pooled: set[int] = set()
        for step in reversed(steps):
            if step.kind == "average" or step.output in pooled:
                pooled |= set(step.inputs)
        self.pooled = pooled
        streams: set[int] = set()
        for step in reversed(steps):
            if step.kind == "activation" or (
                step.output in streams and step.kind in _MIXES_NOTHING
            ):
                streams |= set(step.inputs)
        self.streams = streams
        statistics: set[int] = set()
        for step in reversed(steps):
            leads = step.output in statistics and step.kind not in ("weights", "product")
            if step.kind == "statistic" or leads:
                statistics |= set(step.inputs)
        self.statistics = statistics

    def of(self, node: int, step: Step, ways: int) -> str:
        if ways > 1:
            return WAYS if not self.has_statistics else PRODUCT
        if step.kind == "maximum" or self.made_by.get(node) == "maximum":
            return MAX_POOLING
        if step.kind in ("product", "statistic"):
            return PRODUCT
        if step.kind != "weights" and step.output in self.statistics:
            return PRODUCT
        signal = self.signals.get(node)
        was_activated = signal is not None and not signal.centred
        if step.kind == "activation" and (was_activated or step.output in self.streams):
            return POST_ACTIVATION
        if node in self.pooled and not self.has_statistics:
            return SHARED_KERNELS
        return MASKS if step.kind == "activation" else OTHER


def reading(network: Network, side: int) -> Described | Traced:
    """The reading of a network at one size, with `measure` for `sim.montecarlo.measured`.

    Its `understood` makes an `Audited` of what that returns. Raises TraceError for models without a
    trace.
    """
    shape = network.input_shape(side)
    first = network.body.layers[0] if network.body.layers else None
    return Traced(first, shape) if isinstance(first, Own) else Described(network, shape)
