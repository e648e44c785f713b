"""One full-size model with random weights, and what PyTorch computes with it, in f32 and in f64.

    python full.py --names                       the models, each with the weights it is drawn with
    python full.py NAME WEIGHTS FOLDER           FOLDER gets the model as its library saves it, and golden.safetensors
    python full.py --sides NAME WEIGHTS FOLDER   given sides.safetensors: sided.safetensors

WEIGHTS is `plain` or `clear` (kinks.py). golden.safetensors has the keys of tools/golden/README.md: logits, logits.new, value/N, and for each
method M the gradients M/N (PyTorch, f32) and exact.M/N (f64), and the ten losses losses.M of bias and full. sided.safetensors has M/N in f64 where every
unit is on the side of its kink that sides.safetensors `M.<i>` [B, H·W·C] says, and `moved.M`: how many units there stand on another side than in
f64, how far from their kink at most relative to the others, how many are on another side in f32, and all.
"""

import gc
import json
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
import kinks
import make
import modules
import safetensors.torch
import timm
import torch
import transformers
from models import loss_of, randomise, trainable

SIZE, SEED = (224, 224), 4242
MODULES = "bias+prompt:rank=8+side:ratio=8,residual=0,tap=1"
# How each method's ten losses are trained. AdamW makes every step a whole one, however small the gradient: calm rates, so that rounding does not decide.
METHODS = {"bias": ("adamw", 1e-4), "full": ("sgd", 1e-4), MODULES: None}
KINDS = {"plain": None, "clear": kinks.clear}


def timm_model(name):
    model = timm.create_model(name, num_classes=make.CLASSES + 1)
    model.arguments = {}
    return model


BASIC = dict(layer_type="basic", hidden_sizes=[64, 128, 256, 512], depths=[2, 2, 2, 2])
# name: (model, token of the first patch where there are tokens); the second group has kinks
SMOOTH = {
    "vit-b": (lambda: transformers.ViTForImageClassification(transformers.ViTConfig(num_labels=7)), 1),
    "deit-s": (lambda: timm_model("deit_small_distilled_patch16_224"), 2),
    "swin-t": (lambda: transformers.SwinForImageClassification(transformers.SwinConfig(num_labels=7)), 0),
    "swin-b": (lambda: timm_model("swin_base_patch4_window7_224"), 0),
    "convnext-t": (lambda: transformers.ConvNextForImageClassification(transformers.ConvNextConfig(num_labels=7)), 0),
}
KINKED = {
    "resnet-18": (lambda: transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=7, **BASIC)), 0),
    "resnet-50": (lambda: transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=7)), 0),
    "resnet-50-gn": (lambda: timm_model("resnet50_gn"), 0),
    "mobilenetv2": (lambda: transformers.MobileNetV2ForImageClassification(transformers.MobileNetV2Config(num_labels=7)), 0),
    "mobilenetv3-l": (lambda: timm_model("mobilenetv3_large_100"), 0),
}


