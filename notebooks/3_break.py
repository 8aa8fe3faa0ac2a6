# %% [markdown]
# # Break it
#
# A law is understood when one knows how to break it. Everything follows from one question: which
# layer's energy gain $\kappa = \text{in-degree} \cdot \mathbb{E}[\text{coefficient}^2]$ depends
# on $d$? Below you predict first and measure afterwards.
#
# **You will** tell which choices change an exponent, which a constant, and which neither.
# **Time:** about 25 minutes. **You need:** the first notebook.

# %%
from IPython.display import Markdown, display
from matplotlib import pyplot as plt
from sympy import Rational, latex

from notebooks.exercise import check
from sim import scaling
from sim.drawing import style
from sim.statistics import fitting
from theory import architectures, predict

# %% [markdown]
# ## Predictions
#
# The first layer of a dense network has fan-in $d$. He's variance $2/d$ makes its gain 2 for
# every $d$. A variance that does not know $d$ leaves a gain that grows with it. In a CNN the
# first layer sees $3 \cdot 3 \cdot 3$ numbers whatever the size of the image; here it is the
# *head* that decides.

# %%
cases = {
    "mlp, He": scaling.Config(arch="mlp", init="he"),
    "mlp, He fan-out": scaling.Config(arch="mlp", init="he-fan-out"),
    "mlp, Glorot": scaling.Config(arch="mlp", init="glorot"),
    "cnn, dense head": scaling.Config(arch="cnn", head="dense"),
    "cnn, global average": scaling.Config(arch="cnn", head="gap"),
}
nets = {
    "mlp, He": architectures.mlp(width=32),
    "mlp, He fan-out": architectures.mlp(width=32, init="he-fan-out"),
    "mlp, Glorot": architectures.mlp(width=32, init="glorot"),
    "cnn, dense head": architectures.cnn(width=8, head="dense"),
    "cnn, global average": architectures.cnn(width=8, head="gap"),
}
rows = ["| network | squared norm | exponent of the first norm |", "|---|---|---|"]
for name, net in nets.items():
    law = predict(net, q=1)
    rows.append(f"| {name} | ${latex(law.second_moment)}$ | ${latex(law.exponent)}$ |")
display(Markdown("\n".join(rows)))

# %% [markdown]
# Glorot's variance is $2/(\text{fan-in} + \text{fan-out})$. While $d$ is small against the width
# it hardly changes with $d$, and the exponent is near 1; when $d$ is large it becomes $2/d$, and
# the exponent $\frac12$. So its curve *bends*, and a measured slope must be compared with the
# predicted slope over the same sizes, not with the limit.

# %%
glorot = predict(nets["mlp, Glorot"], q=1)
for ds in ((3, 12), (192, 768), (12288, 49152)):
    print(f"d from {ds[0]} to {ds[1]}: slope {glorot.slope(ds):.3f}")

# %% [markdown]
# Write down what you expect before you run the next cell: which of the five measured exponents
# will be near 1, near ½, near 0?
#
# ## Measurements

# %%
found = {}
for name, config in cases.items():
    width = 32 if config.arch == "mlp" else 8
    chosen = {"widths": (width,), "sizes": (8, 16, 32), "seeds": 64}
    chosen |= {"quantity": ("logit",), "norms": ("1",)}
    (found[name],) = fitting.fit(scaling.run(scaling.Config(**(vars(config) | chosen))))

# %%
with style.styled():
    figure, axes = plt.subplots(figsize=(5, 2.4))
    for i, fit in enumerate(found.values()):
        low, high = fit.exponent.interval
        axes.plot([low, high], [i, i], color=style.COLOURS[0], linewidth=2)
        axes.plot(fit.exponent.value, i, "o", color=style.COLOURS[0])
        axes.plot(fit.predicted, i, "x", color=style.COLOURS[1], markersize=7)
    axes.set_yticks(range(len(found)), list(found))
    axes.invert_yaxis()
    axes.set_xlabel("exponent of $d$: measured (dot, 95 % interval), predicted (cross)")
    plt.close(figure)
figure

# %% [markdown]
# Depth is not on the list: add layers, and no exponent changes. Heads and variances decide.
#
# The law of the global average is 0 exactly, but it leaves out how the masks of averaged positions
# vary together. Its cross is therefore *gradient independence*: the same networks, run backwards
# with independent copies of their weights. Kernels that are shared by the averaged positions are
# what hypothesis H1 excludes: `python -m theory shared-kernels` works it out.
#
# ## Exercises
#
# **1.** Weights of constant standard deviation 0.02, as in GPT and ViT: what is the exponent of
# $\mathbb{E}\,\|\partial_x f_k\|_1$?

# %%
answer = 1  # SOLUTION
check("break 1", answer)

# %% [markdown] tags=["solution"]
# The first layer has gain $d \cdot 0.02^2$: the squared norm grows like $d$, and the coordinates
# are alike, so that the first norm grows like $\sqrt d \cdot \sqrt d$.

# %% [markdown]
# **2.** The 2×2 average pooling before a dense head keeps the exponent ½. Which factor does the
# norm get, in the wide limit?

# %%
answer = Rational(1, 2)  # SOLUTION
check("break 2", answer)

# %% [markdown] tags=["solution"]
# An average of $a$ numbers multiplies the squared norm by $1/a$, and here $a = 4$.

# %% [markdown]
# **3.** What is the smallest power of two $d \ge 4$ for which Glorot's slope between $d$ and $4d$
# is at most 0.6, in the network above? `glorot.slope((d, 4 * d))` tells.

# %%
sizes = [2**k for k in range(2, 15)]
answer = min(d for d in sizes if glorot.slope((d, 4 * d)) <= 0.6)  # SOLUTION
check("break 3", answer)

# %% [markdown]
# **An open question.** All exponents above are 0, ½ or 1 in the end. Invent a network whose
# exponent is strictly between 0 and ½ at every $d$. Would anybody build it?

# %% [markdown] tags=["solution"]
# An average over a window divides the norm by the side of the window. Let the side of the window
# grow like $d^a$ with $0 < a < \frac12$, and the exponent is $\frac12 - a$: pooling to about as
# many positions as a larger image has details.
