"""Writes test/golden/tasks: losses and gradients of whole networks under the tasks other than classification, by PyTorch. Keys: README.md.

    python tools/golden/tasks.py [case …]

Pictures and head are those of the case's golden.safetensors. The losses are transformers' own for `problem_type`: BCEWithLogitsLoss and MSELoss,
and HuberLoss.
"""

import copy
import json
import sys

import make
import safetensors.torch
import torch
from cases import CASES, FAMILIES
from torch import nn

FOLDER = make.ROOT / "tasks"
CHOSEN = ["vit-hf", "resnet18-timm", "convnext-hf"]
B, N = make.BATCH, make.CLASSES


def targets():
    random = torch.Generator().manual_seed(5)
    flags = (torch.rand(B, N, generator=random) < 0.4).float()
    numbers = torch.randn(B, N, generator=random) * 12 + 40
    return flags, numbers, numbers.mean(0), numbers.std(0, unbiased=False)


def losses():
    """Of each task: its targets as they are given, and the loss of logits."""
    flags, numbers, mean, std = targets()
    z = (numbers - mean) / std
    return {
        "multilabel": lambda x: nn.BCEWithLogitsLoss()(x, flags),
        "huber": lambda x: nn.HuberLoss()(x, z),
        "squares": lambda x: nn.MSELoss()(x, z),
    }


def train(t, of, x):
    """Ten losses of AdamW as make.py's, method bias."""
    t = copy.deepcopy(t)
    named = make.learned(t, "bias")
    groups = [{"params": [p for _, p in named if p.ndim >= 2], "weight_decay": 0.01}, {"params": [p for _, p in named if p.ndim < 2], "weight_decay": 0.0}]
    optimizer, told = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.999), eps=1e-8), []
    for _ in range(make.STEPS):
        optimizer.zero_grad()
        loss = of(t(x))
        loss.backward()
        make.still_keys(named)
        optimizer.step()
        told.append(loss.item())
    return torch.tensor(told)


def write(case):
    build, size, seed = {**CASES, **FAMILIES}[case]
    folder = make.ROOT / case
    truth = safetensors.torch.load_file(folder / "golden.safetensors")
    t = make.tuned(make.load(build(), folder), size, 0)
    with torch.no_grad():
        t.head.weight.copy_(truth["head.weight"])
        t.head.bias.copy_(truth["head.bias"])
    x = make.normalise(truth["images"], truth["mean"].tolist(), truth["std"].tolist())
    flags, numbers, mean, std = targets()
    out = {"flags": flags, "numbers": numbers, "mean": mean, "std": std}
    with torch.no_grad():
        assert torch.allclose(t(x), truth["logits.new"], atol=1e-5)
    for name, of in losses().items():
        named = make.trainable(t, "bias")
        loss = of(t(x))
        grads = torch.autograd.grad(loss, [p for _, p in named])
        out[f"{name}/loss"] = loss.detach().reshape(1)
        for (key, _), g in zip(named, grads):
            out[f"{name}/{key}"] = g
        out[f"{name}/losses"] = train(t, of, x)
        print(case, name, loss.item(), out[f"{name}/losses"][-1].item())
    FOLDER.mkdir(exist_ok=True)
    make.write(FOLDER / f"{case}.safetensors", out)
    (FOLDER / f"{case}.safetensors").chmod(0o644)


def main():
    cases = sys.argv[1:] or CHOSEN
    for case in cases:
        write(case)
    versions = {m.__name__: m.__version__ for m in (torch, make.transformers, make.timm)}
    index = {"program": "tools/golden/tasks.py", "versions": versions, "cases": CHOSEN}
    (FOLDER / "index.json").write_text(json.dumps(index, indent=1) + "\n")


main()
