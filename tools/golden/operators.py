"""Writes test/golden/operators.json: outputs and gradients of operators by PyTorch's autograd in f64, for test/parity/operators.test.ts."""
import json
import math
import torch
import torch.nn.functional as F

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)


def rand(*shape):
    # f32 numbers, so that both begin with the same.
    return torch.randn(*shape).float().double()


def row(t):
    return "[" + ",".join(f"{v:.9g}" for v in t.reshape(-1).tolist()) + "]"


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


CASES = []


def case(op, attributes, inputs, f, frozen=()):
    """`f` of the inputs as the engine has them (NHWC, filters [O,R,S,C])."""
    leaves = [None if x is None else x.clone().requires_grad_(i not in frozen) for i, x in enumerate(inputs)]
    y = f(*leaves)
    dy = rand(*y.shape)
    (y * dy).sum().backward()
    tensors = lambda xs: ",".join("null" if x is None else f'{{"shape":{json.dumps(list(x.shape))},"data":{row(x.detach())}}}' for x in xs)
    grads = ",".join("null" if x is None or x.grad is None else row(x.grad) for x in leaves)
    CASES.append(
        f'{{"op":"{op}","attributes":{json.dumps(attributes)},"inputs":[{tensors(leaves)}],'
        f'"y":{tensors([y])},"dy":{row(dy)},"gradients":[{grads}]}}'
    )


case("Affine", {}, [rand(2, 3, 5), rand(5), rand(5)], lambda x, s, b: x * s + b)
for groups, down, step in [(2, 1, 2), (3, 2, 1), (1, 2, 1), (6, 1, 1)]:
    x, w, b = rand(2, 6, 5, 6), rand(6, 3, 3, 6 // groups), rand(6)
    conv = lambda x, w, b: nhwc(F.conv2d(nchw(x), nchw(w), b, step, down, down, groups))
    oh, ow = conv(x, w, b).shape[1:3]
    a = {"r": 3, "s": 3, "stepY": step, "stepX": step, "down": down, "across": down, "top": down, "left": down}
    case("GroupConv", {**a, "groups": groups, "oh": oh, "ow": ow}, [x, w, b], conv)
for padded in (0, 1):
    for ceil in (False, True):
        pool = lambda x: nhwc(F.avg_pool2d(nchw(x), 3, 2, 1, ceil, bool(padded)))
        x = rand(1, 6, 7, 3)
        oh, ow = pool(x).shape[1:3]
        a = {"r": 3, "s": 3, "stepY": 2, "stepX": 2, "top": 1, "left": 1, "bottom": 1, "right": 1, "padded": padded}
        case("AveragePool", {**a, "oh": oh, "ow": ow}, [x], pool)
case("Concat", {"axis": 2}, [rand(2, 3, 2), rand(2, 3, 4)], lambda a, b: torch.cat([a, b], 2))
case("Slice", {"axis": 1, "from": 1, "count": 2}, [rand(2, 4, 3)], lambda x: x[:, 1:3])
case("Multiply", {}, [rand(2, 7), rand(2, 7)], lambda a, b: a * b)
case("Rearrange", {"dims": [2, 3, 2, 4], "perm": [0, 1, 3, 2], "shape": [2, 3, 8]}, [rand(2, 3, 8)],
     lambda x: x.reshape(2, 3, 2, 4).transpose(2, 3).reshape(2, 3, 8))
case("RmsNorm", {"eps": 1e-5, "unit": 0}, [rand(3, 10), rand(10)], lambda x, g: F.rms_norm(x, (10,), g, 1e-5))
case("RmsNorm", {"eps": 1e-12, "unit": 1}, [rand(3, 10), None], lambda x, _: F.normalize(x, dim=-1, eps=1e-12))
for bias_of in [(1, 2), (2, 1), None]:
    q, k, v = rand(2, 4, 6), rand(2, 5, 6), rand(2, 5, 8)
    heads = lambda x: x.reshape(2, -1, 2, x.shape[-1] // 2).transpose(1, 2)
    att = lambda q, k, v, b=None: F.scaled_dot_product_attention(heads(q), heads(k), heads(v), b).transpose(1, 2).reshape(2, 4, 8)
    case("CrossAttention", {"heads": 2, "pairs": 2, "scale": 1 / math.sqrt(3)}, [q, k, v] + ([rand(*bias_of, 4, 5)] if bias_of else []), att)
modes = {0: {"mode": "nearest"}, 1: {"mode": "nearest-exact"}, 2: {"mode": "bilinear", "align_corners": False}, 3: {"mode": "bilinear", "align_corners": True}}
for mode, how in modes.items():
    for oh, ow in [(8, 7), (3, 2)]:
        case("Resize", {"oh": oh, "ow": ow, "mode": mode}, [rand(1, 4, 5, 2)], lambda x: nhwc(F.interpolate(nchw(x), (oh, ow), **how)))


def turned(x, table, neighbours):
    """As transformers (halves) and timm (neighbours) write it; the first of five rows stays."""
    cos, sin = table.chunk(2, -1)
    h = x.reshape(2, 5, 2, 6)
    first, h = h[:, :1], h[:, 1:]
    if neighbours:
        cos, sin = cos.repeat_interleave(2, -1), sin.repeat_interleave(2, -1)
        other = torch.stack([-h[..., 1::2], h[..., ::2]], -1).reshape(h.shape)
    else:
        cos, sin = torch.cat([cos, cos], -1), torch.cat([sin, sin], -1)
        a, b = h.chunk(2, -1)
        other = torch.cat([-b, a], -1)
    return torch.cat([first, h * cos[:, None] + other * sin[:, None]], 1).reshape(2, 5, 12)


for neighbours in (0, 1):
    angles = rand(4, 3)
    table = torch.cat([angles.cos(), angles.sin()], -1).float().double()
    case("Rotary", {"heads": 2, "first": 1, "neighbours": neighbours}, [rand(2, 5, 12), table],
         lambda x, t: turned(x, t, neighbours), frozen=(1,))


def response(x, stats, gamma, beta):
    """timm's GlobalResponseNorm; `stats` are x's own."""
    g = x.norm(p=2, dim=(1, 2), keepdim=True)
    n = g / (g.mean(dim=-1, keepdim=True) + 1e-6)
    return x + torch.addcmul(beta, gamma, x * n)


x = rand(2, 3, 2, 6)
case("ResponseNorm", {"eps": 1e-6}, [x, x.norm(p=2, dim=(1, 2)).float().double(), rand(6), rand(6)], response, frozen=(1,))

with open("test/golden/operators.json", "w") as file:
    file.write(f'{{"torch":{json.dumps(torch.__version__)},"cases":[\n' + ",\n".join(CASES) + "\n]}\n")
