"""Writes test/golden/saved.json: bytes that PyTorch's autograd keeps for backward, per image, counted with saved-tensor hooks.

A storage counts once, whole, however many tensors share it; parameters and buffers do not count. Per image = batch 2 minus batch 1, so
that nothing independent of the batch remains. Full-size models, random weights, f32, evaluation mode, 224×224, 100 classes.

    python tools/golden/saved.py [model…]     # the results of other models stay as they are
"""

import json
import sys
from collections import Counter
from pathlib import Path

import torch
import transformers
from models import fold, loss_of, trainable, zero_biases

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


def resnet(folded):
    model = transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=CLASSES)).eval()
    return zero_biases(fold(model)) if folded else model


def convnext():
    config = transformers.ConvNextConfig(num_labels=CLASSES)
    return zero_biases(fold(transformers.ConvNextForImageClassification(config).eval()))


MODELS = {
    "vit-tiny": [("eager", lambda: vit(192, 3, "eager")), ("sdpa", lambda: vit(192, 3, "sdpa"))],
    "vit-small": [("eager", lambda: vit(384, 6, "eager")), ("sdpa", lambda: vit(384, 6, "sdpa"))],
    "vit-base": [("eager", lambda: vit(768, 12, "eager")), ("sdpa", lambda: vit(768, 12, "sdpa"))],
    "mobilenetv2-1.0": [("folded", lambda: mobilenet(True)), ("folded, symmetric padding", lambda: mobilenet(True, False)),
                        ("batch norm frozen", lambda: mobilenet(False))],
    "resnet-50": [("folded", lambda: resnet(True)), ("batch norm frozen", lambda: resnet(False))],
    "convnext-tiny": [("folded", convnext)],
}


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
        loss = loss_of(model(x).logits, torch.zeros(batch, dtype=torch.long))
    del loss
    picture = storages.get(x.untyped_storage().data_ptr(), (0,))[0]
    return storages, picture


def count(model, method):
    for p in model.parameters():
        p.requires_grad_(False)
    chosen = [p for n, p in trainable(model, method) if method != "probe" or n.startswith("classifier.")]
    chosen += list(model.classifier.parameters())
    for p in chosen:
        p.requires_grad_(True)
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


def main():
    path = ROOT / "saved.json"
    chosen = sys.argv[1:] or list(MODELS)
    results = [r for r in json.loads(path.read_text())["results"] if r["model"] not in chosen] if path.exists() else []
    for name, variants in [(name, MODELS[name]) for name in chosen]:
        for variant, build in variants:
            model = build().eval()
            for method in ("bias", "probe", "full"):
                entry = {"model": name, "variant": variant, "method": method, **count(model, method)}
                results.append(entry)
                print(f"{name} {variant} {method}: {entry['bytesPerImage'] / 1e6:.3f} MB, picture {entry['picture']}", flush=True)
            del model
    versions = {m.__name__: m.__version__ for m in (torch, transformers)}
    head = {"program": "tools/golden/saved.py", "versions": versions, "imageSize": SIZE, "classes": CLASSES}
    lines = ",\n".join("  " + json.dumps(r) for r in results)
    path.write_text(json.dumps(head)[:-1] + ', "results": [\n' + lines + "\n]}\n")


main()
