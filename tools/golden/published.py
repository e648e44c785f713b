"""Writes test/golden/published.json: small checkpoints as libraries publish them, and the logits that the libraries read out of them.

    python tools/golden/published.py [name ...]

A case is saved by its library, the numbers are replaced by a recipe's under the names in the file, and the library reads the folder again. Kept are
config.json, every tensor's name and shape, the height and width of the pictures, and the logits. `head`: the file has none; the two tensors of a
new one are the recipe's too. The recipe: tensor N (by sorted name; a head's weight and bias come after the last) is uniform between bounds that
its name and shape say, the pictures are bytes.
"""

import json
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
import safetensors.numpy
import timm
import torch
import transformers
from timm.models import swin_transformer

OUT = Path(__file__).resolve().parents[2] / "test" / "golden" / "published.json"
CLASSES, BATCH = 3, 2
MEAN, STD = 0.5, 0.25
torch.set_num_threads(1)
transformers.logging.set_verbosity_error()


def uniform(number, low, high, shape):
    """The counter-based numbers of models.py, with seed 0."""
    n = math.prod(shape)
    m = 0xFFFFFFFF
    x = (np.arange(n, dtype=np.uint64) * 0x9E3779B1 + ((number * 0x85EBCA6B) & m)) & m
    x = ((x ^ (x >> 16)) * 0x85EBCA6B) & m
    x = ((x ^ (x >> 13)) * 0xC2B2AE35) & m
    x ^= x >> 16
    return (low + (high - low) * ((x >> 8).astype(np.float64) / 16777216)).astype(np.float32).reshape(shape)


def bounds(name, shape):
    if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
        return 0.5, 1.5
    if len(shape) < 2:
        return -0.2, 0.2
    wide = 1.7 / math.sqrt(math.prod(shape[1:])) if name.endswith("weight") else 0.5
    return -wide, wide


def fill(tensors):
    """Every float by its number; what counts or indexes stays."""
    for number, name in enumerate(floats(tensors)):
        tensors[name] = uniform(number, *bounds(name, tensors[name].shape), tensors[name].shape)


def floats(tensors):
    return sorted(name for name, t in tensors.items() if t.dtype == np.float32)


def pictures(h, w):
    return np.floor(uniform(100000, 0, 256, (BATCH, h, w, 3))).astype(np.uint8)


def pixels(h, w):
    x = pictures(h, w).astype(np.float32) / 255
    return torch.from_numpy((x - MEAN) / STD).permute(0, 3, 1, 2).contiguous()


def refill(folder):
    path = folder / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    fill(tensors)
    safetensors.numpy.save_file(tensors, path, {"format": "pt"})
    return tensors


def kept(folder, tensors, size, logits, head=None):
    config = json.loads((folder / "config.json").read_text())
    shapes = {name: list(tensors[name].shape) for name in floats(tensors)}
    case = dict(config=config, size=list(size), tensors=shapes, logits=[round(float(x), 7) for x in logits.flatten()])
    return case if head is None else {**case, "head": head}


def hugging_face(saved, config, size, head=None, **more):
    """`saved`: the class that is saved; `head`: where a new classifier stands in the class with one."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        getattr(transformers, saved)(config).eval().save_pretrained(folder)
        tensors = refill(folder)
        classifier = saved if head is None else saved.replace("Model", "ForImageClassification")
        extra = {} if head is None else {"num_labels": CLASSES}
        model = getattr(transformers, classifier).from_pretrained(folder, **extra).eval()
        if head is not None:
            layer = model.get_submodule(head)
            for j, part in enumerate((layer.weight, layer.bias)):
                name = f"{head}.{'bias' if j else 'weight'}"
                part.data = torch.from_numpy(uniform(len(floats(tensors)) + j, *bounds(name, part.shape), tuple(part.shape)))
        with torch.no_grad():
            logits = model(pixels(*size), **more).logits
        return kept(folder, tensors, size, logits, head)


def wrapped(name, args, size, rename=lambda tensors: tensors, filtered=None, config=None, resized=False):
    """A timm model; `rename` makes older names, which `filtered` (timm's own reader) must understand."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = timm.create_model(name, num_classes=CLASSES, **args).eval()
        state = {k: v.numpy().copy() for k, v in model.state_dict().items()}
        safetensors.numpy.save_file(rename(state), folder / "model.safetensors")
        tensors = refill(folder)
        loaded = {k: torch.from_numpy(v) for k, v in tensors.items()}
        model.load_state_dict(filtered(loaded, model) if filtered else loaded, strict=True)
        if resized:
            model.set_input_size(img_size=size)
        plain = {k: (list(v) if isinstance(v, tuple) else v) for k, v in args.items()}
        pretrained = {"input_size": [3, *size], "num_classes": CLASSES, **(config or {})}
        (folder / "config.json").write_text(json.dumps(dict(architecture=name, num_classes=CLASSES, model_args=plain, pretrained_cfg=pretrained)))
        with torch.no_grad():
            logits = model(pixels(*size))
        return kept(folder, tensors, size, logits)


def before_09(tensors):
    """Swin's names in files from before timm 0.9: a merging belongs to the stage before it, the classifier is `head`; buffers beside."""
    out = {}
    for name, value in tensors.items():
        parts = name.split(".")
        if "downsample" in parts:
            parts[1] = str(int(parts[1]) - 1)
        out[".".join(parts).replace("head.fc", "head")] = value
    for name in [n for n in out if n.endswith("relative_position_bias_table")]:
        out[name.replace("bias_table", "index")] = np.zeros((16, 16), np.int64)
    return out


def vit_config(**more):
    return dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8, **more)


