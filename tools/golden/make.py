"""Writes test/golden: model folders as their libraries save them, and what PyTorch computes with them. See README.md for the keys.

    python tools/golden/make.py [case …]
"""

import contextlib
import copy
import json
import math
import re
import shutil
import sys
import tempfile
import zlib
from pathlib import Path

import families
import numpy as np
import safetensors.torch
import timm
import torch
import transformers
from cases import CASES, CHANNELS, FAMILIES, processor_of
from models import FUSED, NAMES, Tuned, Uniform, checkpoint_name, fold, key_biases, loss_of, randomise, trainable, zero_biases
from timm.models import save_for_hf

ROOT = Path(__file__).resolve().parents[2] / "test" / "golden"
CLASSES, BATCH, STEPS, WHOLE, FEW = 5, 4, 10, 2048, 64
RATES = {"adamw": 1e-3, "sgd": 0.02}
CALM = 2e-5
LABELS = torch.tensor([3, 0, 4, 1])
TRAININGS = [("probe", "adamw"), ("bias", "adamw"), ("full", "adamw"), ("bias", "sgd")]
torch.manual_seed(1)
torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

def save(model, folder, size, options, recipe):
    """The folder a user would have; with `recipe`, large tensors are left out and given by the recipe instead."""
    if hasattr(model, "config"):
        model.to(options.get("dtype", torch.float32)).save_pretrained(folder)
        processor_of(model, size, options.get("processor", {})).save_pretrained(folder)
    elif hasattr(model, "torchvision"):
        safetensors.torch.save_file(model.state_dict(), folder / "model.safetensors")
        config = {"library": "torchvision", "architecture": model.torchvision, "num_classes": 6, "arguments": model.arguments}
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    else:
        save_for_hf(model, folder, model_args=model.arguments, safe_serialization=True)
    if options.get("few"):
        recipe = {file: recipe[name] for name, file in NAMES.remember(model, safetensors.torch.load_file(folder / "model.safetensors")) if name in recipe}
    if options.get("recipe"):
        path = folder / "model.safetensors"
        tensors = safetensors.torch.load_file(path)
        made = {n: part(recipe[n], t) for n, t in tensors.items() if t.ndim > 1 and n in recipe}
        path.unlink()
        safetensors.torch.save_file({n: t for n, t in tensors.items() if n not in made}, folder / "small.safetensors", {"format": "pt"})
        lines = ",\n".join(f'"{n}": {json.dumps(p)}' for n, p in made.items())
        (folder / "recipe.json").write_text(f'{{"seed": {options["seed"]}, "tensors": {{\n{lines}\n}}}}\n')


def part(drawn, tensor):
    """How a tensor was drawn, and its ends as a check on who draws it again."""
    number, low, high = drawn
    flat = tensor.flatten()
    return {"number": number, "low": float(low), "high": float(high), "shape": list(tensor.shape), "first": flat[0].item(), "last": flat[-1].item()}


def load(model, folder, size=None):
    """The model again from its folder, f32, evaluation mode; timm's for another image size resamples the positions as it loads."""
    if hasattr(model, "config"):
        with whole(folder) as saved:
            return type(model).from_pretrained(saved, dtype=torch.float32, attn_implementation="eager").eval()
    if hasattr(model, "torchvision"):
        again = copy.deepcopy(model)
        again.load_state_dict(assemble(folder))
        return again.eval()
    arguments = dict(model.arguments, **({"img_size": size} if size else {}))
    name = json.loads((folder / "config.json").read_text())["architecture"]
    again = (model.build() if hasattr(model, "build") else timm.create_model(name, num_classes=6, **arguments)).eval()
    if (folder / "recipe.json").exists():
        tensors = assemble(folder)
        again.load_state_dict(timm.models.vision_transformer.checkpoint_filter_fn(tensors, again) if size else tensors)
    elif not name.startswith(("vit_", "deit")):
        again.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"))
    else:
        timm.models.load_checkpoint(again, str(folder / "model.safetensors"), filter_fn=timm.models.vision_transformer.checkpoint_filter_fn)
    return again


@contextlib.contextmanager
def whole(folder):
    """The folder with its weights in one file; where they are a recipe, another."""
    if not (folder / "recipe.json").exists():
        yield folder
        return
    with tempfile.TemporaryDirectory() as made:
        shutil.copy(folder / "config.json", made)
        safetensors.torch.save_file(assemble(folder), Path(made) / "model.safetensors", {"format": "pt"})
        yield made


