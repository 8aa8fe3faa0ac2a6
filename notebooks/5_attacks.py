# %% [markdown]
# # From gradients to attacks to training
#
# The $\sqrt d$ law is about gradients. Attackers do not care about gradients, they care about
# damage. How far does one tell about the other? And what happens when a network is trained
# against attacks?
#
# **You will** compute the best small attack, see where first order ends, and turn training against
# attacks into a penalty. **Time:** about 30 minutes. **You need:** Hölder's inequality.

# %%
import numpy as np
import sympy as sp
from IPython.display import Math, display
from matplotlib import pyplot as plt

from notebooks.exercise import check
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
answer = 7  # SOLUTION
check("attacks 1", answer)

# %% [markdown] tags=["solution"]
# $p = \infty$, whose dual norm is the sum of the absolute values.

# %% [markdown]
# **2.** Which $q$ is dual to $p = 3$?

# %%
answer = sp.Rational(3, 2)  # SOLUTION
check("attacks 2", answer)

# %% [markdown]
# **3.** With $\|\partial_x L\|_q \propto d^{1/q - 1/2}$ and a constant change per pixel: by which
# factor must all gradients shrink, when $d$ becomes 100 times larger, to leave the damage as it
# was?

# %%
answer = 10  # SOLUTION
check("attacks 3", answer)

# %% [markdown] tags=["solution"]
# $\epsilon_p$ grows like $d^{1/p}$ and the norm like $d^{1/q - 1/2}$: together like $\sqrt d$.

# %% [markdown]
# **An open question.** Training against attacks leaves small gradients where it looked. Which
# measurement would tell a network that is robust from one that only hides its gradients?

# %% [markdown] tags=["solution"]
# One that does not rely on the gradient at the input: more steps and random starts must not find
# much more, attacks that use no gradient must not find more than those that do, and large attacks
# must succeed in the end.
