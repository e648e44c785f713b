"""timm networks as ONNX files: python hundred.py NAME OUT. Random weights, as it is built; opset 17."""

import sys
import warnings

import timm
import torch

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
name, out = sys.argv[1:]
model = timm.create_model(name, pretrained=False, exportable=True).eval()
size = model.pretrained_cfg["input_size"]
torch.onnx.export(model, (torch.randn(1, *size),), out, dynamo=False, opset_version=17, input_names=["pixel_values"], output_names=["logits"])
