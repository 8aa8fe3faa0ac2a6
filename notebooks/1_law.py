# %% [markdown]
# # The √d law in ten minutes
#
# A neural network reads an image $x$ with $d$ numbers in it and answers with a loss $L(x)$.
# Somebody may change every pixel a little. How much can the loss rise?
#
# For a small change $\delta$ the loss rises by $\partial_x L \cdot \delta$. Among all $\delta$
# with $\|\delta\|_p \le \epsilon_p$ the worst one reaches
#
# $$\max_{\|\delta\|_p \le \epsilon_p} \partial_x L \cdot \delta = \epsilon_p \, \|\partial_x L\|_q,
# \qquad \frac1p + \frac1q = 1 .$$
#
# So the size of the *input gradient* is the vulnerability, to first order. This notebook shows
# how it grows with $d$, first on paper and then on the computer.
#
# **You will** predict an exponent, measure it with an interval, and say what it means for
# attacks. **Time:** ten minutes, and ten for the exercises. **You need:** gradients, and means of
# random variables.

# %%
from IPython.display import Math, display
from matplotlib import pyplot as plt
from sympy import Rational, latex

from notebooks.exercise import check
from sim import scaling
from sim.drawing import style
from sim.statistics import fitting
from theory import architectures, predict

# %% [markdown]
# ## On paper
#
# A network is described once, as plain data. Here is one with three hidden layers of 64 ReLUs,
# its weights drawn by He initialization: mean 0, variance $2/\text{fan-in}$.

# %%
net = architectures.mlp(width=64, depth=3)
net.body

# %% [markdown]
# `predict` reads that description and says what the gradient of one logit $f_k$ must do, on
# average over the random weights. Each layer multiplies the expected squared gradient by a
# factor; He initialization makes the factors of a dense layer and of its ReLU cancel, $2 \cdot
# \frac12 = 1$.

# %%
law = predict(net, q=1)
display(Math(r"\mathbb{E}\,\|\partial_x f_k\|_1 \to " + latex(law.asymptote.evalf(4))))
display(Math(r"\mathbb{E}\,\|\partial_x f_k\|_2^2 = " + latex(law.second_moment)))

# %% [markdown]
# The $\ell_2$ norm does not depend on $d$ at all, and the $\ell_1$ norm grows like $\sqrt d$. The
# same for every order of the norm: the exponent of $d$ is $\frac1q - \frac12$.

# %%
for q in (1, Rational(3, 2), 2, 4, "inf"):
    print(f"q = {q!s:>4}: exponent {predict(net, q).exponent}")

# %% [markdown]
# An attack that changes every pixel by $\epsilon_\infty$ has $\epsilon_p = \epsilon_\infty
# d^{1/p}$. Its damage $\epsilon_p \|\partial_x L\|_q$ therefore has exponent $\frac1p + \frac1q -
# \frac12 = \frac12$, **whatever the norm**: this is the $\sqrt d$ law.
#
# ## On the computer
#
# Now 64 random networks at each of three image sizes, and their loss gradients at real
# photographs. The measured exponent is the slope of the mean norm on log-log axes, with a 95 %
# interval.

# %%
config = scaling.Config(arch="mlp", widths=(64,), sizes=(8, 16, 32), seeds=64)
samples = scaling.run(config)
fits = fitting.fit(samples)
for fit in fits:
    low, high = fit.exponent.interval
    print(f"q = {fit.q:>3}: measured [{low:.3f}, {high:.3f}], predicted {fit.predicted:.3f}")

# %%
with style.styled():
    figure, axes = plt.subplots(figsize=(4.2, 2.8))
    points = fitting.points(samples)
    for i, q in enumerate(("1", "2", "inf")):
        own = [point for point in points if point.q == q]
        ds = [point.d for point in own]
        style.points(axes, i, ds, [p.mean for p in own], [p.interval for p in own])
        style.line(axes, i, ds, [p.predicted for p in own])
        axes.annotate(style.norm("loss", q), (ds[-1], own[-1].mean), (8, 0),
                      textcoords="offset points", color=style.COLOURS[i])  # fmt: skip
    style.logarithmic(axes, ds)
    axes.set_xlabel("input dimension $d$")
    plt.close(figure)
figure

# %% [markdown]
# Points: measured, with intervals. Lines: predicted, nothing fitted. The exponent for $q =
# \infty$ is not exactly $-\frac12$ at these sizes: the largest of $d$ Gaussian numbers grows like
# $\sqrt{2 \log d}$, and the prediction knows that.
#
# ## Exercises
#
# **1.** What is the exponent of $d$ in $\mathbb{E}\,\|\partial_x L\|_{3}$? (Write fractions as
# `Rational(1, 2)`.)

# %%
answer = Rational(1, 3) - Rational(1, 2)  # SOLUTION
check("law 1", answer)

# %% [markdown]
# **2.** Images of side 32 become images of side 128, with the same change per pixel. By which
# factor does the damage of an attack grow?

# %%
answer = 4  # SOLUTION
check("law 2", answer)

# %% [markdown] tags=["solution"]
# $d$ is 16 times as large, and the damage grows like $\sqrt d$, whatever the norm.

# %% [markdown]
# **3.** LeCun's initialization draws every weight with variance $1/\text{fan-in}$. There are four
# dense layers, the last one without a ReLU. By which factor is $\mathbb{E}\,\|\partial_x
# f_k\|_2^2$ smaller or larger than with He's?

# %%
answer = Rational(1, 2) ** 3  # SOLUTION
check("law 3", answer)

# %% [markdown] tags=["solution"]
# LeCun's variance is half of He's where a ReLU follows. The last layer has no ReLU to make up for:
# He's variance is $1/\text{fan-in}$ there as well.

# %% [markdown]
# **An open question.** The law compares random networks. A photograph of side 64 and the same
# photograph of side 32 show the same thing. Should the larger one be easier to attack after
# training, too? What would you measure to find out?

# %% [markdown] tags=["solution"]
# Nothing in the proof speaks about training. `python -m sim.training` enlarges digits by copying
# pixels, so that only $d$ changes. [What it found](../docs/training.md): damage still grows,
# gradients on test images more slowly than $\sqrt d$.
