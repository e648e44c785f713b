"""What PyTorch makes of a model folder: python logits.py FOLDER IN OUT [ADAPTER]

IN holds `<name>` uint8 [n, H, W, 3] for every set of pictures, and `mean`, `std`, `scale`: the model sees (pixel · scale - mean) / std, with `reversed` 1 the
last channel first.
OUT gets `<name>` f32 [n, classes]. Folders of transformers (config.json with model_type) and of timm (with architecture) are loaded by their own loaders.
With ADAPTER, a folder of PEFT's, the model gets as many classes as that says, and PEFT puts it on.
"""

import json
import sys
from pathlib import Path

import safetensors.torch
import torch


def load(folder):
    config = json.loads((Path(folder) / "config.json").read_text())
    if "architecture" in config:
        import timm

        return timm.create_model(f"local-dir:{folder}", pretrained=True)
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    model, told = transformers.AutoModelForImageClassification.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    # A tensor that the loader made up would make the comparison worthless.
    wrong = sorted(told["missing_keys"]) + sorted(map(str, told["mismatched_keys"])) + sorted(told["unexpected_keys"])
    if wrong:
        sys.exit(f"{folder}: transformers finds other tensors than it wants: {', '.join(wrong[:6])}")
    return model


def adapted(folder, adapter):
    import peft

    classes = len(json.loads((Path(adapter) / "labels.json").read_text()))
    config = json.loads((Path(folder) / "config.json").read_text())
    if "architecture" in config:
        import timm

        model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=classes)
    else:
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        model = transformers.AutoModelForImageClassification.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", num_labels=classes, ignore_mismatched_sizes=True
        )
    return peft.PeftModel.from_pretrained(model, adapter)


def main(folder, given, out, adapter=None):
    torch.set_num_threads(1)
    model = (load(folder) if adapter is None else adapted(folder, adapter)).eval()
    tensors = safetensors.torch.load_file(given)
    mean, std, scale, backwards = (tensors.pop(n) for n in ("mean", "std", "scale", "reversed"))
    found = {}
    with torch.no_grad():
        for name, pictures in tensors.items():
            x = ((pictures.float() * scale - mean) / std).permute(0, 3, 1, 2).contiguous()
            y = model(x.flip(1) if backwards.item() else x)
            found[name] = (y if torch.is_tensor(y) else y.logits).contiguous()
    safetensors.torch.save_file(found, out)


main(*sys.argv[1:])
