"""Every pretrained tag of timm, by names and shapes alone: python tags.py OUT [START STEP]

OUT gets a line for each: {"name", "config", "tensors": {name: shape}}, config as timm's save_for_hf writes it; {"name", "error"} where timm makes none of it. No
weights are made or fetched. Tags whose networks are the same share a line's tensors: {"name", "config", "as": the other's name}.
"""

import json
import sys

import timm
import torch


def plain(value):
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def described(name):
    with torch.device("meta"):
        model = timm.create_model(name, pretrained=False)
    cfg = {k: plain(v) for k, v in model.pretrained_cfg.items() if isinstance(v, (str, int, float, bool, list, tuple)) and k not in ("url", "tag")}
    config = {"architecture": cfg.pop("architecture", name.split(".")[0]), "num_classes": model.num_classes, "num_features": model.num_features, "pretrained_cfg": cfg}
    return config, {n: list(t.shape) for n, t in model.state_dict().items()}


def main(out, start="0", step="1"):
    torch.set_num_threads(1)
    seen = {}
    with open(out, "w") as lines:
        for name in timm.list_pretrained()[int(start) :: int(step)]:
            try:
                config, tensors = described(name)
                key = json.dumps([config["architecture"], tensors])
                line = {"name": name, "config": config, **({"as": seen[key]} if key in seen else {"tensors": tensors})}
                seen.setdefault(key, name)
            except Exception as error:  # noqa: BLE001
                line = {"name": name, "error": str(error).split("\n")[0][:200]}
            lines.write(json.dumps(line) + "\n")


main(*sys.argv[1:])
