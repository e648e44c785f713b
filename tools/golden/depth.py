"""Writes test/golden/depth: what PyTorch's networks give when they end after their first blocks. Keys: README.md.

    python tools/golden/depth.py [case …]

A hook takes what the last block puts out; pooling, the norm of the whole network where its width fits, and a new head follow here.
"""

import copy
import json
import sys

import make
import safetensors.torch
import torch
from cases import CASES, FAMILIES
from models import checkpoint_name, fold, loss_of, zero_biases
from modules import blocks_of
from torch.nn import functional as F

FOLDER = make.ROOT / "depth"
# case: depths. In swin and convnext-hf one ends within the last stage, where the last norm fits, and one before it.
DEPTHS = {
    "vit-hf": [1, 2],
    "deit-timm": [1],
    "vit-timm-avg": [1],
    "swin-hf": [2, 5],
    "swin-timm": [2, 5],
    "convnext-hf": [2, 3],
    "convnext-timm": [2, 4],
    "resnet-hf": [3],
    "resnet-hf-basic": [2],
    "mobilenetv2-hf": [6, 13],
    "mobilenetv2-timm": [13],
    "mobilenetv3-timm": [7],
}


def features(backbone, h):
    """[B, width]: as each library pools; `h` is a block's output."""
    kinds = {type(m).__name__ for m in backbone.modules()}
    modules = dict(backbone.named_modules())
    norm = next((modules[n] for n in ("vit.layernorm", "swin.layernorm", "convnext.layernorm", "fc_norm", "norm", "head.norm") if getattr(modules.get(n), "weight", None) is not None), None)
    if h.ndim == 3 and "SwinStage" not in kinds:  # a ViT's tokens
        if "fc_norm" in modules and modules["fc_norm"] is norm:
            return norm(h[:, backbone.num_prefix_tokens :].mean(1))
        tokens = norm(h)[:, : 2 if hasattr(backbone, "dist_token") else 1]
        return tokens.mean(1)
    if "SwinStage" in kinds or "SwinTransformerStage" in kinds:
        h = h.flatten(1, -2)
        return (norm(h) if norm.weight.numel() == h.shape[-1] else h).mean(1)
    pooled = h.mean((2, 3))
    if norm is None or norm.weight.numel() != pooled.shape[1]:
        return pooled
    return F.layer_norm(pooled, norm.weight.shape, norm.weight, norm.bias, norm.eps)


def write(case, depths):
    model, folder = {**CASES, **FAMILIES}[case][0](), make.ROOT / case
    truth = safetensors.torch.load_file(folder / "golden.safetensors")
    x = make.normalise(truth["images"], truth["mean"].tolist(), truth["std"].tolist())
    out = {}
    for depth in depths:
        backbone = zero_biases(fold(copy.deepcopy(make.load(model, folder)))).eval()
        names, taken = blocks_of(backbone), []
        block = backbone.get_submodule(names[depth - 1])
        block.register_forward_hook(lambda _, __, y, taken=taken: taken.append(y[0] if isinstance(y, tuple) else y))
        backbone(x)
        read = features(backbone, taken[0])
        weight, bias = make.head_values(depth, read.shape[1])
        head = [weight.requires_grad_(), bias.requires_grad_()]
        logits = read @ weight.T + bias
        loss = loss_of(logits, make.LABELS)
        named = [(checkpoint_name(n), p) for n, p in backbone.named_parameters() if n.endswith(".bias")]
        grads = torch.autograd.grad(loss, [*head, *(p for _, p in named)], allow_unused=True)
        out[f"{depth}/value/head.weight"], out[f"{depth}/value/head.bias"] = weight, bias
        out[f"{depth}/logits"], out[f"{depth}/loss"] = logits, loss.reshape(1)
        for name, g in zip(["head.weight", "head.bias", *(n for n, _ in named)], grads):
            if g is not None and g.norm() > 0:
                out[f"{depth}/{name}"] = g
        print(f"{case} {depth} of {len(names)}: {read.shape[1]} features, logits {logits.std():.2f}, {sum(g is not None for g in grads)} gradients")
    FOLDER.mkdir(exist_ok=True)
    make.write(FOLDER / f"{case}.safetensors", out)
    (FOLDER / f"{case}.safetensors").chmod(0o644)


def main():
    cases = sys.argv[1:] or [*DEPTHS]
    for case in cases:
        write(case, DEPTHS[case])
    versions = {m.__name__: m.__version__ for m in (torch, make.transformers, make.timm)}
    index = {"program": "tools/golden/depth.py", "versions": versions, "cases": DEPTHS}
    (FOLDER / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
