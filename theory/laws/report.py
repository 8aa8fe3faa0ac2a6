"""What `python -m theory.laws` prints: its answer, the laws, and one of them layer by layer."""

from collections.abc import Iterator

import sympy as sp

from theory.activations import GaussianMean
from theory.laws import energy, wide
from theory.laws.law import Law
from theory.laws.prediction import missing, predict
from theory.network import Network, show
from theory.printout import Line, Printout
from theory.tables import Table, columns

ORDERS = ("1", "2", "inf")
SIDE = 32
SAMPLED = "python -m sim.scaling samples a prediction (gradient independence)."


def printouts(networks: dict[str, Network], one: bool, full: bool) -> Iterator[Printout]:
    """The laws of networks, and layer by layer where one is asked for.

    Args:
        networks: The networks, by what they are called.
        one: Whether they are of one architecture. Its heads are a table, one head a law layer by
            layer.
        full: Whether all heads of the architecture are shown layer by layer.
    """
    if len(networks) > 1:
        yield Printout(_answer(networks), (_laws(networks),), remarks=_further(one and not full))
    if one and (full or len(networks) == 1):
        for title, network in networks.items():
            yield _layer_by_layer(title, network, len(networks) == 1)


def _answer(networks: dict[str, Network]) -> str:
    """For how many networks the ℓ_1 norm grows like √d, and behind which heads it does not."""
    laws = {title: predict(x) for title, x in networks.items() if missing(x) is None}
    if not laws:
        return f"None of these networks has a law: {SAMPLED}"
    others = [title for title, law in laws.items() if law.exponent != sp.Rational(1, 2)]
    heads = list(dict.fromkeys(title.partition(", ")[2] or title for title in others))
    answer = f"E‖∂f_k/∂x‖₁ grows like √d for {len(laws) - len(others)} of {len(networks)} networks."
    if heads:
        answer += f" It does not for {', '.join(heads)}."
    if len(laws) < len(networks):
        answer += f" For {len(networks) - len(laws)} there is no law: {SAMPLED}"
    return answer


def _further(one: bool) -> tuple[Line, ...]:
    if one:
        return (Line("--head NAME shows one of them layer by layer, --full all.", "dim"),)
    return ()


def _layer_by_layer(title: str, network: Network, alone: bool) -> Printout:
    """One law: what it says, the energy gain of every layer, and what it rests on."""
    reason = missing(network)
    if reason is not None:
        return Printout(f"{title}: no law. {reason} {SAMPLED}")
    law = predict(network)
    answer = f"{title}: E‖∂f_k/∂x‖₁ {_growth(law)}, {_leading(law)} for d → ∞ ({law.basis})."
    tables = (_laws({title: network}),) if alone else ()
    remarks = [Line(f"Rests on ({law.basis}):")]
    remarks += [Line(f"  - {sentence}") for sentence in law.assumptions]
    remarks += [Line(_second_moments(law)), Line(_bounds(law))]
    return Printout(answer, (*tables, _energies(network)), remarks=tuple(remarks))


def _laws(networks: dict[str, Network]) -> Table:
    names = ("network, head", "ℓ₁", "ℓ₂", "ℓ∞", "leading term of ℓ₁")
    rows = []
    for title, network in networks.items():
        if missing(network):
            rows.append((title, *["–"] * len(ORDERS), "no law"))
            continue
        laws = [predict(network, q) for q in ORDERS]
        rows.append((title, *(str(law.exponent) for law in laws), _leading(laws[0])))
    title = "exponents of d in E‖∂f_k/∂x‖_q, d → ∞"
    return Table(title, columns(names, text=names), tuple(rows))


def _leading(law: Law) -> str:
    if law.asymptote is None:
        return "constant unknown"
    if any(mean.free_symbols for mean in law.asymptote.atoms(GaussianMean)):
        return "constant without closed form"
    integrals = {x: sp.N(x) for x in law.asymptote.atoms(sp.Integral, GaussianMean)}
    value = str(sp.N(law.asymptote.xreplace(integrals), 4))
    return value.replace("**0.5", "^½").replace("**1.0", "")


def _growth(law: Law) -> str:
    if law.exponent == 0:
        return "does not grow with d"
    power = "√d" if law.exponent == sp.Rational(1, 2) else f"d^{law.exponent}"
    return f"grows like {power}"


def _energies(network: Network) -> Table:
    """The energy gain of every layer, and their product."""
    side = sp.Symbol("s", positive=True, integer=True)
    shape = network.input_shape(side)
    body = wide.resolve(network.body, shape).body if wide.needed(network.body) else network.body
    rows = [
        (repr(row.layer), show(row.shape), _short(row.gain)) for row in energy.table(body, shape)
    ]
    total = energy.simplified(energy.gain(body, shape))
    rows.append(("E‖∂f_k/∂x‖₂² = Πκ", "", _short(total)))
    names = ("layer", "output", "κ")
    return Table(
        f"{network.name}: energy gain κ of every layer",
        columns(names, text=names), tuple(rows), (len(rows) - 1,),
    )  # fmt: skip


def _short(gain: sp.Expr) -> str:
    """A simple gain as it is, one with sampled or unevaluated means as a number if it is one."""
    sampled = any(x.q > 100 for x in gain.atoms(sp.Rational))
    if gain.is_number and (sampled or gain.atoms(GaussianMean)):
        return str(sp.N(gain, 4))
    return "depends on s" if gain.atoms(GaussianMean) else str(gain)


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
