"""The memory of a training step in PyTorch, on the processor: the process's peak over its import, and its weights. Prints one line of JSON.

    python bench/torch-memory.py [--model vit-small|vit-base|swin-tiny|resnet-50|mobilenetv2] [--method bias|full] [--batch 8] [--steps 3]

Forward, backward and AdamW in f32, 224×224, 100 classes; models of transformers with random weights, batch norm folded, evaluation mode. `bias`
learns what S2A's method of that name does: every bias (a layer without one gets a zero one) and the head.
"""

import argparse
import json

import torch
import transformers
from torch_common import MODELS, learner, loss_of, memory

parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=MODELS, default="vit-small")
parser.add_argument("--method", choices=["bias", "full"], default="bias")
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--steps", type=int, default=3)
arguments = parser.parse_args()

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
torch.manual_seed(0)

imported = memory("VmRSS")
model, chosen = learner(arguments.model, arguments.method)
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
