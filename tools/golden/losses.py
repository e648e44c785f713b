"""Writes test/golden/losses.json: losses of several labels and of numbers by PyTorch, and their gradients.

    python tools/golden/losses.py

Logits and targets are f32 values, everything else is f64. A loss is per picture, the mean over its outputs; gradients are those of the mean
over pictures, which is what the mean over everything is.
"""

import json
from pathlib import Path

import torch
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parents[2] / "test" / "golden"
B, N = 4, 7


def values(seed, *shape, spread=3.0):
    return (torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * spread).double()


def case(x, targets, of, **more):
    x = x.clone().requires_grad_()
    losses = of(x).mean(1)
    losses.mean().backward()
    return {"x": x.flatten().tolist(), "targets": targets.flatten().tolist(), "losses": losses.tolist(), "gradient": x.grad.flatten().tolist(), **more}


def binary(seed, smoothing, spread, soft=False):
    x = values(seed, B, N, spread=spread)
    t = values(seed + 1, B, N).sigmoid().float().double() if soft else (values(seed + 1, B, N) > 0.5).double()
    smooth = t * (1 - smoothing) + smoothing / 2
    return case(x, t, lambda x: F.binary_cross_entropy_with_logits(x, smooth, reduction="none"), smoothing=smoothing)


def number(seed, delta, spread):
    x = values(seed, B, N, spread=spread)
    t = (values(seed + 1, B, N) * 20 + 100).float().double()
    # As the engine has them: f32.
    mean, std = t.mean(0).float().double(), t.std(0, unbiased=False).float().double()
    z = (t - mean) / std
    of = (lambda x: F.mse_loss(x, z, reduction="none")) if delta == 0 else (lambda x: F.huber_loss(x, z, reduction="none", delta=delta))
    answers = values(seed, B, N, spread=spread) * std + mean
    return case(x, t, of, delta=delta, mean=mean.tolist(), std=std.tolist(), answers=answers.flatten().tolist())


def mixed(seed, smoothing, spread):
    """Soft targets, two labels a picture: neighbours in pairs are mixed."""
    x = values(seed, B, N, spread=spread)
    labels = torch.tensor([3, 0, 6, 6])
    shares = torch.tensor([0.3, 0.3, 0.75, 0.75], dtype=torch.float32)
    hot = F.one_hot(labels, N).double()
    s = shares.double()[:, None]
    t = s * hot + (1 - s) * hot[[1, 0, 3, 2]]
    x = x.clone().requires_grad_()
    losses = F.cross_entropy(x, t, reduction="none", label_smoothing=smoothing)
    losses.mean().backward()
    more = {"labels": labels.tolist(), "shares": shares.tolist(), "smoothing": smoothing}
    return {"x": x.flatten().tolist(), "losses": losses.tolist(), "gradient": x.grad.flatten().tolist(), **more}


def weighted(seed, smoothing, spread, isMixed=False):
    """Classes that weigh: of one label a picture the mean of CrossEntropyLoss(weight=w); of two its sum, divided by what the labels weigh by their shares."""
    x = values(seed, B, N, spread=spread)
    labels = torch.tensor([3, 0, 6, 6])
    weights = (values(seed + 1, N, spread=1).exp()).float().double()
    x = x.clone().requires_grad_()
    more = {"labels": labels.tolist(), "weights": weights.tolist(), "smoothing": smoothing}
    if isMixed:
        shares = torch.tensor([0.3, 0.3, 0.75, 0.75], dtype=torch.float32)
        hot = F.one_hot(labels, N).double()
        s = shares.double()[:, None]
        t = s * hot + (1 - s) * hot[[1, 0, 3, 2]]
        losses = F.cross_entropy(x, t, weight=weights, reduction="none", label_smoothing=smoothing)
        mean = losses.sum() / (t @ weights).sum()
        more["shares"] = shares.tolist()
        more["others"] = labels[[1, 0, 3, 2]].tolist()
    else:
        losses = F.cross_entropy(x, labels, weight=weights, reduction="none", label_smoothing=smoothing)
        mean = F.cross_entropy(x, labels, weight=weights, label_smoothing=smoothing)
    mean.backward()
    return {"x": x.flatten().tolist(), "losses": losses.tolist(), "mean": mean.item(), "gradient": x.grad.flatten().tolist(), **more}


def main():
    smoothing = float(torch.tensor(0.1, dtype=torch.float32))
    out = {
        "program": "tools/golden/losses.py",
        "torch": torch.__version__,
        "shape": [B, N],
        "binary": [binary(1, 0, 3), binary(3, smoothing, 3), binary(5, 0, 40), binary(7, 0, 1e-3), binary(9, 0, 2, soft=True)],
        "mixed": [mixed(21, 0, 3), mixed(23, smoothing, 3), mixed(25, 0, 40), mixed(27, smoothing, 1e-3)],
        "weighted": [
            *(weighted(31, 0, 3), weighted(33, smoothing, 3), weighted(35, smoothing, 40)),
            *(weighted(37, 0, 3, isMixed=True), weighted(39, smoothing, 3, isMixed=True)),
        ],
        "numbers": [number(11, 1, 1), number(13, 0, 1), number(15, 0.5, 5), number(17, 1, 1e-3), number(19, 0, 30)],
    }
    (ROOT / "losses.json").write_text(json.dumps(out, separators=(",", ":")).replace('{"x"', '\n{"x"') + "\n")


main()
