"""What the programs here share: random checkpoints, batch norm folded into convolutions, the checkpoint's own tensor names, methods."""

import re
import types

import numpy as np
import timm
import torch
from torch import nn
from torch.nn import functional as F


class Uniform:
    """Counter-based uniform numbers, so that JavaScript (test/support/golden.ts) can make the same weights: 24 bits of murmur3's finalizer."""

    def __init__(self, seed):
        self.seed = seed

    def draw(self, tensor, count, low, high):
        """`count` f32 values of tensor number `tensor`, in [low, high)."""
        with np.errstate(over="ignore"):
            x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32((self.seed + tensor * 0x85EBCA6B) & 0xFFFFFFFF)
            x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
            x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
            x = x ^ (x >> np.uint32(16))
        return (low + (high - low) * ((x >> np.uint32(8)).astype(np.float64) / 16777216.0)).astype(np.float32)


def ranges(name, shape):
    """The interval a tensor of this name is drawn from: activations stay near unit size, nothing is trivial."""
    if re.search(r"(norm[^.]*|bn\d)\.weight$|layernorm_\w+\.weight$", name):
        return 0.6, 1.8
    if len(shape) == 1 and name.endswith(".weight"):
        return 0.6, 1.8
    if name.endswith("relative_position_bias_table"):
        return -1, 1
    if re.search(r"token|position_embeddings|pos_embed", name):
        return -0.8, 0.8
    if len(shape) < 2:
        return -0.5, 0.5
    bound = (3.0 / np.prod(shape[1:])) ** 0.5 * 1.2
    return -bound, bound


@torch.no_grad()
def randomise(model, seed, images=None, adjust=None):
    """
    Draws every parameter, which `adjust` may then change; batch norms get the statistics of `images`, perturbed. Returns the recipe:
    {name: [number, low, high]}.
    """
    uniform, recipe = Uniform(seed), {}
    for number, (name, p) in enumerate(sorted(model.named_parameters())):
        low, high = ranges(name, p.shape)
        p.copy_(torch.from_numpy(uniform.draw(number, p.numel(), low, high)).view(p.shape))
        recipe[name] = [number, low, high]
    if adjust:
        adjust(model)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    if norms:
        for m in norms:
            m.momentum = None
            m.reset_running_stats()
            if not adjust:
                m.weight.copy_(m.weight * 1.2)
                m.bias.copy_(m.bias * 2 + 0.5)
        model.train()
        model(images)
        torch.manual_seed(seed)
        for m in norms:
            m.running_var.mul_(torch.empty_like(m.running_var).uniform_(0.7, 1.4)).add_(0.02)
            m.running_mean.add_(torch.randn_like(m.running_mean) * 0.1 * m.running_var.sqrt())
    model.eval()
    return recipe


class Names:
    """The names that files have for the parameters in memory, told by their numbers."""

    def __init__(self):
        self.modules = {}

    def forget(self):
        self.modules = {}

    def remember(self, model, tensors):
        """Pairs of names, in memory and in the file."""
        by_value = {t.numpy().tobytes(): name for name, t in tensors.items()}
        pairs = [(name, by_value[p.detach().contiguous().numpy().tobytes()]) for name, p in model.named_parameters()]
        self.modules = {name.rpartition(".")[0]: file.rpartition(".")[0] for name, file in pairs}
        return pairs

    def of(self, name):
        module, _, last = name.rpartition(".")
        return f"{self.modules[module]}.{last}".lstrip(".") if module in self.modules else None


NAMES = Names()


