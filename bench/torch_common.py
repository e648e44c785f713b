"""What the PyTorch sides of the benches share: networks by name at full size, and the process's memory."""

import sys
from pathlib import Path

import transformers

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools" / "golden"))
from models import Tuned, fold, key_biases, loss_of, trainable, zero_biases  # noqa: E402, F401


def vit(width, heads):
    config = transformers.ViTConfig(hidden_size=width, num_attention_heads=heads, intermediate_size=4 * width)
    return transformers.ViTForImageClassification(config)


MODELS = {
    "vit-tiny": lambda: vit(192, 3),
    "vit-small": lambda: vit(384, 6),
    "vit-base": lambda: vit(768, 12),
    "swin-tiny": lambda: transformers.SwinForImageClassification(transformers.SwinConfig(drop_path_rate=0.0)),
    "resnet-50": lambda: fold(transformers.ResNetForImageClassification(transformers.ResNetConfig()).eval()),
    "mobilenetv2": lambda: fold(transformers.MobileNetV2ForImageClassification(transformers.MobileNetV2Config()).eval()),
}

# Models are classes of lazily loaded modules: loading them belongs to the import.
for name in ("ViT", "Swin", "ResNet", "MobileNetV2"):
    getattr(transformers, f"{name}ForImageClassification")


def memory(key):
    """A line of /proc/self/status in bytes; null elsewhere than on Linux."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(key)), None)


def learner(name, method):
    """A network with every bias there is, its batch norm folded, and a new head of 100 classes, at 224×224; and its parameters that the method
    lets learn. Key biases, whose gradient is zero, stay frozen."""
    model = Tuned(zero_biases(MODELS[name]().eval()), 100, (224, 224)).eval()
    for p in model.parameters():
        p.requires_grad_(False)
    keys, _ = key_biases(model.backbone)
    chosen = [p for name, p in trainable(model, method) if name not in keys]
    for p in chosen:
        p.requires_grad_(True)
    return model, chosen
