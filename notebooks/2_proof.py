# %% [markdown]
# # Prove it: a random walk inside of the network
#
# The $\sqrt d$ law needs no layers, no particular widths and no symmetry of the architecture.
# Theorem 5 of the paper holds for *any* feedforward graph of ReLU neurons: at He initialization
#
# $$\sum_i \mathbb{E}\left(\frac{\partial f}{\partial x_i}\right)^2 = 1 .$$
#
# Here you draw a graph, walk on it, and then let SymPy prove it.
#
# **You will** turn a sum over paths into a probability, and see which hypothesis does what.
# **Time:** about 25 minutes. **You need:** the chain rule, and random walks on a graph.

# %%
from collections import Counter

import numpy as np
from IPython.display import Markdown, display
from sympy import Rational

from notebooks.exercise import check, draw
from theory.statements import STATEMENTS, graphs, verify

# %% [markdown]
# ## Draw a graph
#
# A graph says for every neuron what it reads. Inputs read nothing. Change it as you like, as long
# as nothing reads itself in a circle: everything below still works.

# %%
graph = {
    "x1": (),
    "x2": (),
    "x3": (),
    "a": ("x1", "x2"),
    "b": ("x2", "x3"),
    "c": ("a", "b", "x3"),  # a skip connection
    "f": ("a", "c"),
}
output = "f"
draw(graph)

# %% [markdown]
# ## Paths
#
# $\partial f/\partial x_i$ is a sum over all paths from $x_i$ to $f$; each path contributes the
# product of its weights, if all ReLUs along it are open. Square it and take the expectation. Two
# different paths differ in a weight of mean zero, so only squares survive, and a weight into a
# neuron that reads $n$ others contributes
#
# $$\mathbb{E}[w^2] \cdot P(\text{open}) = \frac2n \cdot \frac12 = \frac1n .$$
#
# Exactly, by listing the paths one by one:

# %%
sums = graphs.path_sums(graph, output)
sums

# %% [markdown]
# ## Walk
#
# Now start at the output and step to one of the neurons that it reads, each with the same
# probability $1/n$; go on until you are at an input. The probability of one particular path is
# the product of its $\frac1n$: the very same number.

# %%
rng = np.random.default_rng(0)


def walk(node):
    """The input where a random walk from this neuron ends."""
    while graph[node]:
        node = graph[node][rng.integers(len(graph[node]))]
    return node


walks = 20_000
ends = Counter(walk(output) for _ in range(walks))
for node, exact in sums.items():
    share = ends[node] / walks
    error = 1.96 * np.sqrt(share * (1 - share) / walks)
    print(f"{node}: {share:.3f} ± {error:.3f} of the walks end here; path sum {exact}")
    assert abs(share - float(exact)) < 2 * error

# %% [markdown]
# Every walk ends *somewhere*, so the probabilities add up to 1, and so do the path sums. That is
# the theorem. It never mentions how many inputs there are.

# %%
assert sum(graphs.absorption(graph, output).values()) == 1
draw(graph, graphs.absorption(graph, output))

# %% [markdown]
# ## Let SymPy prove it
#
# The project keeps the paper's statements as derivations; each step is checked, by symbolic
# algebra or by exact arithmetic on several graphs.

# %%
statement = STATEMENTS["theorem-5"]
display(Markdown(statement._repr_markdown_()))

# %%
results = verify(statement)
assert all(result.passed for result in results)
print(f"{len(results)} steps, all of them hold")

# %% [markdown]
# ## Exercises
#
# **1.** In this graph, which share of the expected squared gradient does `x1` carry? Think of the
# walk; write a fraction as `Rational(1, 2)`.

# %%
small = {"x1": (), "x2": (), "h": ("x1", "x2"), "f": ("h", "x1")}
answer = Rational(3, 4)  # SOLUTION
check("proof 1", answer, small)

# %% [markdown] tags=["solution"]
# From `f` one walk in two goes to `x1` at once, and half of the others go there from `h`.

# %% [markdown]
# **2.** For the $\ell_1$ norm the coordinates must be alike: condition S asks that all inputs see
# the same multiset of in-degrees along their paths. Does your graph from above satisfy it?

# %%
answer = False  # SOLUTION
check("proof 2", answer, graph, output)

# %% [markdown]
# **3.** In the paper's condition H1 a ReLU is open with probability $\frac12$. Take leaky ReLUs
# instead, which multiply by $a = \frac13$ where a ReLU gives 0. Which variance of the weights,
# times the in-degree, keeps the theorem true?

# %%
answer = Rational(9, 5)  # SOLUTION
check("proof 3", answer)

# %% [markdown] tags=["solution"]
# A unit multiplies the expected square by $(1 + a^2)/2 = \frac59$ instead of $\frac12$, and the
# variance times the in-degree makes up for it.

# %% [markdown]
# **An open question.** Theorem 5 holds for every graph, the $\sqrt d$ law for $\ell_1$ only under
# condition S. Draw graphs of more and more inputs for which $\mathbb{E}\,\|\partial_x f\|_1$ stays
# bounded. What would such a network be in practice?

# %% [markdown] tags=["solution"]
# Let one neuron read the $n$ other inputs, the next one that neuron and `x1`, and so on for $\log_2
# n$ neurons. One walk in $n$ is left for the $n$ inputs, so that their part of the norm is at most
# $\sqrt{n \cdot 1/n} = 1$. A network that looks at one patch of a growing image is of this kind.