@torch.no_grad()
def fold_what_follows(model, size):
    """Folds every batch norm that reads a convolution's output, and every layer scale that reads a layer's; found by running the model."""
    for m in list(model.modules()):  # Branches of RepVGG, MobileOne, FastViT, whose positions stay a convolution beside what they are added to
        if hasattr(m, "reparameterize") and not hasattr(m, "pos_enc"):
            m.double().reparameterize()
            m.float().requires_grad_()
    for m in list(model.modules()):  # BiT's filters
        if isinstance(m, timm.layers.StdConv2d):
            w = m.weight.double().flatten(1)
            w = (w - w.mean(1, keepdim=True)) / (w.var(1, correction=0, keepdim=True) + m.eps).sqrt()
            m.weight.copy_(w.view_as(m.weight).float())
            m.forward = types.MethodType(nn.Conv2d.forward, m)
    is_norm = lambda m: isinstance(m, nn.BatchNorm2d)  # noqa: E731
    is_scale = lambda m: type(m).__name__ in SCALES  # noqa: E731
    for follows, into in ((is_norm, norm_into), (is_scale, scale_into)):
        made, pairs = {}, []

        def layer(module, _, y, made=made):
            made[id(y)] = (module, y)

        def follower(module, args, _, made=made, pairs=pairs):
            if id(args[0]) in made:
                pairs.append((module, made[id(args[0])][0]))

        hooks = [m.register_forward_hook(layer) for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
        hooks += [m.register_forward_hook(follower) for m in model.modules() if follows(m)]
        model.eval()(torch.zeros(1, 3, *size))
        for hook in hooks:
            hook.remove()
        parents = {child: (parent, name) for parent in model.modules() for name, child in parent.named_children()}
        for module, inner in pairs:
            into(module, inner)
            parent, name = parents[module]
            setattr(parent, name, getattr(module, "act", nn.Identity()))
    for module in model.modules():
        for scale, linear in PARAMETERS:
            gamma = getattr(module, scale, None)
            if type(gamma).__name__ in SCALES and linear in dict(module.named_modules()):
                scale_into(gamma, module.get_submodule(linear))
                setattr(module, scale, nn.Identity())
            if isinstance(gamma, nn.Parameter) and linear in dict(module.named_modules()):
                inner = module.get_submodule(linear)
                inner.weight.mul_(gamma.view(-1, *[1] * (inner.weight.ndim - 1)))
                inner.bias.mul_(gamma.flatten())
                setattr(module, scale, nn.Parameter(torch.ones_like(gamma), requires_grad=False))


# Layer scales that are parameters of a block, or stand behind what moves axes (FastViT's): ConvNeXt's, Data2Vec's, BEiT's (timm's, transformers'), torchvision's ConvNeXt's.
PARAMETERS = [("layer_scale_1", "token_mixer.proj"), ("gamma_xca", "xca.proj"), ("gamma", "mlp.fc2"), ("gamma_1", "attn.proj"), ("gamma_2", "mlp.fc2"), ("lambda_1", "attention.o_proj"), ("lambda_2", "mlp.fc2"), ("lambda_1", "attention.output.dense"), ("lambda_2", "output.dense"), ("layer_scale", "block.5")]
SCALES = ("LayerScale", "LayerScale2d", "Dinov2LayerScale", "Dinov2WithRegistersLayerScale", "DINOv3ViTLayerScale")


def norm_into(norm, inner):
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = 0 if inner.bias is None else inner.bias.double()
    inner.weight.copy_(inner.weight.double() * scale.view(-1, *[1] * (inner.weight.ndim - 1)))
    inner.bias = nn.Parameter((norm.bias.double() + (bias - norm.running_mean.double()) * scale).float())


def scale_into(scale, inner):
    gamma = getattr(scale, "gamma", None)
    gamma = scale.lambda1 if gamma is None else gamma
    inner.weight.mul_(gamma.view(-1, *[1] * (inner.weight.ndim - 1)))
    if inner.bias is not None:
        inner.bias.mul_(gamma.flatten())


@torch.no_grad()
def fold(model, size=None):
    """Folds every batch norm (evaluation statistics) into the convolution before it, in f64, and every layer scale into its linear."""

    def take(conv, norm):
        scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        conv.weight.copy_(conv.weight.double() * scale.view(-1, 1, 1, 1))
        conv.bias = nn.Parameter((norm.bias.double() - norm.running_mean.double() * scale).float())

    for module in list(model.modules()) if not NAMES.modules else []:
        children = dict(module.named_children())
        if "convolution" in children and children.get("normalization") is not None:  # transformers
            take(children["convolution"], children["normalization"])
            module.normalization = nn.Identity()
        # timm's stem and head; MobileNetV3's last convolution; ResNet, whose norms carry no activation
        for conv, norm in [("conv_stem", "bn1"), ("conv_head", "bn2"), ("conv", "bn1"), ("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"), ("0", "1")]:
            if isinstance(children.get(conv), nn.Conv2d) and isinstance(children.get(norm), nn.BatchNorm2d):
                take(children[conv], children[norm])
                setattr(module, norm, getattr(children[norm], "act", nn.Identity()))
        names = [n for n, c in children.items() if isinstance(c, nn.Conv2d) and n in ("conv_pw", "conv_dw", "conv_pwl")]
        norms = [n for n in ("bn1", "bn2", "bn3") if n in children]
        if names and norms:  # timm's MobileNet blocks: convolutions and norms stand in the order they run
            assert len(names) == len(norms), (names, norms)
            for conv, norm in zip(names, norms):
                take(children[conv], children[norm])
                setattr(module, norm, children[norm].act)
        for scale, linear in [("ls1", "attn.proj"), ("ls2", "mlp.fc2")]:  # timm's layer scale
            if hasattr(children.get(scale), "gamma"):
                gamma, inner = children[scale].gamma, module.get_submodule(linear)
                inner.weight.mul_(gamma.view(-1, 1))
                inner.bias.mul_(gamma)
                setattr(module, scale, nn.Identity())
        for scale, linear in [("gamma", "mlp.fc2"), ("layer_scale_parameter", "pwconv2")]:  # ConvNeXt's
            gamma = getattr(module, scale, None)
            if gamma is not None and hasattr(module, linear.split(".")[0]):
                inner = module.get_submodule(linear)
                inner.weight.mul_(gamma.view(-1, *[1] * (inner.weight.ndim - 1)))
                inner.bias.mul_(gamma)
                setattr(module, scale, None)
    if size is not None and NAMES.modules:
        fold_what_follows(model, size)
    else:
        assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    return model


@torch.no_grad()
def zero_biases(model):
    """A frozen linear without a bias gets a zero one, which learns."""
    # Their biases of queries and values stand beside the layer.
    whole = {m.qkv for m in model.modules() if getattr(m, "q_bias", None) is not None and hasattr(m, "qkv")}
    # Keys of Swin V2 have none by design.
    whole |= {m.key for m in model.modules() if hasattr(m, "logit_scale") and hasattr(m, "key")}
    for m in model.modules():
        if isinstance(m, (nn.Linear, nn.Conv2d)) and m.bias is None and m not in whole:
            m.bias = nn.Parameter(torch.zeros(m.weight.shape[0]))
    return model


def checkpoint_name(name):
    """transformers 5 renamed the modules of ViT, DeiT and Swin in memory; files keep the older names."""
    known = NAMES.of(name)
    if known is not None:
        return known
    if name.startswith("swin."):
        for new, old in [("q_proj", "self.query"), ("k_proj", "self.key"), ("v_proj", "self.value"), ("o_proj", "output.dense"),
                         ("relative_position_bias.", "self.")]:
            name = name.replace(f"attention.{new}", f"attention.{old}")
        return name.replace("mlp.fc1", "intermediate.dense").replace("mlp.fc2", "output.dense")
    name = re.sub(r"^(vit|deit)\.layers\.", r"\1.encoder.layer.", name)
    for new, old in [
        ("attention.q_proj", "attention.attention.query"), ("attention.k_proj", "attention.attention.key"),
        ("attention.v_proj", "attention.attention.value"), ("attention.o_proj", "attention.output.dense"),
        ("mlp.fc1", "intermediate.dense"), ("mlp.fc2", "output.dense"),
    ]:
        if name.startswith(("vit.", "deit.")):
            name = name.replace(new, old)
    return name


def without_head(model):
    """torchvision's classifiers are the last linear layer of `fc`, `head`, `heads` or `classifier`."""
    layers = [n for n, m in model.named_modules() if isinstance(m, nn.Linear)]
    # SqueezeNet's is a convolution.
    name = (layers or [n for n, m in model.named_modules() if isinstance(m, nn.Conv2d)])[-1]
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, nn.Identity())


