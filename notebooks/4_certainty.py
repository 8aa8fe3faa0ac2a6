# %% [markdown]
# # How sure are we?
#
# Every number in this project comes from a finite number of random networks. Here you see what an
# interval promises, how to find out whether it keeps the promise, and why deep and narrow
# networks make that hard.
#
# **You will** measure how often an interval covers the truth, and say when it does not.
# **Time:** about 30 minutes. **You need:** standard errors, and Student's t.

# %%
import numpy as np
from IPython.display import Math, display
from matplotlib import pyplot as plt
from sympy import Rational, latex

from notebooks.exercise import check
from sim.drawing import style
from sim.statistics import intervals
from theory import architectures, predict

# %% [markdown]
# ## A law with its whole distribution
#
# For dense ReLU networks with Gaussian weights the norm's distribution is known exactly, at every
# width: a product of independent chi variables. Its relative fourth moment is
#
# $$\frac{\mathbb{E}\,\|\partial_x f_k\|_2^4}{(\mathbb{E}\,\|\partial_x f_k\|_2^2)^2}
# = \left(1 + \frac2d\right) \prod_l \left(1 + \frac5{n_l}\right) .$$
#
# So depth over width sets the spread from network to network.

# %%
d = 192
laws = {
    (depth, width): predict(architectures.mlp(width=width, depth=depth), 2).distribution(d)
    for depth, width in ((2, 64), (8, 8))
}
for (depth, width), law in laws.items():
    ratio = (1 + Rational(2, d)) * (1 + Rational(5, width)) ** depth
    assert law.fourth_moment_ratio == ratio
    display(Math(rf"\text{{{depth} layers of {width}:}}\quad " + latex(ratio.evalf(4))))

# %% [markdown]
# Draws from these laws stand for simulated networks; here the truth is known, so that we can see
# who is right. One draw is $\|z\|_2 \sqrt{2/d}\, s \prod_l \sqrt{\chi^2_{B_l}} \cdots$ with $B_l$
# the number of open ReLUs of a layer.

# %%
rng = np.random.default_rng(1)


def norms(depth, width, *shape):
    """Draws of the ℓ_2 norm of a logit's gradient for an mlp at He initialization."""
    squares = rng.chisquare(d, shape) / d
    for _ in range(depth):
        open_units = rng.binomial(width, 0.5, shape)
        squares = squares * 2 / width * 2 * rng.standard_gamma(open_units / 2)
    return np.sqrt(squares)


for (depth, width), law in laws.items():
    mean = norms(depth, width, 200_000).mean()
    print(
        f"{depth} layers of {width}: mean {mean:.3f} of 200000 draws, exact {law.moment(2, 1):.3f}"
    )

# %% [markdown]
# ## What an interval promises
#
# "95 %" is a promise about the *method*: if the whole experiment were repeated many times, 95 %
# of the intervals would contain the truth. So let us repeat it 40 times, with 32 networks each.

# %%
truth = laws[2, 64].moment(2, 1)
with style.styled():
    figure, axes = plt.subplots(figsize=(5.5, 2.2))
    missed = 0
    for i, values in enumerate(norms(2, 64, 40, 32)):
        mean, error, _ = intervals.mean_and_spread(values)
        half = intervals.quantile(0.95, 31) * error
        hit = abs(mean - truth) <= half
        missed += not hit
        colour = style.COLOURS[0] if hit else style.COLOURS[1]
        axes.plot([i, i], [mean - half, mean + half], color=colour, linestyle="-" if hit else "--")
    axes.axhline(truth, color="black", linewidth=0.8)
    axes.set_xlabel("experiment")
    axes.set_ylabel("mean norm")
    plt.close(figure)
print(f"{missed} of 40 intervals miss the truth")
figure

# %% [markdown]
# ## Coverage
#
# Forty repetitions show little. With twenty thousand we can measure the *coverage* itself, of the
# ordinary Student interval and of Hall's, which allows for skewness and is the one that this
# project reports.


# %%
def coverage(depth, width, seeds, replicates=20_000):
    """Shares of Student's and of Hall's 95 % intervals that contain the true mean."""
    truth = laws[depth, width].moment(2, 1)
    mean, error, skewness = intervals.mean_and_spread(norms(depth, width, replicates, seeds))
    student = np.abs(mean - truth) <= intervals.quantile(0.95, seeds - 1) * error
    low, high = intervals.mean_interval(mean, error, skewness, seeds, 0.95)
    return student.mean(), ((low <= truth) & (truth <= high)).mean()


table = {}
for depth, width in laws:
    for seeds in (16, 128):
        table[depth, width, seeds] = coverage(depth, width, seeds)
        student, hall = table[depth, width, seeds]
        covered = f"Student {student:.3f}, Hall {hall:.3f}"
        print(f"{depth} layers of {width}, {seeds:>3} networks: {covered}")

# %% [markdown]
# ## Why heavy tails matter
#
# In eight layers of eight units most networks have a small gradient and a few have a very large
# one. A small sample usually misses these few: its mean is too small, and *so is its standard
# error*. The interval is then narrow and wrong. Look at the means of 16 networks:

# %%
with style.styled():
    figure, axes = plt.subplots(1, 2, figsize=(6, 2.3), layout="constrained")
    for panel, ((depth, width), law) in zip(axes, laws.items(), strict=True):
        means = norms(depth, width, 20_000, 16).mean(axis=1)
        panel.hist(means / law.moment(2, 1), bins=60, range=(0, 3), color=style.COLOURS[0])
        panel.axvline(1, color="black", linewidth=0.8)
        panel.set_title(f"{depth} layers of {width}")
        panel.set_xlabel("mean of 16 networks / truth")
        panel.set_yticks([])
    plt.close(figure)
figure

# %% [markdown]
# What helps: more seeds, wider networks, the mean of the *logarithm* (whose distribution is
# nearly normal), and a warning where the skewness is large. `python -m sim.scaling` gives that
# warning, and [docs/calibration.md](../docs/calibration.md) has the measured coverages.
#
# ## Exercises
#
# **1.** How many networks of two layers of 64 units does a 95 % interval of ± 1 % of the mean
# need? Use $n \ge (1.96\,\sigma/0.01\,\mu)^2$; `law.relative_variance()` is $\sigma^2/\mu^2$.

# %%
law = laws[2, 64]
answer = int(np.ceil(1.959964**2 * law.relative_variance() / 0.01**2))  # SOLUTION
check("certainty 1", answer, law)

# %% [markdown]
# **2.** Which is the probability that a network of eight layers of eight ReLUs has no gradient at
# all, because some layer has no open unit?

# %%
answer = 1 - (1 - Rational(1, 2) ** 8) ** 8  # SOLUTION
check("certainty 2", answer, laws[8, 8])

# %% [markdown] tags=["solution"]
# A layer of eight is closed with probability $2^{-8}$, and one closed layer of eight is enough.

# %% [markdown]
# **3.** True or false: with 16 networks of eight layers of eight units, Student's 95 % interval
# contains the truth in at least 94 % of all experiments.

# %%
answer = False  # SOLUTION
check("certainty 3", answer, table)

# %% [markdown]
# **An open question.** You may sample 10 000 networks. Do you take 5 000 at each of two sizes or
# 1 000 at each of ten, if you want the exponent? And if you want to know whether there is one?

# %% [markdown] tags=["solution"]
# A slope is known best from its two ends. But two points always lie on a line: whether the curve
# bends, as it does with Glorot's initialization, only sizes between them tell.
