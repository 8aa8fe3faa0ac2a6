"""Convolutions of users' models are the same in the form that XLA computes fast."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from sim.networks import convolution_layout, rewriting

FIRST = ("NCHW", "OIHW", "NCHW")
LAST = ("NHWC", "HWIO", "NHWC")
ODD = ("CWNH", "WOHI", "HCNW")


def convolution(numbers, groups=1, **options):
    """A convolution of x (2, channels, 9, 8) with kernels (out, channels / groups, 3, 2)."""
    asked = {"window_strides": (1, 1), "padding": [(1, 2), (0, 1)]} | options

    def of(x, kernels):
        places = [["NCHW".index(c) for c in numbers[0]], ["OIHW".index(c) for c in numbers[1]]]
        given = (a.transpose(axes) for a, axes in zip((x, kernels), places, strict=True))
        found = lax.conv_general_dilated(
            *given, dimension_numbers=numbers, feature_group_count=groups, **asked
        )
        return found.transpose([numbers[2].index(c) for c in "NCHW"])

    return of


def operands(inputs, outputs, groups):
    keys = jax.random.split(jax.random.key(inputs + outputs), 2)
    x = jax.random.normal(keys[0], (2, inputs, 9, 8))
    return x, jax.random.normal(keys[1], (outputs, inputs // groups, 3, 2))


def layouts(function, *arguments):
    """The layouts and groups of the convolutions in a program."""
    found, programs = [], [jax.make_jaxpr(function)(*arguments)]
    while programs:
        for equation in programs.pop().jaxpr.eqns:
            programs += rewriting._inner(equation)
            if equation.primitive.name == "conv_general_dilated":
                params = equation.params
                found.append((params["dimension_numbers"], params["feature_group_count"]))
    return found


CASES = [
    (1, 4, 6, {}),
    (1, 4, 6, {"window_strides": (2, 3)}),
    (1, 4, 6, {"rhs_dilation": (2, 3), "padding": [(2, 2), (3, 3)]}),
    (1, 4, 6, {"lhs_dilation": (3, 2), "padding": [(2, -1), (0, 3)]}),
    (2, 4, 6, {}),
    (4, 4, 4, {}),
    (4, 4, 12, {"window_strides": (2, 3), "rhs_dilation": (2, 2)}),
    (4, 4, 8, {"lhs_dilation": (3, 2), "padding": [(2, -1), (0, 3)]}),
]


@pytest.mark.parametrize("numbers", [FIRST, LAST, ODD])
@pytest.mark.parametrize(("groups", "inputs", "outputs", "options"), CASES)
def test_a_convolution_and_its_gradient_are_the_same(groups, inputs, outputs, options, numbers):
    one = convolution(numbers, groups, **options)

    def all_of_it(x, kernels):
        out, pull = jax.vjp(lambda x: one(x, kernels), x)
        return out, pull(jnp.cos(jnp.arange(out.size)).reshape(out.shape))[0]

    given = operands(inputs, outputs, groups)
    again = rewriting.rewritten(all_of_it)
    for found, expected in zip(again(*given), all_of_it(*given), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    # forwards and backwards
    rank_last = lax.conv_dimension_numbers((1, 1, 1, 1), (1, 1, 1, 1), LAST)
    assert all(numbers == rank_last for numbers, _ in layouts(again, *given))
    if groups == inputs:  # backwards every kernel reads outputs / inputs channels
        assert len(layouts(again, *given)) == (outputs > inputs)


def test_loops_over_seeds_have_it_and_what_is_mapped_stays_right():
    x, kernels = operands(4, 6, 1)
    many = jnp.stack([kernels, 2 * kernels, kernels**2])

    def looped(x, many):
        return lax.map(lambda kernels: convolution(FIRST)(x, kernels), many)

    def mapped(x, many):
        return jax.vmap(lambda kernels: convolution(FIRST)(x, kernels))(many)

    for function in (looped, mapped):
        again = jax.jit(rewriting.rewritten(function))
        np.testing.assert_allclose(again(x, many), looped(x, many), rtol=1e-4, atol=1e-4)
        ((found, _),) = layouts(again, x, many)
        assert found.lhs_spec == (0, 3, 1, 2)
    # twin: as it is written, channels come first
    assert layouts(looped, x, many)[0][0].lhs_spec == (0, 1, 2, 3)


@pytest.mark.parametrize(("axes", "letters"), [(1, "H"), (3, "DHW")])
def test_other_numbers_of_axes(axes, letters):
    numbers = (f"NC{letters}", f"OI{letters}", f"NC{letters}")
    keys = jax.random.split(jax.random.key(1), 2)
    x = jax.random.normal(keys[0], (1, 4, *[6] * axes))
    for groups in (1, 4):
        kernels = jax.random.normal(keys[1], (8, 4 // groups, *[3] * axes))

        def one(x, kernels, groups=groups):
            return lax.conv_general_dilated(
                x, kernels, [2] * axes, "SAME", None, None, numbers, groups
            )

        np.testing.assert_allclose(
            rewriting.rewritten(one)(x, kernels), one(x, kernels), rtol=1e-4, atol=1e-4
        )


def test_what_is_in_xlas_form_and_large_depthwise_kernels_stay_a_convolution():
    x, kernels = operands(4, 6, 1)
    last = convolution(LAST)
    before = [eqn for eqn in jax.make_jaxpr(last)(x, kernels).eqns if len(eqn.invars) == 2]
    assert not any(map(convolution_layout.applies, before))
    large = jnp.ones((4, 1, 9, 8))
    again = rewriting.rewritten(convolution(FIRST, 4))
    assert len(layouts(again, x, large)) == 1
    assert convolution_layout.TAPS < 9 * 8
