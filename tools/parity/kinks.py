"""
Kinks: where an activation's slope jumps, and a max-pool's choice. A unit that stands within rounding of one has another gradient on either side, so
two programs that round differently, PyTorch in f32 and in f64 among them, differ there by whole units. What a program does with a kink can be held
against PyTorch all the same: given on which side each of its units stands (its *sides*), PyTorch in f64 must get its gradients.
"""

import torch
from torch import nn
from torch.nn import functional as F

# Where the slope jumps, and the slope below, between (from x) and above. A ReLU has nothing above.
KINKS = {
    nn.ReLU: ([0.0], lambda x: torch.zeros_like(x), torch.ones_like, torch.ones_like),
    nn.ReLU6: ([0.0, 6.0], torch.zeros_like, torch.ones_like, torch.zeros_like),
    nn.Hardswish: ([-3.0, 3.0], torch.zeros_like, lambda x: x / 3 + 0.5, torch.ones_like),
    nn.Hardsigmoid: ([-3.0, 3.0], torch.zeros_like, lambda x: torch.full_like(x, 1 / 6), torch.zeros_like),
}


class Course:
    """What the activations of one forward pass do, in order: their sides, and with `given` the sides that decide their slopes."""

    def __init__(self, given=None):
        self.given, self.sides, self.moved = given, [], []

    def side(self, own, distance):
        """Notes one activation: `own` its sides [B, C, H, W], `distance(sides)` how far units stand from there, relative to all of them."""
        number = len(self.sides)
        self.sides.append(own)
        if self.given is None:
            return own
        given = self.given[number].to(own.dtype)
        assert given.shape == own.shape, (number, given.shape, own.shape)
        other = given != own
        if other.any():
            self.moved.append((int(other.sum()), distance(given)[other].max().item()))
        return given


class Sided(nn.Module):
    def __init__(self, kind, course):
        super().__init__()
        self.f, (self.kinks, *self.slopes), self.course = kind, KINKS[type(kind)], course
        if hasattr(self.f, "inplace"):
            self.f.inplace = False

    def forward(self, x):
        z = x.detach()
        own = (z > self.kinks[0]).to(torch.uint8)
        if len(self.kinks) > 1:
            own += z >= self.kinks[1]
        size = z.square().mean().sqrt()
        side = self.course.side(own, lambda _: torch.stack([(z - k).abs() for k in self.kinks]).amin(0) / size)
        below, between, above = (slope(z) for slope in self.slopes)
        slope = torch.where(side == 0, below, torch.where(side == 1, between, above))
        return self.f(z) + slope * (x - z)


class Chosen(nn.Module):
    """A max-pool whose sides are the taps that it takes, row by row in its window."""

    def __init__(self, pool, course):
        super().__init__()
        self.pool, self.course = pool, course

    def forward(self, x):
        k, s, p = self.pool.kernel_size, self.pool.stride, self.pool.padding
        y = self.pool(x.detach())
        taps = F.unfold(F.pad(x, [p] * 4, value=float("-inf")), k, stride=s).view(*x.shape[:2], k * k, *y.shape[2:])
        # The first of equals, as PyTorch takes it.
        own = (taps.detach() == y.unsqueeze(2)).to(torch.uint8).argmax(2).to(torch.uint8)
        size = x.detach().square().mean().sqrt()
        side = self.course.side(own, lambda given: (y - taps.detach().gather(2, given.long().unsqueeze(2)).squeeze(2)) / size)
        return taps.gather(2, side.long().unsqueeze(2)).squeeze(2)


def watch(model, given=None):
    """Puts every activation with kinks, and every max-pool, of a model under a Course."""
    course = Course(given)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) in KINKS:
                setattr(module, name, Sided(child, course))
            elif isinstance(child, nn.MaxPool2d):
                setattr(module, name, Chosen(child, course))
    return course


@torch.no_grad()
def clear(model):
    """
    Scales and shifts every norm before an activation so that its units stand some four deviations from the kinks. What padding, shortcuts and the
    tails bring beyond them is still thousands of units, but hardly one is within rounding of a kink.
    """
    resnet = type(model).__name__.startswith("ResNet")
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
            act = nn.ReLU() if resnet else getattr(module, "act", None)
            norms = [module]
        else:
            act = getattr(module, "activation", None)
            norms = [c for c in module.children() if isinstance(c, nn.BatchNorm2d)] if not resnet else []
        for norm in norms:
            if isinstance(act, nn.ReLU):
                norm.bias.copy_(norm.weight * (4.5 + norm.bias))
            elif isinstance(act, (nn.ReLU6, nn.Hardswish)):
                norm.weight.mul_(0.5)
                norm.bias.copy_((3 if isinstance(act, nn.ReLU6) else 0) + norm.bias / 2)
