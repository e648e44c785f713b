"""Writes test/golden/onnx: small networks as their exporters write them, what onnxruntime and PyTorch compute with them. Keys: README.md.

    python tools/golden/onnx.py [case …]
"""

import copy
import json
import sys
import warnings
from pathlib import Path

# This file has the name of a library: the folder must not come before it.
HERE = Path(__file__).resolve().parent
sys.path = [p for p in sys.path if Path(p or ".").resolve() != HERE] + [str(HERE)]

import numpy as np
import onnx
import onnxruntime
import safetensors.torch
import timm
import torch
import torchvision
import transformers
from cases import TIMM, TIMM_SWIN, convnext, resnet, swin, timm_model, vit
from models import Tuned, fold, key_biases, loss_of, randomise, zero_biases
from onnx import TensorProto, numpy_helper
from timm.models._efficientnet_builder import decode_arch_def
from torch import nn

from make import CLASSES, LABELS, head_values, normalise, pictures

ROOT = HERE.parents[1] / "test" / "golden" / "onnx"
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
warnings.filterwarnings("ignore")
torch.set_num_threads(1)


class MobileNet(torchvision.models.MobileNetV2):
    def reset_classifier(self, _):
        self.classifier = nn.Identity()


class DenseNet(torchvision.models.DenseNet):
    def reset_classifier(self, _):
        self.classifier = nn.Identity()


def torchvision_mobilenet():
    model = MobileNet(num_classes=7, width_mult=0.25, inverted_residual_setting=[[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 2, 2]])
    model.features[-1] = torchvision.models.mobilenetv2.Conv2dNormActivation(8, 24, kernel_size=1, norm_layer=nn.BatchNorm2d, activation_layer=nn.ReLU6)
    model.classifier[1] = nn.Linear(24, 7)
    return model


def efficientnet(blocks, **options):
    """timm's class with blocks of our own: squeeze-excite and SiLU in the sizes of a test."""
    return timm.models.efficientnet.EfficientNet(block_args=decode_arch_def(blocks), num_classes=6, stem_size=8, num_features=24, **options)


SILU = dict(act_layer=nn.SiLU)
VIT = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, image_size=32, patch_size=8)
THIN = dict(TIMM, embed_dim=24)
SWIN = dict(TIMM_SWIN, depths=(2, 1), num_heads=(1, 2))

