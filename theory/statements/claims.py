"""What each statement says: hypotheses, claim, what its proof covers, what it corrects."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Terms:
    """One statement in words; `proof` begins with "proved for all", "checked on" or "numeric"."""

    hypotheses: tuple[str, ...]
    claim: str
    proof: str
    corrects: str = ""


HE = "weights of mean 0 and variance 2/in-degree, 1/in-degree at the output"
MASKS = "every ReLU reads one sum of symmetric weights of its own (`true-masks`)"
DENSE = "a bias-free dense network of (leaky) ReLUs with independent Gaussian weights"
WIDE = "the limit of large width, before any limit in d"

TERMS: dict[str, Terms] = {
    "lemma-2": Terms(
        ("a loss that is differentiable at the input",),
        "The largest first-order increase over ‖δ‖_p ≤ ε is ε‖∂L‖_q",
        "proved for all p > 1 in Young's inequality, for all ε; checked on p = 1 and ∞ by vertices",
    ),
    "proposition-3": Terms(
        ("a loss that is smooth along the best attack", "attacks of a size that tends to 0"),
        "The mean of clean and attacked loss is L + (ε/2)‖∂L‖_q to first order",
        "proved for all smooth losses to first order in ε; checked on quadratic losses",
    ),
    "true-masks": Terms(
        (
            "every ReLU or leaky ReLU reads one sum Σ w_a h_a + b of weights and a bias",
            "(w, b) is symmetric about 0, its weights are uncorrelated, and it is independent of "
            "all that the unit reads; kernels may be shared by positions, weights need not be "
            "Gaussian",
            "almost every input: S = 0 wherever z = 0",
        ),
        "E(∂f/∂x_i)² is the probability that the random walk of Theorem 5 ends at input i, with "
        "the network's own masks, at every width",
        "proved for all fan-ins, in-degrees, depths and slopes, by induction over the units; "
        "checked by enumeration on 5 convolutional networks and 5 graphs",
        "H1 (masks independent of weights) is not needed, unless units are added with equal "
        "coefficients",
    ),
    "norm-bounds": Terms(
        (
            "those of `true-masks`, for a chain of dense layers and convolutions",
            "weights are independent, with a finite kurtosis k",
        ),
        "Σ_i √(E g_i²)/√F ≤ E‖∂f‖_1 ≤ Σ_i √(E g_i²), F = max(3, k) Π (1 + (r max(3, k) − 1)/C) "
        "or, for dense networks, smaller: exponent 1/2 for mlp, and for cnn and convnet-avdim with "
        "a dense head, at every fixed width",
        "proved for all widths, depths, kernels, strides and slopes, by induction over weights and "
        "layers; checked by enumeration on 4 dense networks (the recursion) and 3 convolutional "
        "ones (the bound)",
        "the paper passes from second moments to ‖·‖_q with ∝ signs; here both directions are "
        "inequalities with constants",
    ),
    "theorem-4": Terms(
        (HE, MASKS, "Gaussian coordinates, or `norm-bounds`, for ‖·‖_1"),
        "Coordinates of size 1/√d: ‖∂f‖_q ∝ d^(1/q − 1/2), damage ∝ √d (d → ∞ at fixed width)",
        "proved for all fan-ins and d, as a corollary of `true-masks`; checked on 3 networks, all "
        "signs of their weights",
    ),
    "theorem-5": Terms(
        (HE, MASKS),
        "E(∂f/∂x_i)² is the probability that a walk to uniform predecessors ends at i, in sum 1",
        "proved for all acyclic graphs and in-degrees, by induction; checked on 7 graphs",
        "the paper's H1 is replaced by `true-masks`",
    ),
    "condition-s": Terms(
        ("those of Theorem 5",),
        "S makes all coordinates alike; 3×3 kernels of stride 2 violate it and keep the exponents",
        "proved for all d where S holds; checked on 3 graphs, and on one strided network",
        "the paper takes strides that divide the size for symmetric: 3×3 kernels of stride 2 are "
        "not",
    ),
    "corollary-6": Terms(
        (HE, MASKS, "circular borders, for expressions in d"),
        "Convolutions of every kernel, stride and dilation, and dense layers: E‖∂f‖_2² = 1",
        "proved for all kernels, strides, dilations, sides and channels, layer by layer; checked "
        "on 4 networks, pixel by pixel",
    ),
    "average-pooling": Terms(
        (HE, "gradients that meet in an average are uncorrelated (H; see `positions`)"),
        "Averages over a_1, …, a_n inputs divide E‖∂f‖_2² by a_1⋯a_n",
        "proved for all windows under H; checked on 3 networks",
        "behind kernels that overlap H fails: `shared-kernels` has the excess",
    ),
    "loss-gradient": Terms(
        ("residual independent of uncorrelated logit gradients, for the mean square",),
        "∂L = Σ_k (softmax_k − label_k) ∂f_k, and E‖r‖² is 1 − 1/K for small logits",
        "proved for all K and all differentiable logits",
    ),
    "euler-identity": Terms(
        ("positively homogeneous layers, no biases",),
        "x·∂f = f and x·∂L = Σ_k r_k f_k",
        "proved for all homogeneous functions; checked on 3 networks",
    ),
    "sqrt-d-law": Terms(
        ("coordinates of size 1/√d, Gaussian for the constants",),
        "ε_p‖∂L‖_q ∝ √d for every p, up to a logarithm for p = 1 (d → ∞ at fixed width)",
        "proved for all p, q and d; checked on mlp and cnn for the exponents of the library",
    ),
    "initialization": Terms(
        ("those of Theorem 5 with the scheme's variance",),
        "Exponents are 1/q − 1/2 for He, LeCun, Glorot, PyTorch, Flax and orthogonal weights, 1/q "
        "for He fan-out and constant variance (d → ∞ at fixed width)",
        "proved for all fan-ins for the variances of the distributions; the library's gains and "
        "curves are definitions",
    ),
    "smooth-activations": Terms(
        (WIDE,),
        "κ = E φ'(z)², z ~ N(0, v): closed forms for erf and GELU; 1/q − 1/2 for fixed variance",
        "proved for all v for the gains; numeric for the exponents, which are fitted in floats",
        "the paper treats ReLUs only",
    ),
    "finite-width": Terms(
        (DENSE,),
        "‖∂f‖_q is in law ‖z‖_q times independent chi variables, at every width",
        "proved for all d and q for the factors; numeric and checked on instances for products",
    ),
    "spread": Terms(
        (DENSE,),
        "E‖∂f‖_2⁴/(E‖∂f‖_2²)² = (1 + 2/d) Π (1 + 5/n)",
        "proved for all widths for one factor; checked on networks of several layers",
    ),
    "moments": Terms(
        (DENSE,),
        "Moments of ‖∂f‖_q of every order, and their limit for large d",
        "proved for all orders of the closed forms; checked on small n and slope 1/5",
    ),
    "distribution": Terms(
        (DENSE,),
        "Density and distribution function of ‖∂f‖_q",
        "checked on instances, in rationals and in 40 digits",
    ),
    "joint-law": Terms(
        (DENSE + ", or with Gaussian biases", "the label is independent of the weights"),
        "(f, J) has the law of (A Z x, A Z), Z Gaussian and independent of A, A Aᵀ a product of "
        "Wishart factors with Binomial(n_l, 1/2) degrees of freedom; so that of the loss gradient "
        "is known at every width. Biases add Σ √s_l A_l ξ_l to f, ξ_l Gaussian",
        "proved for all inputs and logits given the layer before; checked on networks 2-2-2-1 and, "
        "with biases, 1-2-2-1 by enumeration of signs and masks. PyTorch's default, uniform "
        "weights and biases, has such masks but no Gaussian products: it is covered at large width",
        "the residual softmax − label is not independent of the gradients of the logits",
    ),
    "gaussian-head": Terms(
        (
            "the last layer is dense, with independent Gaussian weights; any features h before it",
            "for α: positively homogeneous layers of many units with independent weights",
        ),
        "E‖∂L‖_2² = σ²‖J‖_F² [(1 − α) E‖r‖² + α E(r·f)²/(σ²‖h‖²)], α = ‖Jᵀĥ‖²/‖J‖_F², J = ∂h/∂x; "
        "to first order α is the sum of what each layer knows: 1/d + Σ m_l/N_l over hidden layers "
        "of N_l = channels × positions units, without averages, strides and additions",
        "proved for all features, for the identity (rows of J along and across h), and for all "
        "slopes, for m; checked on three networks for the library's α. Sums over layers are first "
        "order in 1/N; units are sampled, which is good to 1 % of α; near borders that reflect "
        "gradients at two positions meet, which is left out: α is too small there",
        "the residual softmax − label is not independent of the gradients of the logits",
    ),
    "boundary-distance": Terms(
        (DENSE, "the gradient of f_k − f_l is not 0"),
        "(f_k − f_l)²/(‖∂(f_k − f_l)‖_2² ‖x‖_2²) ~ Beta(1/2, (d − 1)/2), at every width and depth; "
        "half of all networks have a boundary within about 0.674 ‖x‖/√d",
        "proved for all directions by isotropy; checked on d = 2, d = 3 and large d",
        "the paper defines this vulnerability and does not compute it",
    ),
    "shared-kernels": Terms(
        ("one convolution, ReLU, global average", "Gaussian weights"),
        "E‖∂f‖_2² exceeds H by (k² − 1)/(πk²C) at white inputs, to leading order in 1/C",
        "proved for all two-position inputs and, to leading order, all k and C; checked on "
        "enumerated signs",
        "H1 fails behind averages; at 3 channels the leading order is about 8 % high. Through "
        "depth nothing is derived: what weights know of other layers' masks is of order 1/C, too",
    ),
    "positions": Terms(
        (WIDE, "white inputs", "kernels of mean 0, shared by positions; values Gaussian, in pairs"),
        "Values and gradients at pairs of positions have covariances that follow from layer to "
        "layer. Gradients of outputs that read a pixel through one tap add up: 1 + 4/(3n) of H "
        "along n outputs with reflecting border, for a linear 3-tap kernel under an average. "
        "Squared gradients have the relative covariance (2(π − α)/π · (1 + 2r²) − 1)/C",
        "proved for all correlations cos α and r, for one layer given the one behind it; checked "
        "on 3 lines and 4 images, all signs of their kernels; that gradients do not depend on the "
        "weights forwards is taken from the limit",
        "H (gradients that meet are uncorrelated) fails at reflecting borders under averages",
    ),
    "post-activation": Terms(
        (WIDE, "a ReLU behind the addition of a non-negative stream"),
        "The first block of `resnet` passes 4/3 of what H says",
        "proved for all ratios t of the variances; checked on enumerated signs",
        "H1 fails: such a ReLU passes more than half",
    ),
    "max-pooling": Terms(
        ("symmetric pre-activations",),
        "A maximum of m independent inputs is positive with probability 1 − 2^(−m), 15/8 of H",
        "proved for all correlations of pairs; checked on all signs and orders, m ≤ 6",
        "H1 fails behind maxima",
    ),
    "sparse-gradients": Terms(
        ("s of d coordinates carry the gradient",),
        "E‖∂f‖_1 is √(2s/π) whatever d: behind a global maximum the exponent is 0",
        "proved for all s and q; checked on 8 receptive fields",
        "without S the ℓ_1 law does not follow from the ℓ_2 law",
    ),
    "layer-norm": Terms(
        (WIDE, "one standard deviation for all positions"),
        "κ = 1/σ² over the channels",
        "proved for all variances and scales of weights in the wide limit; checked on n = 3 units "
        "for the derivative",
    ),
    "batch-norm": Terms(
        (WIDE, "many inputs and positions, whose gradients do not agree"),
        "κ = 1/σ² over inputs and positions, without what all of them share",
        "proved for all variances and scales of weights in the wide limit; checked on n = 3 units "
        "for the derivative",
    ),
    "concatenation": Terms(
        ("what reads a concatenation treats all channels alike",),
        "κ is the mean of both ways' κ, weighted by their channels",
        "proved for all channels and gains",
    ),
    "general-norms": Terms(
        ("a norm and its dual",),
        "The best attack of size ε gains ε‖∂L‖*, as it does for ℓ_p",
        "proved for all weighted ℓ_2 norms of two coordinates; checked on four ℓ_p",
    ),
    "zero-one-damage": Terms(
        ("two classes for the bound by the loss",),
        "0–1 damage ≤ vulnerability, and P(wrong after an attack) ≤ E L(x + δ)/log 2",
        "proved for all margins; checked on all four cases of right and wrong",
    ),
    "double-backpropagation": Terms(
        ("the best ℓ_2 attack of two coordinates",),
        "To first order in ε backpropagation through δ adds nothing to the penalty's gradient",
        "proved for all gradients of two coordinates",
    ),
    "cross-lipschitz": Terms(
        (
            "the squared ℓ_2 penalty of the loss, with labels drawn from the softmax",
            "uncorrelated logit gradients (symmetric last weights), for the mean",
        ),
        "Σ_kl s_k s_l‖∂f_k − ∂f_l‖²/2 is the mean of ‖∂L‖_2² over labels; at small logits the "
        "cross-Lipschitz penalty is 2K² times it, and its mean 2K(K − 1) E‖∂f_k‖_2² is free of d",
        "proved for all gradients of three logits in two inputs and, for the mean, for all K; "
        "checked on K = 2, 5, 10",
    ),
    "constant-signal-to-noise": Terms(
        ("coordinates of ∂L of size 1/√d", "the mean of |x_i|^p does not depend on d"),
        "ε_p = ρ‖x‖_p is a constant change per pixel for every p, and its damage grows like √d",
        "proved for all p, d and numbers of copies; checked on the library's sizes of attacks",
    ),
    "gradient-step": Terms(
        ("ReLUs, Gaussian weights", WIDE),
        "Given ∂f(x), f at x' = x − r ∂f/‖∂f‖ is Gaussian, of mean ‖x'‖‖∂f‖(k c + k'√(1 − c²)) "
        "and variance (‖x'‖²/d)(1 − k² − k'²), at every d and depth; a step of h‖x‖/√d flips "
        "the share erf(h/√2) as d → ∞",
        "proved for all kernels k for the regression, for all angles of one hidden layer and, to "
        "leading order in 1/√d, for all h; deeper kernels are composed in floats",
        "the theorem has constants that are not computed; here they are",
    ),
    "general-activations": Terms(
        ("one hidden layer of any activation φ, Gaussian weights", WIDE, "d → ∞ after it"),
        "A step of h‖x‖/√d flips the share erf(h √(ρ/2)), ρ = v E φ'²/E φ², which is 1 for ReLUs "
        "and at least 1 where E φ = 0",
        "proved for all φ of three Hermite polynomials, for the moments; for all h, for the share",
    ),
    "decreasing-widths": Terms(
        ("a first layer of n units with Gaussian weights", "anything behind it"),
        "A step along ∂f, across x, moves the pre-activations along their own gradient: the cosine "
        "has cos² ~ Beta((d − 1)/2, (n − 1)/2), at every width; so for n ≪ d descent in x is "
        "descent in each hidden layer, by h/√n of its length",
        "proved for all d and n for means, given rotational symmetry; steps with formulas in two "
        "dimensions stand for all",
        "vanishing widths are needed by this argument only: the first-order law "
        "(`boundary-distance`) holds at all widths",
    ),
    "deep-networks": Terms(
        ("ReLUs, Gaussian weights", WIDE, "depth after it"),
        "Angles close like 3π/L: two inputs get different signs with a probability of about 3/L. "
        "One gradient step suffices while 4Lh/(3π√d) is small",
        "proved for all small angles, to leading order, for one layer; checked on depths 1 to 3 "
        "for the sum over layers",
        "the constraint on depth, with its constant: L against √d",
    ),
    "boundary-scaling": Terms(
        ("positively homogeneous layers", "a gradient that prefers no direction"),
        "The ℓ_p distance to the boundary is of order ‖x‖_p/√d for every p, constants included; "
        "behind an average over all positions it is of order ‖x‖",
        "proved for all p and d for |x_i| all equal; for a 1×1 convolution, for the average",
        "with an average over all positions 1/√d is a lower bound only",
    ),
    "average-robustness": Terms(
        ("any gradient, perturbations uniform in an ℓ_2 ball", MASKS + ", for depth"),
        "The mean size of ∂f·δ is ε‖∂f‖_2 E‖u‖_1/(d + 1), u a uniform direction: no √d. At "
        "initialization LeCun weights halve E‖∂f‖_2² with each layer, He weights keep it",
        "proved for all d, widths and depths, at initialization",
        "that depth hurts with He weights is not so for the mean square at initialization; in lazy "
        "training it is a bound, which is not examined here",
    ),
    "copied-pixels": Terms(
        (
            "a dense first layer with Gaussian weights; anything behind it",
            "gradient descent, or any optimizer that treats weights alike, on any labels",
            "images enlarged by copying pixels, m dimensions of d",
        ),
        "Training does not change the first layer off the data's subspace, so the gradient's part "
        "there follows the law at initialization behind it: E‖Q∂f‖_1 = (2/√π)√(d − m) E‖v‖_2 with "
        "the trained v; the part on the subspace has an ‖·‖_1 that does not depend on d",
        "proved for all weights, rates, decays and labels, for two copies that stand for all; "
        "checked on four sides for the number of directions",
        "after training √d is that of initialization; only its factor E‖v‖ is learned",
    ),
    "dimension-gap": Terms(
        (
            "those of `copied-pixels`, for data in m of m + k dimensions",
            "a variance of weights that does not depend on k",
        ),
        "Attacks off the data need f/(σ‖v‖χ_k) in ℓ_2 and f/(σ‖v‖‖z‖_1) in ℓ_∞, z Gaussian in k "
        "dimensions: ∝ k^(−1/2) and ∝ 1/k, whatever was learned",
        "proved for all k, m and variances",
    ),
    "lazy-training": Terms(
        (
            "dense layers, fan-in scaling, square loss, gradient flow",
            WIDE + " (Θ constant)",
            "images enlarged by copying pixels",
        ),
        "What is learned, f_t − f_0, has an ‖∂_x‖_1 that does not depend on d; the √d is that of "
        "f_0. At width n the learned part has ‖Q∂f‖_1 ∝ √d off the data, times n^(−1/2) for smooth "
        "activations and n^(−1/4) with ReLUs: O(1) while d is far below n or √n, then √d again",
        "proved for all kernels of ‖x‖, x·x' and ‖x'‖, and for all rates; the width's part by the "
        "order of terms",
    ),
}