class Case:
    """A model from its folder, and networks of it under a method."""

    def __init__(self, name, folder):
        build, self.first = (SMOOTH | KINKED)[name]
        # The two large ones take a picture, the others two.
        make.LABELS = torch.tensor([3, 0])[: 1 if name.endswith("-b") else 2]
        make.BATCH = len(make.LABELS)
        self.folder, self.model = folder, build()
        self.values, self.known = modules.drawn(SEED)

    def open(self):
        """timm's folder has every tensor in its place: no filter is needed."""
        if hasattr(self.model, "config"):
            self.model = make.load(self.model, self.folder)
        else:
            self.model.eval().load_state_dict(safetensors.torch.load_file(self.folder / "model.safetensors"))
        self.mean, self.std = make.statistics(self.model, self.folder)
        self.images = make.pictures(SIZE, 7)
        self.x = make.normalise(self.images, self.mean, self.std)
        return self

    def network(self, method, dtype=torch.float32):
        """(the tuned network, the network under the method)."""
        t = make.tuned(self.model, SIZE, SEED, added=method != "full").to(dtype)
        if method != MODULES:
            return t, t
        grid = (SIZE[0] // 16, SIZE[1] // 16)
        return t, modules.Modular(t, method, grid, self.first, lambda *given: self.values(*given).to(dtype))

    def gradients(self, t, net, method):
        """Of the loss, by name."""
        x = self.x.to(t.head.weight.dtype)
        loss = loss_of(net(x), make.LABELS)
        named = net.trainable() if net is not t else trainable(t, method)
        return {name: g.float() for (name, _), g in zip(named, torch.autograd.grad(loss, [p for _, p in named]))}


def write(case):
    with torch.no_grad():
        logits = case.model(case.x)
    out = {"images": case.images, "labels": make.LABELS.int(), "mean": torch.tensor(case.mean), "std": torch.tensor(case.std)}
    out["logits"] = logits if torch.is_tensor(logits) else logits.logits
    for method, training in METHODS.items():
        t, net = case.network(method)
        out["head.weight"], out["head.bias"] = t.head.weight.detach().clone(), t.head.bias.detach().clone()
        with torch.no_grad():
            out[f"logits.{method}"] = net(case.x)
        out |= {f"{method}/{n}": g for n, g in case.gradients(t, net, method).items()}
        if training:
            out[f"losses.{method}"] = torch.tensor(make.train(t, method, case.x, *training)[0])
        del t, net
        out |= {f"exact.{method}/{n}": g for n, g in case.gradients(*case.network(method, torch.double), method).items()}
        gc.collect()
    make.write(case.folder / "golden.safetensors", out | {f"value/{n}": v for n, v in case.known.items()})


def channels_first(flat, shape):
    b, c, h, w = shape
    return flat.view(b, h, w, c).permute(0, 3, 1, 2)


def sides(case, method, dtype):
    t, net = case.network(method, dtype)
    course = kinks.watch(t.backbone)
    with torch.no_grad():
        net(case.x.to(dtype))
    return course.sides


def write_sided(case):
    given = safetensors.torch.load_file(case.folder / "sides.safetensors")
    golden = safetensors.torch.load_file(case.folder / "golden.safetensors")
    out = {}
    for method in METHODS:
        exact, single = sides(case, method, torch.double), sides(case, method, torch.float32)
        assert len(exact) == len([n for n in given if n.startswith(f"{method}.")]), "other activations"
        ours = [channels_first(given[f"{method}.{i}"], e.shape) for i, e in enumerate(exact)]
        # On its own sides the network with given ones is the network.
        t, net = case.network(method, torch.double)
        kinks.watch(t.backbone, exact)
        for name, g in case.gradients(t, net, method).items():
            want = golden[f"exact.{method}/{name}"]
            assert (g - want).norm() <= 1e-6 * want.norm() + 1e-12, (method, name)
        t, net = case.network(method, torch.double)
        course = kinks.watch(t.backbone, ours)
        out |= {f"{method}/{name}": g for name, g in case.gradients(t, net, method).items()}
        count = lambda one, other: sum(int((a != b).sum()) for a, b in zip(one, other))  # noqa: E731
        all_units = sum(e.numel() for e in exact)
        largest = max((d for _, d in course.moved), default=0.0)
        corner = [sum(int((e == k).sum()) for e in exact if e.max() <= 2) for k in (0, 2)]
        out[f"moved.{method}"] = torch.tensor([count(course.sides, ours), largest, count(exact, single), all_units, *corner], dtype=torch.float32)
        del t, net
        gc.collect()
    make.write(case.folder / "sided.safetensors", out)


def draw(case, weights):
    case.folder.mkdir(parents=True, exist_ok=True)
    batch = torch.cat([make.normalise(make.pictures(SIZE, 50 + i), [0.5] * 3, [0.5] * 3) for i in range(2)])
    randomise(case.model, SEED, batch, KINDS[weights])
    make.save(case.model, case.folder, SIZE, {}, None)


def main(*words):
    if words == ("--names",):
        versions = {m.__name__: m.__version__ for m in (torch, transformers, timm)}
        return print(json.dumps({"versions": versions, "cases": {n: ["plain"] for n in SMOOTH} | {n: ["clear", "plain"] for n in KINKED},
                                 "methods": METHODS, "seed": SEED}))
    sided = words[0] == "--sides"
    name, weights, folder = words[1 if sided else 0:]
    case = Case(name, Path(folder))
    if sided:
        return write_sided(case.open())
    draw(case, weights)
    write(case.open())


if __name__ == "__main__":
    main(*sys.argv[1:])