def assemble(folder):
    recipe = json.loads((folder / "recipe.json").read_text())
    uniform, tensors = Uniform(recipe["seed"]), safetensors.torch.load_file(folder / "small.safetensors")
    for name, p in recipe["tensors"].items():
        tensors[name] = torch.from_numpy(uniform.draw(p["number"], math.prod(p["shape"]), p["low"], p["high"])).view(p["shape"])
    return tensors


def statistics(model, folder):
    if hasattr(model, "torchvision"):
        return [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    if hasattr(model, "config"):
        c = json.loads((folder / "preprocessor_config.json").read_text())
        return c["image_mean"], c["image_std"]
    c = json.loads((folder / "config.json").read_text())["pretrained_cfg"]
    return c["mean"], c["std"]


def channels_of(model):
    """How many channels the first convolution reads."""
    return next(m for m in model.modules() if isinstance(m, torch.nn.Conv2d)).in_channels


def pictures(size, seed, channels=3):
    """uint8 [4, H, W, C]: a coarse pattern under noise."""
    r = np.random.default_rng(seed)
    coarse = r.integers(0, 256, (BATCH, 4, 4, channels)).repeat(-(-size[0] // 4), 1).repeat(-(-size[1] // 4), 2)[:, :size[0], :size[1]]
    return torch.from_numpy(np.clip(coarse * 0.75 + r.integers(0, 64, coarse.shape), 0, 255).astype(np.uint8))


def normalise(images, mean, std):
    x = images.float() / 255
    return ((x - torch.tensor(mean)) / torch.tensor(std)).permute(0, 3, 1, 2).contiguous()


def head_values(seed, width):
    uniform = Uniform(seed + 77)
    weight = torch.from_numpy(uniform.draw(0, CLASSES * width, -1, 1)).view(CLASSES, width) * (1.5 / width**0.5)
    return weight, torch.from_numpy(uniform.draw(1, CLASSES, -0.5, 0.5))


def tuned(model, size, seed, interpolate=False, added=True):
    """The model as it is tuned: batch norm folded, missing biases added for method bias, a random new head."""
    folded = fold(copy.deepcopy(model), size)
    t = Tuned(zero_biases(folded) if added else folded, CLASSES, size, interpolate).eval()
    weight, bias = head_values(seed, t.head.in_features)
    with torch.no_grad():
        t.head.weight.copy_(weight)
        t.head.bias.copy_(bias)
    # What a picture does not go through (the token of masked patches) is no part of the network.
    named = [p for p in t.parameters() if p.requires_grad]
    for p, g in zip(named, torch.autograd.grad(t(torch.ones(1, 3, *size)).sum(), named, allow_unused=True)):
        p.requires_grad_(g is not None)
    # What is computed from weights alone, once, stays: Swin V2's biases by distance and factors of heads.
    for name, p in t.named_parameters():
        if re.search(r"(cpb_mlp|continuous_position_bias_mlp)\.|logit_scale$", name):
            p.requires_grad_(False)
    return t


def gradients(out, prefix, t, method, x, smoothing=0.0, thin=None):
    """Under `prefix`; of gradients of more than `thin` elements a part."""
    named = trainable(t, method)
    grads = torch.autograd.grad(loss_of(t(x), LABELS, smoothing), [p for _, p in named])
    for (name, _), g in zip(named, grads):
        out[f"{prefix}/{name}"] = thinned(g, thin) if thin and g.numel() > thin else g


def thinned(g, most):
    """Every k-th element of a large gradient, k the smallest odd number that leaves at most `most`; flat, which tells it from a whole one."""
    k = -(-g.numel() // most)
    return g.flatten()[:: k + (k % 2 == 0)].contiguous()


def learned(t, method):
    """What the optimizer moves: key biases stay, their gradient is rounding noise that AdamW would follow."""
    keys, _ = key_biases(t.backbone)
    return [(n, p) for n, p in trainable(t, method) if n not in keys]


def still_keys(named):
    """timm's key biases are the middle third of a fused bias: their gradient is set to zero."""
    for name, p in named:
        if FUSED.search(name):
            p.grad[p.numel() // 3 : 2 * p.numel() // 3] = 0


def train(t, method, x, kind, base):
    """Ten losses, each before its update; `base` is the rate, after warm-up under SGD."""
    t = copy.deepcopy(t)
    named = learned(t, method)
    groups = [{"params": [p for _, p in named if p.ndim >= 2], "weight_decay": 0.01}, {"params": [p for _, p in named if p.ndim < 2], "weight_decay": 0.0}]
    if kind == "adamw":
        optimizer = torch.optim.AdamW(groups, lr=base, betas=(0.9, 0.999), eps=1e-8)
    else:
        for g in groups:
            g["weight_decay"] = 0.0
        optimizer = torch.optim.SGD(groups, lr=base, momentum=0.9)
    losses, norms, rates = [], [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(t(x), LABELS)
        loss.backward()
        still_keys(named)
        if kind == "sgd":
            rate = base * ((step + 1) / 3 if step < 3 else 0.5 * (1 + math.cos(math.pi * (step - 3) / (STEPS - 3))))
            for g in optimizer.param_groups:
                g["lr"] = rate
            rates.append(rate)
            norms.append(torch.nn.utils.clip_grad_norm_([p for _, p in named], 1.0).item())
        optimizer.step()
        losses.append(loss.item())
    return losses, norms, rates, t.head.weight.detach()


def scatter(t, method, x, kind, base, nudges=16):
    """
    How far ten losses move when the start does by one part in 10^7 (sixteen times) or the arithmetic to f64: the largest relative distance,
    or the first above CALM. A ReLU6 unit that stands within rounding of 0 or 6 gives another gradient on either side, and an update makes
    that visible from then on.
    """
    losses, largest = torch.tensor(train(t, method, x, kind, base)[0]), torch.zeros(())
    for number in [*range(nudges), 16]:
        moved, y, random = copy.deepcopy(t), x, torch.Generator().manual_seed(number)
        if number == 16:
            moved, y = moved.double(), x.double()
        else:
            with torch.no_grad():
                for p in moved.parameters():
                    p.mul_(1 + 1e-7 * (torch.randint(0, 3, p.shape, generator=random) - 1))
        other = torch.tensor(train(moved, method, y, kind, base)[0])
        largest = torch.maximum(largest, (other - losses).norm() / losses.norm())
        if largest > CALM:
            break
    return largest


def calm_pictures(t, plain, size, seed, mean, std, rates, nudges):
    """The first pictures on which every kind of training is decided by the numbers, not by how they round."""
    for attempt in range(200):
        images = pictures(size, seed + 7919 * attempt, len(mean))
        x = normalise(images, mean, std)
        scatters = {}
        for method, kind in reversed(TRAININGS):
            scatters[method, kind] = scatter(t if method == "bias" else plain, method, x, kind, rates[kind], nudges)
            if scatters[method, kind] > CALM:
                break
        else:
            return images, x, scatters
    raise AssertionError("no calm pictures")


def golden(model, folder, size, seed, rates, few=False):
    mean, std = statistics(model, folder)
    again = load(model, folder)
    t, plain = tuned(again, size, seed), tuned(again, size, seed, added=False)
    images, x, scatters = calm_pictures(t, plain, size, seed, mean, std, rates, 1 if few else 16)
    out = {"images": images, "labels": LABELS.int(), "mean": torch.tensor(mean), "std": torch.tensor(std)}
    thin = FEW if few else WHOLE if (folder / "recipe.json").exists() else None
    if few:
        out["thin"] = torch.tensor([FEW], dtype=torch.int32)
    with torch.no_grad():
        logits = again(x)
    out["logits"] = logits if torch.is_tensor(logits) else logits.logits
    out["head.weight"], out["head.bias"] = t.head.weight.detach().clone(), t.head.bias.detach().clone()
    with torch.no_grad():
        out["features"] = t.features(x)
        out["logits.new"] = t(x)
        unfolded = Tuned(copy.deepcopy(again), CLASSES, size).features(x)
        assert torch.allclose(out["features"], unfolded, atol=2e-5 * unfolded.abs().max().item()), "folding changed the model"
        out["loss"], out["loss.smooth"] = [loss_of(out["logits.new"], LABELS, s).reshape(1) for s in (0.0, 0.1)]
    for method in ("probe", "bias", "full"):
        gradients(out, method, t if method == "bias" else plain, method, x, thin=thin)
    gradients(out, "smooth", t, "bias", x, 0.1, thin if few else None)
    for method, kind in TRAININGS:
        start = t if method == "bias" else plain
        losses, norms, applied, head = train(start, method, x, kind, rates[kind])
        out[f"sensitivity.{method}.{kind}"] = scatters[method, kind].reshape(1)
        out[f"losses.{method}.{kind}"] = torch.tensor(losses)
        if kind == "sgd":
            out["sgd.norms"], out["sgd.rates"] = torch.tensor(norms), torch.tensor(applied)
        if method == "bias":
            out[f"after.{method}.{kind}/head.weight"] = head
    write(folder / "golden.safetensors", out)
    return t, out


def other_size(model, folder, size, seed):
    """The same checkpoint at another image size: interpolated position embeddings."""
    mean, std = statistics(model, folder)
    transformers_own = hasattr(model, "config")
    # DINOv2's classes always do.
    interpolate = transformers_own and not model.config.model_type.startswith("dinov2")
    again = load(model, folder, size)
    images = pictures(size, seed + size[0], len(mean))
    x = normalise(images, mean, std)
    out = {"images": images, "labels": LABELS.int(), "mean": torch.tensor(mean), "std": torch.tensor(std)}
    t = tuned(again, size, seed, interpolate)
    with torch.no_grad():
        if transformers_own:
            out["logits"] = again(x, **({"interpolate_pos_encoding": True} if interpolate else {})).logits
            embeddings = again.base_model.embeddings
            patch = embeddings.patch_size if isinstance(embeddings.patch_size, int) else embeddings.patch_size[0]
            count = (size[0] // patch) * (size[1] // patch)
            out["positions"] = embeddings.interpolate_pos_encoding(torch.zeros(1, count + 1, embeddings.cls_token.shape[-1]), *size)
        else:
            out["logits"], out["positions"] = again(x), again.pos_embed.detach()
        out["head.weight"], out["head.bias"] = t.head.weight.detach().clone(), t.head.bias.detach().clone()
        out["features"], out["logits.new"] = t.features(x), t(x)
        out["loss"] = loss_of(out["logits.new"], LABELS).reshape(1)
    gradients(out, "bias", t, "bias", x)
    write(folder / f"golden-{size[0]}.safetensors", out)


def write(path, tensors):
    for name, value in tensors.items():
        assert torch.isfinite(value.float()).all(), name
    safetensors.torch.save_file({n: v.detach().clone().contiguous() for n, v in tensors.items()}, path)


def readable(folder):
    for file in folder.iterdir():
        file.chmod(0o644)


def make(name, number):
    build, size, options = (CASES | FAMILIES | CHANNELS)[name]
    few = name in families.FAMILIES
    NAMES.forget()
    FUSED.interleaved = options.get("interleaved", False)
    options = dict(options, seed=1000 + number, **(dict(few=True, recipe=True) if few else {}))
    folder = ROOT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = build()
    channels = channels_of(model)
    batch = torch.cat([normalise(pictures(size, 50 + i, channels), [0.5] * channels, [0.5] * channels) for i in range(8)])
    recipe = randomise(model, options["seed"], batch)
    save(model, folder, size, options, recipe)
    rates = RATES | options.get("rates", {})
    t, out = golden(model, folder, size, options["seed"], rates, few)
    for other in options.get("other_sizes", []):
        other_size(model, folder, other, options["seed"])
    keys, fused = key_biases(t.backbone)
    entry = {"size": list(size), "classes": CLASSES, "keyBiases": keys, "fusedBiases": fused, "otherSizes": [s[0] for s in options.get("other_sizes", [])], "rates": rates}
    if any(getattr(m, "rope", None) is not None or hasattr(m, "rope_embeddings") for m in t.backbone.modules()):
        entry["rotary"] = True
    readable(folder)
    report(name, folder, t, out)
    return entry


def report(name, folder, t, out):
    """A glance at whether the case tests anything: unit-size activations, gradients that are not zero."""
    grads = {n.split("/", 1)[1]: v.norm().item() for n, v in out.items() if n.startswith("bias/")}
    small = sorted(grads, key=grads.get)
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{name}: {size >> 10} KiB, logits {out['logits'].std():.2f}, new {out['logits.new'].std():.2f}, losses "
          + " ".join(f"{k.split('.', 1)[1]} {v[0]:.3f}→{v[-1]:.3f}" for k, v in out.items() if k.startswith("losses"))
          + "; scatter " + " ".join(f"{v.item():.0e}" for k, v in out.items() if k.startswith("sensitivity"))
          + "; smallest gradients "
          + ", ".join(f"{n} {grads[n]:.1e}" for n in small[:4]))


def main():
    versions = {m.__name__: m.__version__ for m in (torch, transformers, timm, np)}
    chosen = sys.argv[1:] or [*CASES, *FAMILIES, *CHANNELS]
    for cases, index in ((CASES, ROOT / "index.json"), (FAMILIES, ROOT / "index-families.json"), (CHANNELS, ROOT / "index-channels.json")):
        for name in [n for n in chosen if n in cases]:
            entry = make(name, zlib.crc32(name.encode()) % 100000)
            entries = (json.loads(index.read_text())["cases"] if index.exists() else {}) | {name: entry}
            ordered = {n: entries[n] for n in cases if n in entries}
            index.write_text(json.dumps({"program": "tools/golden/make.py", "versions": versions, "cases": ordered}, indent=1) + "\n")


if __name__ == "__main__":
    main()
