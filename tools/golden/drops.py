"""Writes test/golden/drops.json: where transformers and timm drop in training, and how much, in the order of the forward pass.

    python tools/golden/drops.py

Every rate that a configuration of the golden cases can state is set: 0.1 for elements of layers, 0.2 for the head, 0.3 for paths. A mask cannot
be compared (each library has its own random numbers), but which branches have one, of what kind and rate, can.
"""

import json

import make
import timm
import torch
import transformers
from cases import CASES, FAMILIES
from torch import nn

HF = {"hidden_dropout_prob": 0.1, "classifier_dropout_prob": 0.2, "drop_path_rate": 0.3}
TIMM = {"pos_drop_rate": 0.1, "drop_rate": 0.2, "drop_path_rate": 0.3}
CHOSEN = ["vit-hf", "deit-hf", "vit-timm", "mobilenetv2-hf", "mobilenetv2-timm", "swin-hf", "swin-timm", "resnet18-timm", "mobilenetv3-timm",
          "convnext-hf", "convnext-timm"]


def rated(model, folder):
    """The model again with every rate that it knows, and what its configuration then says."""
    if hasattr(model, "config"):
        rates = {key: rate for key, rate in HF.items() if hasattr(model.config, key)}
        config = type(model.config)(**(model.config.to_dict() | rates))
        return type(model)(config), rates
    name = json.loads((folder / "config.json").read_text())["architecture"]
    rates = {}
    for key, rate in TIMM.items():
        try:
            timm.create_model(name, num_classes=6, **model.arguments, **{key: rate})
            rates[key] = rate
        except TypeError:
            pass
    return timm.create_model(name, num_classes=6, **model.arguments, **rates), rates


def drops(model, size):
    """[kind, rate] of every mask that one pass in training makes. Dropout is counted where torch makes it: timm's heads have no module for it."""
    seen = []
    for module in model.modules():
        if type(module).__name__.endswith("DropPath"):
            module.register_forward_hook(lambda module, *_: seen.append(["path", round(module.drop_prob, 6)]))
    plain = nn.functional.dropout
    nn.functional.dropout = lambda x, p=0.5, training=True, inplace=False: (training and p > 0 and seen.append(["element", p])) or x
    model.train()(torch.zeros(2, 3, *size))
    nn.functional.dropout = plain
    return seen


def main():
    lines = []
    for name in CHOSEN:
        build, size, _ = {**CASES, **FAMILIES}[name]
        plain = build()
        model, rates = rated(plain, make.ROOT / name)
        lines.append(f'  "{name}": {json.dumps({"rates": rates, "drops": drops(model, size), "unset": drops(plain, size)})}')
    (make.ROOT / "drops.json").write_text('{\n "program": "tools/golden/drops.py",\n "cases": {\n' + ",\n".join(lines) + "\n }\n}\n")


main()
