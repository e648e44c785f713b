"""Every pretrained tag of timm, by names and shapes alone: python tags.py OUT [START STEP]

OUT gets a line for each: {"name", "config", "tensors": {name: shape}}, config as timm's save_for_hf writes it; {"name", "error"} where timm makes none of it. No
weights are made or fetched. Tags of one network share its tensors: {"name", "config", "as": the first of them}.
"""

import json
import sys

import timm
import torch


def plain(value):
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def config_of(name, known):
    """(the network that a tag names, its configuration); `known` has what was made before, for a network is made once."""
    cfg = timm.models.get_pretrained_cfg(name).to_dict()
    kept = {k: plain(v) for k, v in cfg.items() if isinstance(v, (str, int, float, bool, list, tuple)) and k not in ("url", "tag", "architecture")}
    key = json.dumps([name.split(".")[0], cfg.get("num_classes"), *((cfg.get("input_size"),) if cfg.get("fixed_input_size") else ())])
    if key not in known:
        with torch.device("meta"):
            model = timm.create_model(name, pretrained=False)
        known[key] = (name, model.num_features, {n: list(t.shape) for n, t in model.state_dict().items()})
    config = {"architecture": name.split(".")[0], "num_classes": cfg.get("num_classes"), "num_features": known[key][1], "pretrained_cfg": kept}
    return config, *known[key][::2]


def main(out, start="0", step="1"):
    torch.set_num_threads(1)
    known = {}
    with open(out, "w") as lines:
        for name in timm.list_pretrained()[int(start) :: int(step)]:
            try:
                config, first, tensors = config_of(name, known)
                line = {"name": name, "config": config, **({"tensors": tensors} if first == name else {"as": first})}
            except Exception as error:  # noqa: BLE001
                line = {"name": name, "error": str(error).split("\n")[0][:200]}
            lines.write(json.dumps(line) + "\n")


main(*sys.argv[1:])
