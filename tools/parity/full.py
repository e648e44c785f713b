"""One full-size model with random weights and what PyTorch computes with it: python full.py NAME FOLDER

FOLDER gets the model as its library saves it, and golden.safetensors with the keys of tools/golden/README.md: logits, logits.new, gradients of
bias and full (large ones thinned), ten losses of bias under AdamW and of full under SGD.
"""

import copy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
import make
import timm
import torch
import transformers
from models import randomise

make.BATCH = 2
make.LABELS = torch.tensor([3, 0])
SIZE = (224, 224)


def timm_model(name):
    model = timm.create_model(name, num_classes=make.CLASSES + 1)
    model.arguments = {}
    return model


MODELS = {
    "vit-b": lambda: transformers.ViTForImageClassification(transformers.ViTConfig(num_labels=7)),
    "deit-s": lambda: timm_model("deit_small_distilled_patch16_224"),
    "swin-t": lambda: transformers.SwinForImageClassification(transformers.SwinConfig(num_labels=7)),
    "swin-b": lambda: timm_model("swin_base_patch4_window7_224"),
    "resnet-50": lambda: transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=7)),
    "mobilenetv2": lambda: transformers.MobileNetV2ForImageClassification(transformers.MobileNetV2Config(num_labels=7)),
    "mobilenetv3-l": lambda: timm_model("mobilenetv3_large_100"),
    "convnext-t": lambda: transformers.ConvNextForImageClassification(transformers.ConvNextConfig(num_labels=7)),
}
# AdamW makes every step a whole one, however small the gradient: calm rates, so that rounding does not decide.
RATES = {"bias": ("adamw", 1e-4), "full": ("sgd", 1e-4)}


def load(model, folder):
    """timm's folder has every tensor in its place: no filter is needed."""
    if hasattr(model, "config"):
        return make.load(model, folder)
    import json

    import safetensors.torch

    again = timm.create_model(json.loads((folder / "config.json").read_text())["architecture"], num_classes=make.CLASSES + 1).eval()
    again.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"))
    return again


def rounding(out, method, t, x):
    """
    How far each gradient moves when nothing does but rounding, `rounding.<method>/<name>`: from f64, and where that shows kinks (a ReLU's units within
    rounding of 0: millions stand somewhere, and a bias sums 12,544 positions that nearly cancel) from weights moved by one part in 10^7, four times.
    What PyTorch cannot tell from itself is no difference between programs.
    """
    farthest = {}

    def compare(model, y):
        moved = {}
        make.gradients(moved, method, model, method, y, thin=True)
        for key, want in moved.items():
            norm = want.norm().double()
            distance = (out[key].double() - want.double()).norm() / norm if norm > 0 else torch.zeros(()).double()
            farthest[key] = max(farthest.get(key, 0.0), distance.item())

    compare(copy.deepcopy(t).double(), x.double())
    if max(farthest.values()) > 1e-4:
        for number in range(4):
            moved, random = copy.deepcopy(t), torch.Generator().manual_seed(number)
            with torch.no_grad():
                for p in moved.parameters():
                    p.mul_(1 + 1e-7 * (torch.randint(0, 3, p.shape, generator=random) - 1))
            compare(moved, x)
    for key, distance in farthest.items():
        out[f"rounding.{key}"] = torch.tensor([distance])


def main(name, folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = MODELS[name]()
    batch = torch.cat([make.normalise(make.pictures(SIZE, 50 + i), [0.5] * 3, [0.5] * 3) for i in range(2)])
    randomise(model, 4242, batch)
    make.save(model, folder, SIZE, {}, None)
    mean, std = make.statistics(model, folder)
    again = load(model, folder)
    images = make.pictures(SIZE, 7)
    x = make.normalise(images, mean, std)
    out = {"images": images, "labels": make.LABELS.int(), "mean": torch.tensor(mean), "std": torch.tensor(std)}
    with torch.no_grad():
        logits = again(x)
    out["logits"] = logits if torch.is_tensor(logits) else logits.logits
    for method in ("bias", "full"):
        t = make.tuned(again, SIZE, 4242, added=method == "bias")
        if method == "bias":
            out["head.weight"], out["head.bias"] = t.head.weight.detach().clone(), t.head.bias.detach().clone()
            with torch.no_grad():
                out["logits.new"] = t(x)
        make.gradients(out, method, t, method, x, thin=True)
        rounding(out, method, t, x)
        kind, rate = RATES[method]
        out[f"losses.{method}"] = torch.tensor(make.train(t, method, x, kind, rate)[0])
        del t
    make.write(folder / "golden.safetensors", out)


if sys.argv[1] == "--names":
    print(" ".join(MODELS))
else:
    main(*sys.argv[1:])
