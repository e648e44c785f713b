"""One training step in PyTorch, on the processor: milliseconds and the process's memory over its import. Prints one line of JSON.

    python bench/torch-step.py [--model vit-tiny|mobilenetv2] [--method bias|probe|full] [--batch 8] [--steps 5] [--hold all|torch|none]

One thread. `--hold all` (the default) keeps every library to 128-bit SIMD, like the engine it is compared with; `torch` keeps PyTorch's own kernels,
oneDNN and OpenBLAS to it, but not MKL, which multiplies the matrices where PyTorch is built with it (the wheels for x86); `none` lets all of them
use what the machine has. MKL_ENABLE_INSTRUCTIONS is heard on Intel's processors only; on others MKL has one mode without wider vectors, its
"compatible" one (SSE2). `productGflops`, a linear layer of ViT-Tiny by itself, shows whether the hold was heard. The step is forward, backward and AdamW on data that is already in memory; models of transformers, 224×224, 100
classes, random weights, batch norm folded, evaluation mode.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=["vit-tiny", "mobilenetv2"], default="vit-tiny")
parser.add_argument("--method", choices=["bias", "probe", "full"], default="bias")
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--steps", type=int, default=5)
parser.add_argument("--hold", choices=["all", "torch", "none"], default="all", help="what is kept to 128-bit SIMD")
arguments = parser.parse_args()

# The libraries read these once, as they load.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
if arguments.hold != "none":
    os.environ.update(ONEDNN_MAX_CPU_ISA="SSE41", OPENBLAS_CORETYPE="Nehalem", ATEN_CPU_CAPABILITY="default")
if arguments.hold == "all":
    try:
        intel = "GenuineIntel" in Path("/proc/cpuinfo").read_text()
    except OSError:
        intel = True
    os.environ.update({"MKL_ENABLE_INSTRUCTIONS": "SSE4_2"} if intel else {"MKL_CBWR": "COMPATIBLE"})

import torch  # noqa: E402
import transformers  # noqa: E402
from torch_common import learner, loss_of, memory  # noqa: E402

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
torch.manual_seed(0)

imported = memory("VmRSS")
model, chosen = learner(arguments.model, arguments.method)
decay, plain = [p for p in chosen if p.ndim >= 2], [p for p in chosen if p.ndim < 2]
optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}], lr=1e-3)
x, labels = torch.randn(arguments.batch, 3, 224, 224), torch.randint(0, 100, (arguments.batch,))

times, cpus = [], []
for step in range(arguments.steps + 1):
    began, cpu = time.perf_counter(), time.process_time()
    optimizer.zero_grad()
    loss_of(model(x), labels).backward()
    optimizer.step()
    if step > 0:
        times.append((time.perf_counter() - began) * 1e3)
        cpus.append((time.process_time() - cpu) * 1e3)
peak = memory("VmHWM")


def product_gflops(m=1576, k=192, n=768, slices=12):
    a, b, c = torch.randn(m, k), torch.randn(n, k), torch.randn(n)
    best = float("inf")
    with torch.no_grad():
        for _ in range(slices):
            began = time.process_time()
            for _ in range(3):
                torch.nn.functional.linear(a, b, c)
            best = min(best, (time.process_time() - began) / 3)
    return 2 * m * k * n / best / 1e9


print(json.dumps({
    "model": arguments.model,
    "method": arguments.method,
    "batch": arguments.batch,
    "msPerStep": round(statistics.median(times), 2),
    "msBest": round(min(times), 2),
    "msProcessor": round(min(cpus), 2),
    "peakOverImportBytes": None if peak is None else peak - imported,
    "simd": {"all": "128-bit", "torch": "128-bit but for MKL", "none": "any"}[arguments.hold],
    "blas": "MKL" if torch.backends.mkl.is_available() else "other",
    "productGflops": round(product_gflops(), 1),
    "capability": torch.backends.cpu.get_cpu_capability() if hasattr(torch.backends, "cpu") else "unknown to this version",
    "threads": 1,
    "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
}))
