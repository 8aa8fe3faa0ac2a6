"""Theorem 5 on random feedforward graphs, and condition S."""

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.initializers import VarianceScaling
from theory.network import Conv, Dense, Flatten, ReLU, residual, serial
from theory.statements import graphs
from theory.statements.enumeration import Example, by_the_theorem, of_graph, second_moments

HE, LAST = VarianceScaling(2), VarianceScaling(1)


@st.composite
def feedforward(draw, most_inputs=4, most_neurons=6):
    """A graph whose neurons read any of the earlier ones, so with skips over several layers."""
    inputs = draw(st.integers(1, most_inputs))
    graph = dict.fromkeys(range(inputs), ())
    for node in range(inputs, inputs + draw(st.integers(1, most_neurons))):
        read = draw(st.sets(st.integers(0, node - 1), min_size=1, max_size=4))
        graph[node] = tuple(sorted(read))
    return graph


@given(feedforward())
def test_path_sums_are_absorption_probabilities(graph):
    output = max(graph)
    sums = graphs.path_sums(graph, output)
    assert sums == graphs.absorption(graph, output)
    assert sums == graphs.absorption_by_matrix(graph, output)
    assert sum(sums.values()) == 1


@given(feedforward(most_inputs=2, most_neurons=3))
@settings(max_examples=15, deadline=None)
def test_expected_squares_are_path_sums(graph):
    output = max(graph)
    assert graphs.expected_squares(graph, output) == graphs.path_sums(graph, output)


@given(feedforward())
def test_condition_s_makes_all_inputs_alike(graph):
    output = max(graph)
    sums = graphs.path_sums(graph, output)
    if graphs.is_symmetric(graph, output):
        assert set(sums.values()) == {sum(sums.values()) / len(sums)}


def test_condition_s_holds_for_stride_1_and_fails_for_stride_2():
    for stride, symmetric in ((1, True), (2, False)):
        body = serial(Conv(1, HE, stride=stride), ReLU(), Flatten(), Dense(1, LAST))
        graph, output, _ = graphs.of_network(body, (4, 4, 1))
        assert graphs.is_symmetric(graph, output) is symmetric


def test_a_walk_by_in_degrees_is_not_what_other_variances_give():
    body = serial(Flatten(), Dense(3, VarianceScaling(1)), ReLU(), Dense(1, LAST))
    graph, output, moments = graphs.of_network(body, (2, 2, 1))
    sums = graphs.path_sums(graph, output, moments.__getitem__)
    assert sum(sums.values()) * 2 == 1
    assert sum(graphs.absorption(graph, output).values()) == 1


def test_networks_that_are_no_chain_are_refused():
    block = residual(serial(Conv(1, HE)))
    with pytest.raises(ValueError, match="not a single layer"):
        graphs.of_network(serial(block, Flatten(), Dense(1, LAST)), (4, 4, 1))


@given(feedforward(most_inputs=2, most_neurons=3))
@settings(max_examples=15, deadline=None)
def test_true_masks_obey_the_walk_on_random_graphs(graph):
    """The network's own masks, all signs of its weights: `true-masks` on any wiring."""
    for slope in (0, sp.Rational(1, 4)):
        example = Example(of_graph(graph), slope=slope)
        assert second_moments(example) == by_the_theorem(example)
