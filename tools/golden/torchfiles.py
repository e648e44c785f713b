"""Writes test/golden/torch/**: files of torch.save, and as safetensors what is in them. pip install torch safetensors."""

import argparse
import os
import warnings
from collections import OrderedDict

import torch
from safetensors.torch import save_file

warnings.filterwarnings("ignore")
torch.manual_seed(0)
OUT = "test/golden/torch"
os.makedirs(OUT, exist_ok=True)


def net():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))


def old(value, name):
    torch.save(value, f"{OUT}/{name}", _use_new_zipfile_serialization=False)


def new(value, name):
    torch.save(value, f"{OUT}/{name}")


class ToGrey(torch.nn.Module):
    def forward(self, x):
        return x.mean(1, keepdim=True)


tied = torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4
sample = OrderedDict(
    {
        "conv.weight": torch.randn(4, 3, 3, 2).to(memory_format=torch.channels_last),
        "half": torch.tensor([0.5, -2.0], dtype=torch.float16),
        "brain": torch.tensor([[1.5], [-3.0]], dtype=torch.bfloat16),
        "double": torch.tensor([1e-3], dtype=torch.float64),
        "counter": torch.tensor(7),
        "int": torch.tensor([-1, 2], dtype=torch.int32),
        "mask": torch.tensor([True, False, True]),
        "bytes": torch.arange(5, dtype=torch.uint8),
        "empty": torch.zeros(0, 5),
        "größe": torch.tensor(0.5),
        "a": tied,
        "b": tied,
        "part": torch.arange(10.0)[3:7],
        "row": torch.arange(10.0)[None, 2:5],
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
)
plain = {name: t.detach().clone().contiguous() for name, t in sample.items()}
save_file(plain, f"{OUT}/sample.safetensors", {"format": "pt"})
new(sample, "sample.pth")
old(sample, "sample-old.pth")

model = net()
optimizer = torch.optim.AdamW(model.parameters())
model(torch.randn(1, 3, 6, 6)).sum().backward()
optimizer.step()
save_file({k: v.clone() for k, v in model.state_dict().items()}, f"{OUT}/net.safetensors", {"format": "pt"})
wrapped = torch.nn.DataParallel(model).state_dict()
checkpoint = {
    **{"epoch": 3, "arch": "net", "best_acc1": torch.tensor(71.5), "loss": 0.25, "size": torch.Size([1, 2]), "dtype": torch.float32},
    **{"seed": 2**40, "off": -3, "none": None, "list": [1, True], "optimizer": optimizer.state_dict()},
}
new({**checkpoint, "state_dict": wrapped}, "checkpoint.pth")
old({**checkpoint, "model": wrapped}, "checkpoint-old.pth")
new({"model": model.state_dict(), "model_ema": model.state_dict()}, "two.pth")
new({"model": model.state_dict(), "args": argparse.Namespace(lr=0.1)}, "args.pth")
new(model, "module.pth")
torch.jit.script(ToGrey()).save(f"{OUT}/script.pt")
new({"weight": torch.randn(3, 4).t()}, "turned.pth")
new([torch.ones(2)], "list.pth")
torch.save(model.state_dict(), f"{OUT}/protocol4.pth", pickle_protocol=4)