# name: (model, size, options of the export)
CASES = {
    "mobilenetv2-torchvision": (torchvision_mobilenet, (40, 40), dict(opset=13, batch="any")),
    "mobilenetv2-torchvision-dynamo": (torchvision_mobilenet, (40, 40), dict(opset=18, dynamo=True, batch="any")),
    "resnet18-timm": (lambda: timm_model("resnet18", layers=(1, 1, 1, 1), channels=(8, 8, 12, 16)), (40, 48), dict(opset=11)),
    "resnet-hf-dynamo": (lambda: resnet(layer_type="basic", hidden_sizes=[8, 12, 16], depths=[2, 1, 1]), (40, 40), dict(opset=20, dynamo=True)),
    "efficientnet-timm": (lambda: efficientnet([["ds_r1_k3_s1_e1_c8_se0.25"], ["ir_r2_k5_s2_e4_c12_se0.25"], ["ir_r1_k3_s2_e4_c16_se0.25"]], **SILU),
                          (40, 40), dict(opset=17)),
    "efficientnet-timm-dynamo": (lambda: efficientnet([["ds_r1_k3_s1_e1_c8_se0.25_nre"], ["ir_r2_k5_s2_e4_c12_se0.25"]], act_layer=nn.Hardswish),
                                 (40, 40), dict(opset=18, dynamo=True, batch="any")),
    "vit-timm": (lambda: timm_model("vit_tiny_patch16_224", **THIN), (32, 32), dict(opset=17, batch="any")),
    "vit-timm-dynamo": (lambda: timm_model("vit_tiny_patch16_224", **THIN), (32, 32), dict(opset=18, dynamo=True, batch="any")),
    "vit-timm-scaled": (lambda: timm_model("vit_tiny_patch16_224", **THIN, init_values=0.1, global_pool="avg"), (32, 32), dict(opset=14)),
    "vit-hf": (lambda: vit(**VIT, attn_implementation="eager"), (32, 32), dict(opset=11)),
    "vit-hf-f16": (lambda: vit(**dict(VIT, hidden_act="gelu_new")), (32, 32), dict(opset=17, half=True)),
    "vit-hf-external": (lambda: vit(**dict(VIT, hidden_act="quick_gelu", qkv_bias=False)), (32, 32), dict(opset=17, external=True)),
    "swin-timm": (lambda: timm_model("swin_tiny_patch4_window7_224", img_size=32, patch_size=2, **SWIN), (32, 32), dict(opset=17, simplified=True)),
    "swin-hf": (lambda: swin(embed_dim=8, depths=[2, 1], num_heads=[1, 2], window_size=4, image_size=32, patch_size=2), (32, 32),
                dict(opset=17, simplified=True)),
    "convnext-timm": (lambda: timm_model("convnext_tiny", depths=(1, 1, 1, 1), dims=(8, 12, 16, 16)), (40, 40), dict(opset=12)),
    "convnextv2-timm": (lambda: timm_model("convnextv2_atto", depths=(1, 1, 1, 1), dims=(8, 12, 16, 16)), (40, 40), dict(opset=17, batch="any")),
    "regnet-hf": (lambda: transformers.RegNetForImageClassification(transformers.RegNetConfig(
        num_labels=6, embedding_size=8, hidden_sizes=[8, 16], depths=[1, 2], groups_width=4)), (40, 40), dict(opset=17)),
    "densenet-torchvision": (lambda: DenseNet(growth_rate=4, block_config=(3, 2), num_init_features=8, bn_size=2, num_classes=7), (40, 40), dict(opset=17)),
    "pvt-timm": (lambda: timm.models.pvt_v2.PyramidVisionTransformerV2(
        num_classes=6, depths=(1, 1), embed_dims=(8, 16), num_heads=(1, 2), sr_ratios=(2, 1), mlp_ratios=(2, 2)), (32, 32), dict(opset=17)),
    "swinv2-timm": (lambda: timm.models.swin_transformer_v2.SwinTransformerV2(
        img_size=32, patch_size=2, num_classes=6, embed_dim=8, depths=(2, 1), num_heads=(1, 2), window_size=4, mlp_ratio=2.0), (32, 32),
                    dict(opset=17, simplified=True)),
    "convnext-hf-dynamo": (lambda: convnext(hidden_sizes=[8, 12, 16], depths=[1, 2, 1], num_stages=3), (36, 44), dict(opset=18, dynamo=True)),
}


@torch.no_grad()
def fold_neighbours(model):
    """Batch norms that stand right behind their convolution in a list, as torchvision has them."""
    for module in [m for m in model.modules() if isinstance(m, nn.Sequential)]:
        children = list(module.named_children())
        for (_, a), (name, b) in zip(children, children[1:]):
            if isinstance(a, nn.Conv2d) and type(b) is nn.BatchNorm2d:
                scale = b.weight.double() / (b.running_var.double() + b.eps).sqrt()
                a.weight.copy_(a.weight.double() * scale.view(-1, 1, 1, 1))
                shift = b.bias.double() - b.running_mean.double() * scale
                a.bias = nn.Parameter((shift + (0 if a.bias is None else a.bias.double() * scale)).float())
                setattr(module, name, nn.Identity())
    for layer in model.modules():
        if isinstance(layer, torchvision.models.densenet._DenseLayer):
            pair = nn.Sequential(layer.conv1, layer.norm2)
            fold_neighbours(pair)
            layer.norm2 = nn.Identity()
    return model


