"""The memory of a training step in PyTorch, on the processor: the process's peak over its import, and its weights. Prints one line of JSON.

    python bench/torch-memory.py [--model vit-small|vit-base|swin-tiny|resnet-50|mobilenetv2] [--method bias|full] [--batch 8] [--steps 3]

Forward, backward and AdamW in f32, 224×224, 100 classes; models of transformers with random weights, batch norm folded, evaluation mode. `bias`
learns what S2A's method of that name does: every bias (a layer without one gets a zero one) and the head.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
import transformers

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools" / "golden"))
from models import Tuned, fold, key_biases, loss_of, trainable, zero_biases  # noqa: E402


def vit(width, heads):
    config = transformers.ViTConfig(hidden_size=width, num_attention_heads=heads, intermediate_size=4 * width)
    return transformers.ViTForImageClassification(config)


MODELS = {
    "vit-small": lambda: vit(384, 6),
    "vit-base": lambda: vit(768, 12),
    "swin-tiny": lambda: transformers.SwinForImageClassification(transformers.SwinConfig()),
    "resnet-50": lambda: fold(transformers.ResNetForImageClassification(transformers.ResNetConfig()).eval()),
    "mobilenetv2": lambda: fold(transformers.MobileNetV2ForImageClassification(transformers.MobileNetV2Config()).eval()),
}

parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=MODELS, default="vit-small")
parser.add_argument("--method", choices=["bias", "full"], default="bias")
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--steps", type=int, default=3)
arguments = parser.parse_args()

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
torch.manual_seed(0)


def memory(key):
    """A line of /proc/self/status in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


# Models are classes of lazily loaded modules: loading them belongs to the import.
for name in ("ViT", "Swin", "ResNet", "MobileNetV2"):
    getattr(transformers, f"{name}ForImageClassification")
imported = memory("VmRSS")

model = Tuned(zero_biases(MODELS[arguments.model]().eval()), 100, (224, 224)).eval()
for p in model.parameters():
    p.requires_grad_(False)
keys, _ = key_biases(model.backbone)
chosen = [p for name, p in trainable(model, arguments.method) if name not in keys]
for p in chosen:
    p.requires_grad_(True)
optimizer = torch.optim.AdamW(chosen, lr=1e-3)
x, labels = torch.randn(arguments.batch, 3, 224, 224), torch.randint(0, 100, (arguments.batch,))
for _ in range(arguments.steps):
    optimizer.zero_grad()
    loss_of(model(x), labels).backward()
    optimizer.step()

print(json.dumps({
    "peakOverImportBytes": memory("VmHWM") - imported,
    "weightBytes": sum(p.numel() * p.element_size() for p in model.parameters()),
    "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
}))