class Tuned(nn.Module):
    """The backbone under a new head. A distilled model's new head reads the mean of the class and the distillation token."""

    def __init__(self, model, classes, size, interpolate=False):
        super().__init__()
        self.transformers = hasattr(model, "config")
        self.keywords = {"interpolate_pos_encoding": True} if interpolate else {}
        if hasattr(model, "torchvision"):
            without_head(model)
        elif not self.transformers:
            model.reset_classifier(0)
        for name in ("classifier", "cls_classifier", "distillation_classifier"):
            if self.transformers and hasattr(model, name):
                setattr(model, name, nn.Flatten())
        self.backbone = model
        channels = next(m for m in model.modules() if isinstance(m, nn.Conv2d)).in_channels
        with torch.no_grad():
            width = self.features(torch.zeros(1, channels, *size)).shape[1]
        self.head = nn.Linear(width, classes)

    def features(self, x):
        return self.backbone(x, **self.keywords).logits if self.transformers else self.backbone(x)

    def forward(self, x):
        return self.head(self.features(x))


def key_biases(model):
    """Names of the key biases (their gradient is identically zero) and of timm's fused biases (the middle third is)."""
    names = [checkpoint_name(n) for n, _ in model.named_parameters()]
    return [n for n in names if KEYS.search(n)], [n for n in names if FUSED.search(n)]


KEYS = re.compile(r"(attention\.(self\.)?key|(self_attn|attn|attention)\.k_proj|attn\.key\.(proj|down_conv))\.bias$")


class Fused:
    """Names of biases of queries, keys and values that lie one after the other, unless the heads' are beside each other (`interleaved`)."""

    interleaved = False

    def search(self, name):
        return None if self.interleaved else re.search(r"attn\.qkv\.bias$|in_proj_bias$", name)


FUSED = Fused()


def trainable(tuned, method):
    """[(checkpoint name, parameter)] of a method; `head.*` is the new head."""
    named = [(checkpoint_name(n.removeprefix("backbone.")), p) for n, p in tuned.named_parameters() if p.requires_grad]
    head = ("head.weight", "head.bias")  # and not timm's head.norm
    chosen = {
        "probe": lambda n: n in head,
        "bias": lambda n: n in head or n.endswith("bias"),
        "full": lambda n: True,
    }[method]
    return [(n, p) for n, p in named if chosen(n)]


def loss_of(logits, labels, smoothing=0.0):
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)
