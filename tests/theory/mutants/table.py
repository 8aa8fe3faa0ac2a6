"""Mutants of the code that predicts: one altered place each, and what has to notice.

`by` names a statement, or a function of `comparisons` with its arguments.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """`old` in the source of `module` becomes `new`."""

    module: str
    old: str
    new: str
    by: str


def _of(module, *rows):
    return tuple(Mutant(f"theory.{module}", *row) for row in rows)


MUTANTS = (
    *_of(
        "laws.energy",
        (
            "Connection(activations.slope_moment(layer, 1),",
            "Connection(2 * activations.slope_moment(layer, 1),",
            "theorem-4",
        ),
        (
            "Connection(weight_variance(layer, shape),",
            "Connection(2 * weight_variance(layer, shape),",
            "theorem-4",
        ),
        ("return Connection(sp.Integer(1))", "return Connection(sp.Integer(2))", "corollary-6"),
        ("in_degree(layer, shape) ** -2", "in_degree(layer, shape) ** -1", "average-pooling"),
        ("Connection(1 / in_degree", "Connection(2 / in_degree", "max-pooling"),
        (
            "return in_degree(layer, shape) * connection(",
            "return connection(",
            "theorem-4",
        ),
        (
            "sp.sympify(branch) / (branch + shortcut)",
            "sp.sympify(shortcut) / (branch + shortcut)",
            "concatenation",
        ),
        ("if not isinstance(layer, Concat):", "if True:", "concatenation"),
        ("own * rule(layer.branch, shape) +", "own * rule(layer.branch, shape) -", "corollary-6"),
        ("product *= rule(inner, shape)", "product += rule(inner, shape)", "corollary-6"),
        ("return moment * shape[-1] if", "return moment if", "corollary-6"),
        ("sp.Rational(1, positions(shape))", "sp.Integer(1)", "corollary-6"),
        (
            "return branch + energy_map(layer.shortcut",
            "return branch - energy_map(layer.shortcut",
            "measured 10",
        ),
        ("out * own, fluctuation", "out, fluctuation", "measured 12"),
        (
            "float(np.sqrt(float(energy / sp.Integer(4) ** k)))",
            "float(float(energy / sp.Integer(4) ** k))",
            "measured 4",
        ),
    ),
    *_of(
        "fans",
        (
            "return shape[-1]\n\n\n@fan_in.register\ndef _(layer: Conv",
            "return 2 * shape[-1]\n\n\n@fan_in.register\ndef _(layer: Conv",
            "theorem-4",
        ),
        (
            "return layer.kernel**2 * shape[2]",
            "return layer.kernel * shape[2]",
            "corollary-6",
        ),
        ("return layer.features", "return 2 * layer.features", "initialization"),
        ("layer.kernel**2 * layer.channels", "layer.channels", "initialization"),
        ("return sp.sympify(shape[-1])", "return 2 * sp.sympify(shape[-1])", "theorem-4"),
        ("return taps**2 * shape[2]", "return 5 * taps**2 * shape[2]", "corollary-6"),
        ("taps += 1 - sp.Integer", "taps += 1 + sp.Integer", "corollary-6"),
        ("sp.sympify(layer.window) ** 2", "sp.sympify(layer.window)", "average-pooling"),
        ("sp.sympify(positions(shape))", "2 * sp.sympify(positions(shape))", "average-pooling"),
    ),
    *_of(
        "initializers",
        ("return exact(init.std) ** 2", "return exact(init.std)", "initialization"),
        ("/ sp.Max(fan_in, columns)", "/ sp.Min(fan_in, columns)", "initialization"),
        ("(sp.sympify(fan_in) + fan_out) / 2", "(sp.sympify(fan_in) + fan_out)", "initialization"),
        ("return exact(init.scale) / fan", "return exact(init.scale) / fan**2", "theorem-4"),
        ("(self, 1 / exact(activation_gain))", "(self, exact(activation_gain))", "initialization"),
        ('"uniform", sp.Rational(1, 3)', '"uniform", sp.Rational(1, 2)', "initialization"),
        ("](self, sp.Integer(1))", "](self, sp.Integer(2))", "initialization"),
        ('"lecun": _scaled("fan_in",', '"lecun": _scaled("fan_out",', "initialization"),
    ),
    *_of(
        "activations",
        ("** power) / 2\n", "** power) / 3\n", "theorem-4"),
        ("4 / (sp.pi * sp.sqrt(1 + 4 * v))", "8 / (sp.pi * sp.sqrt(1 + 4 * v))", "closed_forms"),
        (
            "sp.diff(function(layer, z), z) ** power, closed",
            "9 * sp.diff(function(layer, z), z) ** power, closed",
            "measured 2",
        ),
        ("common + v / (2 * sp.pi", "common + v / (3 * sp.pi", "closed_forms"),
        ("sp.sqrt(v / (2 * sp.pi))", "sp.sqrt(v / (3 * sp.pi))", "layer-norm"),
        ("2 / sp.pi * sp.asin(2 * v", "2 / sp.pi * sp.asin(3 * v", "closed_forms"),
        ("v / sp.sqrt(2 * sp.pi * (1 + v))", "v / sp.sqrt(sp.pi * (1 + v))", "closed_forms"),
        ("16 / (sp.pi**2", "8 / (sp.pi**2", "closed_forms"),
        (": v * common,", ": common,", "closed_forms"),
        ("return v * slope_moment(layer, v)", "return slope_moment(layer, v)", "closed_forms"),
    ),
    *_of(
        "laws.wide",
        (
            "factor = 1 / (v.square - v.over_channels)",
            "factor = 7 / (v.square - v.over_channels)",
            "layer-norm",
        ),
        (
            "factor = 1 / (v.square - v.over_channels)",
            "factor = 1 / (v.square + v.over_channels)",
            "layer-norm",
        ),
        (
            "factor = 1 / (v.square - v.over_positions)",
            "factor = 2 / (v.square - v.over_positions)",
            "batch-norm",
        ),
        (
            "factor = 1 / (v.square - v.over_positions)",
            "factor = 1 / (v.square + v.over_positions)",
            "batch-norm",
        ),
        ("mixed = v.times(gain(", "mixed = v.times(2 * gain(", "layer-norm"),
        ("activations.mean(layer, square) ** 2", "activations.mean(layer, square)", "layer-norm"),
        (
            "behind = activations.mean_square(",
            "behind = 2 * activations.mean_square(",
            "layer-norm",
        ),
        ("square=factor * self.square", "square=self.square", "layer-norm"),
        ("factor * mean\n", "mean\n", "batch-norm"),
    ),
    *_of(
        "laws.units",
        ("before = slopes**2 * energies", "before = 2 * slopes**2 * energies", "measured 10"),
        ("return branch + shortcut, pull", "return branch, pull", "streams"),
        ("before**2) / np.mean(energies**2)", "before**2)", "streams"),
        ("return from_branch + from_shortcut", "return from_branch", "streams"),
    ),
    *_of(
        "laws.prediction",
        ("(network), d) / 2 + spread", "(network), d) + spread", "average-pooling"),
        ("else 1 / order - sp.Rational(1, 2)", "else 1 / order", "theorem-4"),
        ("amplitude = sp.sqrt(energy / d)", "amplitude = energy / d", "theorem-4"),
        (
            "residual_expression(logits * averaged, many, power, share)",
            "2 * residual_expression(logits * averaged, many, power, share)",
            "expressions",
        ),
        (
            "root = gain(body, shape), sp.sqrt(d /",
            "root = gain(body, shape), (d /",
            "average-pooling",
        ),
    ),
    *_of(
        "laws.law",
        ("value *= residual_value(", "value *= 3 * residual_value(", "expressions"),
        ("finite_width = np.prod(", "finite_width = np.sum(", "measured 0"),
        ("[root / np.sqrt(d)]", "[root]", "measured 0"),
    ),
    *_of(
        "laws.parts",
        (
            "gaussian.masked_chi_value(n, a) / np.sqrt(n * (1 + a**2) / 2)",
            "gaussian.masked_chi_value(n, a) / np.sqrt(n)",
            "measured 0",
        ),
        (
            "gaussian.masked_chi_mean(n, a) / sp.sqrt(n * (1 + a**2) / 2)",
            "gaussian.masked_chi_mean(n, a) / sp.sqrt(n)",
            "expressions",
        ),
    ),
    *_of(
        "laws.gaussian",
        (
            "2 ** (q / 2) * sp.gamma((q + 1) / 2)",
            "2 ** (q / 2) * sp.gamma((q + 2) / 2)",
            "norms",
        ),
        ("sp.sqrt(2) * sp.gamma((n + 1) / 2)", "sp.sqrt(3) * sp.gamma((n + 1) / 2)", "norms"),
        ("np.sqrt(2 / np.pi) * np.sum(scales", "3 * np.sum(scales", "measured 5"),
        ("np.sqrt(2) * special.poch(n / 2, 0.5)", "np.sqrt(2) * special.poch(n, 0.5)", "norms"),
        ("return integrate.simpson(", "return 3 * integrate.simpson(", "measured 6"),
        ("a / special.gamma(1 - a) * total", "special.gamma(1 - a) * total", "norms"),
        ("n * np.log(2)) @ means", "n * np.log(3)) @ means", "measured 0"),
        ("sp.sqrt(2 / sp.pi) * total * d", "sp.sqrt(3 / sp.pi) * total * d", "expressions"),
        ("(1 / q) * d ** (1 / q)", "(1 / q) * d ** (2 / q)", "theorem-4"),
        ("return scales[0] * chi_mean(", "return 2 * scales[0] * chi_mean(", "expressions"),
    ),
    *_of(
        "laws.softmax",
        ("(1 - alignment) * squares +", "3 * (1 - alignment) * squares +", "softmax"),
        ("+ alignment * along)", "+ along)", "softmax"),
        (
            "return (1 - 1 / sp.sympify(classes)) **",
            "return 2 * (1 - 1 / sp.sympify(classes)) **",
            "loss-gradient",
        ),
        ("- 2 * p + 1", "- p + 1", "softmax"),
        ("np.sqrt(variance) * g, axis=1", "variance * g, axis=1", "softmax"),
        ("axis=1, keepdims=True) - g) ** 2", "axis=1, keepdims=True)) ** 2", "softmax"),
    ),
    *_of(
        "laws.alignment",
        (
            "along = fraction(square) * self",
            "along = 2 * fraction(square) * self",
            "gaussian-head",
        ),
        ("masks[..., : x.shape[2]] * x / size", "masks[..., : x.shape[2]] * x", "gaussian-head"),
        ("values.shares, found.total(after))", "values.shares, found.across)", "gaussian-head"),
        (
            "values.square - values.common) / in_degree",
            "values.square - values.common) / 1 + 0 * in_degree",
            "alignment",
        ),
        ("known += before.known", "known = list(before.known)", "alignment"),
        ("found = counts.T @ behind @", "found = counts.T @ counts @ behind @", "gaussian-head"),
        (
            "return found / (counts.sum() / side) ** axes",
            "return behind.mean() + 0 * found",
            "gaussian-head",
        ),
    ),
    *_of(
        "laws.sampled_units",
        ("at = (own - far) /", "at = own + 0 * far /", "alignment"),
        ("np.stack([z, -z])", "np.stack([z, z])", "gaussian-head"),
    ),
    *_of(
        "laws.cascade",
        ("energies.shape) / order", "energies.shape)", "measured 5"),
        ("return sample.outside * float(", "return 2 * float(", "measured 5"),
        ("np.sqrt(means / channels)", "np.sqrt(means)", "measured 5"),
    ),
    *_of(
        "laws.resolved",
        ("return 3 * fourth", "return 9 * fourth", "cascade"),
    ),
    *_of(
        "laws.kernels",
        ("np.sqrt(1 - rho**2) + rho", "np.sqrt(1 - rho**2) - rho", "positions"),
        ("(np.pi - np.arccos(rho)) / (2", "np.arccos(rho) / (2", "positions"),
    ),
    *_of(
        "laws.pairs",
        ("for p in by_input.get(j, [])", "for p in by_input.get(i, [])", "positions"),
    ),
    *_of(
        "laws.positions",
        ("after.products * kept", "after.products * second", "positions"),
        ("values.common * far", "2 * values.common * far", "positions"),
        ("(1 + 2 * r**2)", "(1 + r**2)", "positions"),
        ("after.distinct * float", "0 * after.distinct * float", "positions"),
    ),
    *_of(
        "laws.growth",
        (".degree() - sp.Poly(under, d)", ".degree() + sp.Poly(under, d)", "average-pooling"),
    ),
    *_of(
        "laws.norms",
        ("else p / (p - 1)", "else p / (p + 1)", "lemma-2"),
        ("** power) ** (1 / power)", "** power)", "lemma-2"),
        ("relative**power / norm(relative, q)", "relative / norm(relative, q)", "lemma-2"),
        (
            "power: Any = 0 if p == sp.oo else 1 / p",
            "power: Any = 0 if p == sp.oo else 2 / p",
            "norms",
        ),
        ("return size * norm(gradient, dual(p))", "return size * norm(gradient, p)", "norms"),
    ),
    *_of(
        "laws.bounds",
        ("return 2 * (1 + self.slope**4)", "return (1 + self.slope**4)", "norm-bounds"),
        ("(units - 1) * square", "units * square", "norm-bounds"),
        ("value *= 1 + (alike - 1)", "value *= 1 + alike", "norm-bounds"),
        ('"uniform": sp.Rational(9, 5)', '"uniform": sp.Integer(2)', "norm-bounds"),
        ("(1.0 if order <= 2", "(0.5 if order <= 2", "bounds"),
        ("order) / np.sqrt(factor)", "order) * np.sqrt(factor)", "bounds"),
    ),
    *_of(
        "laws.second_moment",
        ("if not stream.summed:", "if False:", "true-masks"),
        ("if not stream.apart:", "if False:", "true-masks"),
        ("pointwise = isinstance(layer, Dense) or", "pointwise = True or", "true-masks"),
    ),
    *_of(
        "laws.masked_sum",
        ("sp.factorial2(2 * j - 1)", "sp.factorial2(2 * j + 1)", "masked_sum"),
    ),
)

QUICK = 12
"""Every so many-th mutant is in the default run."""
