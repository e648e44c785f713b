"""A training step of PyTorch in passes, on the processor: milliseconds, and the process's peak over its import. Prints one line of JSON.

    python bench/torch-budget.py [--model vit-tiny|…] [--method bias|full] [--batch 8] [--micro-batch 1] [--checkpoint] [--steps 2]

Forward, backward and AdamW in f32, 224×224, 100 classes, one thread; models of transformers with random weights, batch norm folded, nothing
dropped. The gradient of the batch is accumulated over passes of --micro-batch. --checkpoint computes every block again in backward.
"""

import argparse
import functools
import json
import os
import time

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import torch  # noqa: E402
import transformers  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402
from torch_common import MODELS, learner, loss_of, memory  # noqa: E402

BLOCKS = ("ViTLayer", "SwinLayer", "ResNetBottleNeckLayer", "MobileNetV2InvertedResidual")

parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=MODELS, default="vit-tiny")
parser.add_argument("--method", choices=["bias", "full"], default="bias")
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--micro-batch", type=int, default=1)
parser.add_argument("--steps", type=int, default=2)
parser.add_argument("--checkpoint", action="store_true")
arguments = parser.parse_args()

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
torch.manual_seed(0)

imported = memory("VmRSS")
model, chosen = learner(arguments.model, arguments.method)
if arguments.checkpoint:
    blocks = [m for m in model.modules() if type(m).__name__ in BLOCKS]
    assert blocks, "no blocks found to compute again"
    for m in blocks:
        m.forward = functools.partial(checkpoint, m.forward, use_reentrant=False)
optimizer = torch.optim.AdamW(chosen, lr=1e-3)
x, labels = torch.randn(arguments.batch, 3, 224, 224), torch.randint(0, 100, (arguments.batch,))

passes = arguments.batch // arguments.micro_batch
times = []
for step in range(arguments.steps + 1):
    began = time.process_time()
    optimizer.zero_grad()
    for i in range(passes):
        part = slice(i * arguments.micro_batch, (i + 1) * arguments.micro_batch)
        (loss_of(model(x[part]), labels[part]) / passes).backward()
    optimizer.step()
    if step > 0:
        times.append((time.process_time() - began) * 1e3)
peak = memory("VmHWM")

print(json.dumps({
    "ms": round(min(times), 2),
    "peakOverImportBytes": None if peak is None else peak - imported,
    "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
}))
