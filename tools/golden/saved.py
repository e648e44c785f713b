"""Writes test/golden/saved.json and saved-families.json: bytes that PyTorch's autograd keeps for backward, per image, counted with saved-tensor hooks.

A storage counts once, whole, however many tensors share it; parameters and buffers do not count. Per image = batch 2 minus batch 1, so
that nothing independent of the batch remains. Full-size models, random weights, f32, evaluation mode, 224×224, 100 classes.

    python tools/golden/saved.py [models | families]
"""

import json
import sys
from collections import Counter
from pathlib import Path

import timm
import torch
import transformers
from models import Tuned, fold, loss_of, trainable, zero_biases
from modules import Modular
from torch import nn

ROOT = Path(__file__).resolve().parents[2] / "test" / "golden"
SIZE, CLASSES = 224, 100
torch.manual_seed(0)
torch.set_num_threads(1)
transformers.logging.set_verbosity_error()


def vit(hidden, heads, attention):
    config = transformers.ViTConfig(hidden_size=hidden, num_attention_heads=heads, intermediate_size=4 * hidden, num_labels=CLASSES)
    config._attn_implementation = attention
    return transformers.ViTForImageClassification(config)


def mobilenet(folded, tf_padding=True):
    config = transformers.MobileNetV2Config(num_labels=CLASSES, tf_padding=tf_padding)
    model = transformers.MobileNetV2ForImageClassification(config).eval()
    return zero_biases(fold(model)) if folded else model


def swin(embed_dim, depths, heads):
    config = transformers.SwinConfig(embed_dim=embed_dim, depths=depths, num_heads=heads, num_labels=CLASSES)
    config._attn_implementation = "eager"
    return zero_biases(transformers.SwinForImageClassification(config))


def resnet(folded):
    model = transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=CLASSES)).eval()
    return zero_biases(fold(model)) if folded else model


def convnext():
    return fold(transformers.ConvNextForImageClassification(transformers.ConvNextConfig(num_labels=CLASSES)))


def timm_model(name):
    return zero_biases(fold(timm.create_model(name, num_classes=CLASSES).eval()))


MODELS = {
    "vit-tiny": [("eager", lambda: vit(192, 3, "eager")), ("sdpa", lambda: vit(192, 3, "sdpa"))],
    "vit-small": [("eager", lambda: vit(384, 6, "eager")), ("sdpa", lambda: vit(384, 6, "sdpa"))],
    "vit-base": [("eager", lambda: vit(768, 12, "eager")), ("sdpa", lambda: vit(768, 12, "sdpa"))],
    "mobilenetv2-1.0": [("folded", lambda: mobilenet(True)), ("folded, symmetric padding", lambda: mobilenet(True, False)),
                        ("batch norm frozen", lambda: mobilenet(False))],
    "resnet-50": [("folded", lambda: resnet(True)), ("batch norm frozen", lambda: resnet(False))],
    "convnext-tiny": [("folded", convnext)],
}

FAMILIES = {
    "swin-tiny": [("eager", lambda: swin(96, [2, 2, 6, 2], [3, 6, 12, 24]))],
    "swin-base": [("eager", lambda: swin(128, [2, 2, 18, 2], [4, 8, 16, 32]))],
    "resnet-50": [("folded", lambda: resnet(True)), ("batch norm frozen", lambda: resnet(False))],
    "mobilenetv3-large-1.0": [("folded", lambda: timm_model("mobilenetv3_large_100"))],
    "convnext-tiny": [("layer scale folded", convnext)],
}
PROMPT, SIDE = "prompt:rank=8", "side:ratio=8,residual=0,tap=1"
MODULES = [f"{PROMPT}+{SIDE}", f"bias+{PROMPT}", f"bias+{SIDE}", f"bias+{PROMPT}+{SIDE}", "side:ratio=8,residual=0,tap=0"]


def kept(model, batch):
    """{storage: (bytes, shape)} of what one forward pass saves, and the picture's own storage."""
    own = {t.untyped_storage().data_ptr() for t in [*model.parameters(), *model.buffers()]}
    storages, alive = {}, []

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and storage.nbytes() > 0:
            alive.append(storage)  # an address must not be used again while counting
            storages.setdefault(storage.data_ptr(), (storage.nbytes(), tuple(tensor.shape)))
        return tensor

    x = torch.randn(batch, 3, SIZE, SIZE)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        out = model(x)
        loss = loss_of(out if torch.is_tensor(out) else out.logits, torch.zeros(batch, dtype=torch.long))
    del loss
    picture = storages.get(x.untyped_storage().data_ptr(), (0,))[0]
    return storages, picture


def count(model, method):
    for p in model.parameters():
        p.requires_grad_(False)
    head = model.get_classifier() if hasattr(model, "get_classifier") else model.classifier
    for p in [*([] if method == "probe" else [p for _, p in trainable(model, method)]), *head.parameters()]:
        p.requires_grad_(True)
    return measured(model)


def count_modules(build, method):
    """A ViT with modules; their tensors come into being with the first pass."""
    tuned = Tuned(build(), CLASSES, (SIZE, SIZE)).eval()
    values = lambda name, shape, scale: (torch.rand(shape) * 2 - 1) * scale  # noqa: E731
    model = Modular(tuned, method, (SIZE // 16, SIZE // 16), 1, values)
    model(torch.zeros(1, 3, SIZE, SIZE))
    for p in model.parameters():
        p.requires_grad_(False)
    for _, p in model.trainable():
        p.requires_grad_(True)
    model.kept = nn.ParameterList(model.learn.values())
    model.learn = dict(zip(model.learn, model.kept))
    return measured(model)


def measured(model):
    one, picture = kept(model, 1)
    two, _ = kept(model, 2)
    total = [sum(b for b, _ in s.values()) for s in (one, two)]
    shapes = Counter((b, s) for b, s in one.values())
    return {
        "bytesPerImage": total[1] - total[0],
        "picture": picture,
        "batch1": total[0],
        "tensors": [{"shape": list(s), "bytes": b, "count": n} for (b, s), n in sorted(shapes.items(), reverse=True)],
    }


def rows(models):
    for name, variants in models.items():
        for variant, build in variants:
            model = build().eval()
            for method in ("bias", "probe", "full"):
                yield {"model": name, "variant": variant, "method": method, **count(model, method)}
    if models is FAMILIES:
        for method in MODULES:
            yield {"model": "vit-base", "variant": "eager", "method": method, **count_modules(lambda: vit(768, 12, "eager"), method)}


def write(file, models):
    results = []
    for entry in rows(models):
        results.append(entry)
        print(f"{entry['model']} {entry['variant']} {entry['method']}: {entry['bytesPerImage'] / 1e6:.3f} MB, picture {entry['picture']}", flush=True)
    versions = {m.__name__: m.__version__ for m in (torch, transformers, timm)}
    head = {"program": "tools/golden/saved.py", "versions": versions, "imageSize": SIZE, "classes": CLASSES}
    lines = ",\n".join("  " + json.dumps(r) for r in results)
    (ROOT / file).write_text(json.dumps(head)[:-1] + ', "results": [\n' + lines + "\n]}\n")


def main():
    files = {"models": ("saved.json", MODELS), "families": ("saved-families.json", FAMILIES)}
    for which in sys.argv[1:] or files:
        file, models = files[which]
        write(file, models)


if __name__ == "__main__":
    main()