def export(model, path, size, opset, dynamo=False, batch=1, half=False, external=False, simplified=False):
    if hasattr(model, "config"):
        kind = type(model)
        model.__class__ = type(kind.__name__, (kind,), {"forward": lambda self, x: kind.forward(self, x).logits})
    x = torch.randn(2 if batch == "any" else 1, 3, *size)
    names = dict(input_names=["pixel_values"], output_names=["logits"], opset_version=opset)
    if dynamo:
        shapes = ({0: "batch"},) if batch == "any" else None
        torch.onnx.export(model, (x,), str(path), dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False, **names)
    else:
        axes = {"pixel_values": {0: "batch"}} if batch == "any" else None
        torch.onnx.export(model, (x,), str(path), dynamo=False, dynamic_axes=axes, **names)
    if simplified:
        simplify(path)
    file = onnx.load(path)
    for node in file.graph.node:
        node.doc_string = ""
        scopes = [p for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"]
        del node.metadata_props[:]
        node.metadata_props.extend(scopes)
    del file.graph.value_info[:]
    if half:
        halve(file)
    if external:
        Path(f"{path}.data").unlink(missing_ok=True)
        onnx.save(file, path, save_as_external_data=True, location=f"{path.name}.data", size_threshold=512)
    else:
        onnx.save(file, path)


def simplify(path):
    """What simplifiers write: shapes' arithmetic computed, by onnxruntime's own first level."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(onnx.load(path).SerializeToString(), options)


def halve(file):
    """Every float of the file in 16 bits, as converters write it."""

    def convert(tensor):
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))

    for tensor in file.graph.initializer:
        convert(tensor)
    for node in file.graph.node:
        for a in node.attribute:
            if a.type == onnx.AttributeProto.TENSOR:
                convert(a.t)
            if node.op_type == "Cast" and a.name == "to" and a.i == TensorProto.FLOAT:
                a.i = TensorProto.FLOAT16
    for value in [*file.graph.input, *file.graph.output]:
        value.type.tensor_type.elem_type = TensorProto.FLOAT16


def reference(path, x):
    """onnxruntime's logits, one picture at a time."""
    session = onnxruntime.InferenceSession(str(path))
    (given,) = session.get_inputs()
    kind = np.float16 if "16" in given.type else np.float32
    return torch.from_numpy(np.concatenate([session.run(None, {given.name: one[None].numpy().astype(kind)})[0] for one in x]).astype(np.float32))


def write(name):
    build, size, options = CASES[name]
    seed = 7000 + list(CASES).index(name)
    torch.manual_seed(seed)
    images = pictures(size, seed)
    x = normalise(images, MEAN, STD)
    model = build()
    randomise(model, seed, x)
    if options.get("half"):
        model.half().float()
    model.eval()
    path = ROOT / f"{name}.onnx"
    export(copy.deepcopy(model), path, size, **options)
    out = {"images": images, "labels": LABELS.to(torch.int32), "mean": torch.tensor(MEAN), "std": torch.tensor(STD)}
    logits = model(x).logits if hasattr(model, "config") else model(x)
    out["logits"] = logits.detach()
    apart = (reference(path, x) - out["logits"]).abs().max().item()
    assert apart < (0.05 if options.get("half") else 2e-5), f"{name}: onnxruntime and PyTorch are {apart} apart"
    folded = fold_neighbours(copy.deepcopy(model))
    # DenseNet's norms stand before their convolutions and stay.
    tuned = Tuned(zero_biases(folded if "densenet" in name else fold(folded)), CLASSES, size).eval()
    weight, bias = head_values(seed, tuned.head.in_features)
    with torch.no_grad():
        tuned.head.weight.copy_(weight)
        tuned.head.bias.copy_(bias)
    keys = [(n.removeprefix("backbone."), k.requires_grad_()) for n, k in tuned.named_buffers() if n.endswith("k_bias")]
    again = tuned(x)
    out.update({"head.weight": weight, "head.bias": bias, "logits.new": again.detach()})
    named = [(n.removeprefix("backbone."), p) for n, p in tuned.named_parameters()
             if n == "head.weight" or (n.endswith((".bias", ".q_bias", ".v_bias")) and "cpb_mlp" not in n)] + keys
    grads = torch.autograd.grad(loss_of(again, LABELS), [p for _, p in named], allow_unused=True)
    out.update({f"bias/{n}": g for (n, _), g in zip(named, grads) if g is not None})
    # Swin V2 puts the bias of its fused projection together from three, of which the keys' are zeros that never learn there.
    for key in [k for k in out if k.endswith(".q_bias")]:
        out[key.replace("q_bias", "bias")] = torch.cat([out.pop(key.replace("q_bias", f"{part}_bias")) for part in "qkv"])
    file = ROOT / f"{name}.safetensors"
    safetensors.torch.save_file({k: v.contiguous().clone() for k, v in out.items()}, file)
    for written in ROOT.glob(f"{name}.*"):
        written.chmod(0o644)
    print(name, f"{path.stat().st_size} bytes, {apart:.1e} from onnxruntime", flush=True)
    return {"size": list(size), **{k: v for k, v in options.items() if k not in ("external", "simplified")}}


def main():
    ROOT.mkdir(exist_ok=True)
    index = ROOT / "index.json"
    known = json.loads(index.read_text())["cases"] if index.exists() else {}
    for name in sys.argv[1:] or CASES:
        known[name] = write(name)
        write_index(index, known)


def write_index(index, known):
    versions = {m.__name__: m.__version__ for m in (torch, torchvision, timm, transformers, onnx, onnxruntime)}
    lines = ",\n".join(f"{json.dumps(n)}: {json.dumps(known[n])}" for n in CASES if n in known)
    index.write_text(f'{{"versions": {json.dumps(versions)}, "cases": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main()
