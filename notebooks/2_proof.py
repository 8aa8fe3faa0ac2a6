# %% [markdown]
# # Prove it: a random walk inside of the network
#
# The $\sqrt d$ law needs no layers, no particular widths and no symmetry of the architecture.
# Theorem 5 of the paper holds for *any* feedforward graph of ReLU neurons: at He initialization
#
# $$\sum_i \mathbb{E}\left(\frac{\partial f}{\partial x_i}\right)^2 = 1 .$$
#
# Here you draw a graph, walk on it, and then let SymPy prove it.

# %%
from collections import Counter

import numpy as np
from exercise import check, draw
from IPython.display import Markdown, display
from sympy import Rational

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
answer = ...
check(answer, graphs.path_sums(small, "f")["x1"])

# %% [markdown]
# **2.** For the $\ell_1$ norm the coordinates must be alike: condition S asks that all inputs see
# the same multiset of in-degrees along their paths. Does your graph from above satisfy it?

# %%
answer = ...
check(answer, graphs.is_symmetric(graph, output))

# %% [markdown]
# **3.** In the paper's condition H1 a ReLU is open with probability $\frac12$. Take leaky ReLUs
# instead, which multiply by $a = \frac13$ where a ReLU gives 0. Which variance of the weights,
# times the in-degree, keeps the theorem true?

# %%
a = Rational(1, 3)
answer = ...
check(answer, 2 / (1 + a**2))

# %% [markdown]
# ## Solutions

# %%
check(Rational(3, 4), graphs.path_sums(small, "f")["x1"])
check(False, graphs.is_symmetric(graph, output))
check(Rational(9, 5), 2 / (1 + a**2))
