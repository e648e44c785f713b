"""
The head from exact sums, before the first round and anew later: what one place would compute from all pictures, though no picture left its board.

    n_c pictures of class c, s_c = sum of their features, m = mean of all                  (each node's, added in the order of the nodes' names)
    G̃ = sum of (x - m)·(x - m)ᵀ over all,  B_c = s_c - n_c·m                               G̃ = sum over nodes of G̃_i + n_i·(m_i - m)·(m_i - m)ᵀ
    w_c = (G̃ + λ)⁻¹ B_c,  logit_c(x) = t·(n_c/n + w_c·(x - m))                             ridge regression onto the classes

λ is that of the least generalised cross-validation (Golub, Heath and Wahba 1979), which needs the same sums and no picture. The factor t is the one with the least bound
on the cross-entropy of Gaussian classes: E log Σ exp z ≤ log Σ exp(mean + variance/2), with the classes' own means and their common covariance from
the same sums, moved by how much a picture pulls its own fit.
"""

import numpy as np

from .answers import Answer

FACTORS = 2.0 ** (np.arange(0, 41) / 4)
LAMBDAS = 10.0 ** np.arange(-5, 2.01, 0.25)
#: Where only the diagonal is known: how far a class's own mean stands out, in nats above chance.
MARGIN = 3.0


def add_sums(answers: list[Answer], labels: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Sums [C, F+1] in the order of `labels`, and gram or squares about the mean of all pictures, over the nodes in the order given; f64."""
    row = {label: i for i, label in enumerate(labels)}
    features = answers[0].arrays["sums"].shape[1] - 1
    sums = np.zeros((len(labels), features + 1))
    for answer in answers:
        for label, values in zip(answer.identity.labels, answer.arrays["sums"], strict=True):
            sums[row[label]] += values
    mean = sums[:, :-1].sum(0) / sums[:, -1].sum()
    beside = "gram" if "gram" in answers[0].arrays else "squares"
    second = np.zeros(answers[0].arrays[beside].shape)
    for answer in answers:
        own = answer.arrays["sums"].astype(np.float64)
        count = own[:, -1].sum()
        apart = own[:, :-1].sum(0) / count - mean
        second += answer.arrays[beside]
        second += count * (np.outer(apart, apart)[np.triu_indices(features)] if beside == "gram" else apart**2)
    return sums, second


def unpacked(gram: np.ndarray, features: int) -> np.ndarray:
    """The whole symmetric matrix [F, F] of its upper triangle, which stands row by row."""
    whole = np.zeros((features, features))
    upper = np.triu_indices(features)
    whole[upper] = gram
    whole.T[upper] = gram
    return whole


def ridge(sums: np.ndarray, gram: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Weight [C, F] and bias [C], f32, of sums and gram as `add_sums` gives them, and what was chosen: lambda over the mean square of the features about their mean, and the factor."""
    counts, x = sums[:, -1], sums[:, :-1]
    features = x.shape[1]
    n = counts.sum()
    mean = x.sum(0) / n
    centred = unpacked(gram, features)
    products = x - counts[:, None] * mean
    values, vectors = np.linalg.eigh(centred)
    values = np.maximum(values, 0)
    if values.sum() <= 0:
        raise ValueError("the features are the same for every picture")
    turned = products @ vectors
    unit = values.mean()
    total = (counts * (1 - counts / n)).sum()
    relative, left = min(((r, _left_out(values, turned, total, n, r * unit)) for r in LAMBDAS), key=lambda pair: pair[1])
    lam = relative * unit
    weight = (turned / (values + lam)) @ vectors.T
    pull = min(0.9, (1 + (values / (values + lam)).sum()) / n)
    factor = _factor(weight, counts, x, centred, mean, pull)
    bias = factor * (counts / n - weight @ mean)
    found = {"lambda": float(relative), "factor": float(factor), "left-out": float(left)}
    return (factor * weight).astype(np.float32), bias.astype(np.float32), found


def _left_out(values: np.ndarray, turned: np.ndarray, total: float, n: float, lam: float) -> float:
    """Generalised cross-validation: the mean square error of pictures left out, nearly."""
    fit = turned**2 / (values + lam)
    error = total - 2 * fit.sum() + (fit * values / (values + lam)).sum()
    free = 1 - (1 + (values / (values + lam)).sum()) / n
    return float(error / n / free**2) if free > 0.02 else np.inf


def _factor(weight: np.ndarray, counts: np.ndarray, x: np.ndarray, centred: np.ndarray, mean: np.ndarray, pull: float) -> float:
    seen = counts > 0
    n = counts.sum()
    offsets = x[seen] / counts[seen, None] - mean
    within = centred - (offsets.T * counts[seen]) @ offsets
    w, share = weight[seen], counts[seen] / n
    at = share + offsets @ w.T
    # As for a picture that was left out: what it would have been drawn to its own class is taken back.
    own = np.eye(len(share))
    at = own - (own - at) / (1 - pull)
    spread = w @ within @ w.T / max(1.0, n - len(share)) / (1 - pull) ** 2
    gaps = at - np.diag(at)[:, None]
    variance = np.diag(spread)[None, :] + np.diag(spread)[:, None] - 2 * spread
    bounds = [(share * _log_sum(t * gaps + t * t * variance / 2)).sum() for t in FACTORS]
    return float(FACTORS[int(np.argmin(bounds))])


def _log_sum(rows: np.ndarray) -> np.ndarray:
    top = rows.max(1)
    return top + np.log(np.exp(rows - top[:, None]).sum(1))


def diagonal(sums: np.ndarray, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """
    Where the matrix would be too large to send: classes as Gaussians with one variance for each feature. Features that go together would count twice and
    make it far too sure, so the logits are scaled until a class's mean stands MARGIN nats above chance.
    """
    counts, x = sums[:, -1], sums[:, :-1]
    seen = counts > 0
    n = counts.sum()
    means = np.zeros_like(x)
    means[seen] = x[seen] / counts[seen, None]
    middle = x.sum(0) / n
    variance = np.maximum(squares - (counts[seen, None] * (means[seen] - middle) ** 2).sum(0), 0) / max(1.0, n - seen.sum())
    if variance.sum() <= 0:
        raise ValueError("the features are the same for every picture")
    variance += 0.1 * variance.mean()
    weight = np.where(seen[:, None], means - middle, 0) / variance
    bias = -(weight * (means + middle)).sum(1) / 2
    logits = means[seen] @ weight[seen].T + bias[seen]
    gaps = np.diag(logits)[:, None] - logits
    apart = gaps[~np.eye(len(gaps), dtype=bool)].mean() if len(gaps) > 1 else 1.0
    factor = (MARGIN + np.log(max(2, len(gaps)))) / max(apart, 1e-12)
    low = bias[seen].min() if seen.any() else 0.0
    return (factor * weight).astype(np.float32), (factor * np.where(seen, bias, low)).astype(np.float32), {"factor": float(factor)}
