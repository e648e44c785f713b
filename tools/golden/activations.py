"""Writes test/golden/activations.json: f(x) and f'(x) of every activation by PyTorch in f64, for test/ops/activations.test.ts."""
import json
import torch
import torch.nn.functional as F

FUNCTIONS = {
    "Relu": F.relu,
    "Relu6": F.relu6,
    "LeakyRelu": F.leaky_relu,
    "HardSigmoid": F.hardsigmoid,
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
    "HardSwish": F.hardswish,
    "Silu": F.silu,
    "Gelu": F.gelu,
    "GeluTanh": lambda x: F.gelu(x, approximate="tanh"),
    # transformers' QuickGELUActivation
    "QuickGelu": lambda x: x * torch.sigmoid(1.702 * x),
    "HardTanh": F.hardtanh,
    "Elu": F.elu,
    "Selu": F.selu,
    "Mish": F.mish,
    "Softplus": F.softplus,
}
X = [0.0, 1e-3, 0.1, 0.5, 1.0, 1.5, 2.0, 2.9375, 3.0, 4.0, 5.5, 6.0, 7.25, 9.0, 14.0, 25.0, 60.0]
X = sorted({s * x for x in X for s in (-1.0, 1.0)})

def row(values):
    return "[" + ",".join(f"{v:.10g}" for v in values) + "]"


lines = []
for name, f in FUNCTIONS.items():
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    y = f(x)
    y.sum().backward()
    lines.append(f'"{name}":{{"f":{row(y.tolist())},"df":{row(x.grad.tolist())}}}')
with open("test/golden/activations.json", "w") as file:
    body = ",\n".join(lines)
    file.write(f'{{"torch":{json.dumps(torch.__version__)},"x":{row(X)},"functions":{{\n{body}\n}}}}\n')
