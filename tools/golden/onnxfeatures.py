"""Writes test/golden/onnx/features.json: values within the files of test/golden/onnx by onnxruntime, the mean over their positions.

    python tools/golden/onnxfeatures.py
"""

import json
import sys
from pathlib import Path

# tools/golden/onnx.py has the name of a library.
HERE = Path(__file__).resolve().parent
sys.path = [p for p in sys.path if Path(p or ".").resolve() != HERE]

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

ROOT = HERE.parents[1] / "test" / "golden" / "onnx"
# A node or a value, and the axes that are positions.
CASES = {
    "resnet18-timm": [
        ("/layer3/layer3.0/act2/Relu", (2, 3)),
        ("/layer4/layer4.0/conv2/Conv_output_0", (2, 3)),
        ("/global_pool/flatten/Flatten", ()),
    ],
    "vit-hf": [("/vit/layernorm/Add_1", (1,)), ("/vit/layers.1/Add_1_output_0", (1,)), ("/Gather", ())],
    "mobilenetv2-torchvision-dynamo": [("add_132", (2, 3)), ("node_mean", (2, 3))],
    "convnext-timm": [("/head/norm/Transpose_1", (2, 3))],
    "swin-timm": [("/norm/LayerNormalization", (1, 2))],
}

found = {}
for name, cases in CASES.items():
    values = load_file(ROOT / f"{name}.safetensors")
    pixels = (values["images"].astype(np.float32) / 255 - values["mean"]) / values["std"]
    pixels = pixels.transpose(0, 3, 1, 2)
    for node, axes in cases:
        model = onnx.load(ROOT / f"{name}.onnx")
        output = next((n.output[0] for n in model.graph.node if n.name == node), node)
        del model.graph.output[:]
        model.graph.output.append(onnx.ValueInfoProto(name=output))
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        rows = [session.run([output], {session.get_inputs()[0].name: picture[None]})[0] for picture in pixels]
        means = [row.astype(np.float64).mean(axis=axes).reshape(-1) if axes else row.reshape(-1) for row in rows]
        found.setdefault(name, []).append({"node": node, "value": output, "features": [[float(f"{x:.7g}") for x in row] for row in means]})
(ROOT / "features.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")
