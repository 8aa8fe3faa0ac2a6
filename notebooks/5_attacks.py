# %% [markdown]
# # From gradients to attacks to training
#
# The $\sqrt d$ law is about gradients. Attackers do not care about gradients, they care about
# damage. How far does one tell about the other? And what happens when a network is trained
# against attacks?

# %%
import numpy as np
import sympy as sp
from exercise import check
from IPython.display import Math, display
from matplotlib import pyplot as plt

from sim import penalty, vulnerability
from sim.drawing import style
from sim.statistics import estimates
from sim.vulnerability import first_order
from theory.laws import norms

# %% [markdown]
# ## The best small attack
#
# Take a gradient $g$ and ask for the $\delta$ with $\|\delta\|_p \le \epsilon$ that makes $g
# \cdot \delta$ largest. Hölder's inequality bounds it by $\epsilon \|g\|_q$, and the attack below
# reaches the bound, exactly:

# %%
g = [sp.Integer(3), sp.Integer(-4), sp.Integer(0)]
eps = sp.Symbol("epsilon", positive=True)
for p in (1, 2, sp.oo):
    delta = norms.attack(g, p, eps)
    gain = sum(a * b for a, b in zip(g, delta, strict=True))
    assert sp.simplify(gain - norms.damage(g, p, eps)) == 0
    found = sp.latex(sp.Matrix(delta).T)
    display(
        Math(rf"p = {sp.latex(p)}:\quad \delta = {found}, \quad g\cdot\delta = {sp.latex(gain)}")
    )

# %% [markdown]
# $p = \infty$ is the *fast gradient sign method*; $p = 1$ puts everything on a single pixel. At a
# constant change per pixel $\epsilon_p = \epsilon_\infty d^{1/p}$:

# %%
d, size = sp.symbols(r"d \epsilon_\infty", positive=True)
for p in (1, 2, sp.oo):
    found = sp.latex(norms.attack_size(size, p, d))
    display(Math(rf"\epsilon_{{{sp.latex(p)}}} = {found}"))

# %% [markdown]
# ## Real attacks
#
# Now attack random networks: one step as above, and ten steps of projected gradient ascent. If
# first order were all there is, damage over $\epsilon_p \|\partial_x L\|_q$ would be 1.

# %%
config = vulnerability.Config(
    widths=(32,), sizes=(8, 16), seeds=32, attack_norms=("2", "inf"), eps=(1e-4, 1e-3, 1e-2, 0.1)
)
samples = vulnerability.run(config)
points = first_order.points(samples)

# %%
with style.styled():
    figure, axes = plt.subplots(1, 2, figsize=(6.2, 2.5), sharey=True, layout="constrained")
    for panel, p in zip(axes, config.attack_norms, strict=True):
        for i, attack in enumerate(("step", "pgd")):
            own = [x for x in points if (x.p, x.attack, x.size) == (p, attack, 16)]
            x = [point.eps * 1.1**i for point in own]
            ratios = [point.ratio for point in own]
            style.points(panel, i, x, [r.value for r in ratios], [r.interval for r in ratios],
                         label={"step": "one step", "pgd": "projected ascent"}[attack])  # fmt: skip
        panel.axhline(1, color="black", linewidth=0.8, zorder=0)
        panel.set_xscale("log")
        panel.set_title(rf"$p = {'2' if p == '2' else chr(92) + 'infty'}$, $d$ = 768")
        panel.set_xlabel(r"change per pixel $\epsilon_\infty$")
    axes[0].set_ylabel("damage / first order")
    axes[0].set_ylim(0, 1.5)
    axes[0].legend(loc="lower left")
    plt.close(figure)
figure

# %% [markdown]
# Up to a thousandth of the pixels' own size (their mean square is 1) the gradient tells
# everything, and up to a hundredth nearly everything. At a tenth ReLUs have switched on the way:
# one step wastes part of its effort, and an attack that looks again finds more.
#
# ## Training
#
# Train on the mean of clean and attacked loss. To first order that is
#
# $$\tfrac12\bigl(L(x) + L(x + \delta^*)\bigr) = L(x) + \tfrac{\epsilon_p}{2}\,\|\partial_x L\|_q
# + O(\epsilon^2) ,$$
#
# Proposition 3 of the paper: adversarial augmentation *is*, to first order, a gradient penalty.
# On 128 random networks of the smooth GELU at handwritten digits, the mean difference of the two
# losses should then shrink like $\epsilon^2$:

# %%
config = penalty.Config(seeds=4, width=32)
gaps = penalty.differences(config, p=float("inf"))
order = estimates.exponent(gaps, np.array(config.eps))
low, high = order.interval
print(f"order in ε: between {low:.3f} and {high:.3f}, from {len(gaps)} networks")
assert low - 0.01 < 2 < high + 0.01

# %% [markdown]
# `python -m sim.penalty` also trains a network with either loss and compares the gradients that
# are left. How gradients and damage grow with $d$ after ordinary and robust training is an
# experiment of its own: `python -m sim.training`.
#
# ## Exercises
#
# **1.** For the gradient $g = (3, -4, 0)$ from above: which $p$ among 1, 2 and ∞ allows the
# largest damage at equal $\epsilon_p = \epsilon$? Give that damage for $\epsilon = 1$.

# %%
answer = ...
check(answer, max(norms.damage(g, p, 1) for p in (1, 2, sp.oo)))

# %% [markdown]
# **2.** Which $q$ is dual to $p = 3$?

# %%
answer = ...
check(answer, norms.dual(3))

# %% [markdown]
# **3.** With $\|\partial_x L\|_q \propto d^{1/q - 1/2}$ and a constant change per pixel: by which
# factor must all gradients shrink, when $d$ becomes 100 times larger, to leave the damage as it
# was?

# %%
growth = norms.attack_size(1, 2, sp.Integer(100)) * 100 ** (norms.dual(2) ** -1 - sp.Rational(1, 2))
answer = ...
check(answer, growth)

# %% [markdown]
# ## Solutions

# %%
check(7, max(norms.damage(g, p, 1) for p in (1, 2, sp.oo)))
check(sp.Rational(3, 2), norms.dual(3))
check(10, growth)