SWIN = dict(embed_dim=8, depths=[1, 2], num_heads=[1, 2], window_size=4, image_size=32)
TIMM_SWIN = dict(embed_dim=8, depths=(1, 2), num_heads=(1, 2))
T = transformers
CASES = {
    "vit-bare": lambda: hugging_face("ViTModel", T.ViTConfig(**vit_config()), (32, 32), "classifier"),
    "deit-bare": lambda: hugging_face("DeiTModel", T.DeiTConfig(**vit_config()), (32, 32), "classifier"),
    "swin-bare": lambda: hugging_face("SwinModel", T.SwinConfig(**SWIN), (32, 32), "classifier"),
    "resnet-bare": lambda: hugging_face(
        "ResNetModel", T.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"), (48, 80), "classifier.1"
    ),
    "convnext-bare": lambda: hugging_face("ConvNextModel", T.ConvNextConfig(num_stages=2, hidden_sizes=[8, 16], depths=[1, 1]), (32, 48), "classifier"),
    "mobilenetv2-bare": lambda: hugging_face("MobileNetV2Model", T.MobileNetV2Config(depth_multiplier=0.1, finegrained_output=False), (32, 48), "classifier"),
    "deit-teacher": lambda: hugging_face("DeiTForImageClassificationWithTeacher", T.DeiTConfig(**vit_config()), (32, 32)),
    "vit-two-classes": lambda: hugging_face("ViTForImageClassification", T.ViTConfig(**vit_config()), (32, 32)),
    "vit-no-bias": lambda: hugging_face("ViTForImageClassification", T.ViTConfig(**vit_config(qkv_bias=False)), (32, 32)),
    "vit-wide": lambda: hugging_face("ViTForImageClassification", T.ViTConfig(**{**vit_config(), "image_size": (24, 40)}), (24, 40)),
    "vit-resized": lambda: hugging_face("ViTForImageClassification", T.ViTConfig(**vit_config()), (24, 40), interpolate_pos_encoding=True),
    "vit-timm-resized": lambda: wrapped(
        "vit_tiny_patch16_224", dict(embed_dim=16, depth=2, num_heads=2, img_size=32, patch_size=8), (24, 40), resized=True
    ),
    "swin-wide": lambda: hugging_face("SwinForImageClassification", T.SwinConfig(**{**SWIN, "image_size": (32, 64)}), (32, 64)),
    "swin-timm-old": lambda: wrapped(
        "swin_tiny_patch4_window7_224",
        dict(**TIMM_SWIN, img_size=32, window_size=4),
        (32, 32),
        before_09,
        swin_transformer.checkpoint_filter_fn,
        # Published so: the class is timm's newer one, the names in the file are not.
        {"classifier": "head.fc"},
    ),
    "swin-timm-wide": lambda: wrapped("swin_tiny_patch4_window7_224", dict(**TIMM_SWIN, img_size=(32, 64), window_size=(2, 4)), (32, 64)),
    "vit-timm-miil": lambda: wrapped("vit_base_patch16_224_miil", dict(embed_dim=16, depth=2, num_heads=2, img_size=32), (32, 32)),
    "vit-timm-wide": lambda: wrapped(
        "vit_tiny_patch16_224", dict(embed_dim=16, depth=2, num_heads=2, img_size=(24, 40), patch_size=8, qkv_bias=False), (24, 40)
    ),
}


def main():
    wanted = sys.argv[1:] or list(CASES)
    cases = json.loads(OUT.read_text())["cases"] if OUT.exists() else {}
    cases.update({name: CASES[name]() for name in wanted})
    versions = {m.__name__: m.__version__ for m in (torch, transformers, timm, np)}
    about = dict(program="tools/golden/published.py", versions=versions, normalize=[MEAN, STD], batch=BATCH)
    lines = ",\n".join(f'"{name}": {json.dumps(cases[name], separators=(",", ":"))}' for name in CASES if name in cases)
    OUT.write_text(f"{json.dumps(about)[:-1]}, \"cases\": {{\n{lines}\n}}}}\n")
    print(OUT.stat().st_size)


main()
