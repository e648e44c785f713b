"""A run's options: those of [tool.flwr.app.config] in pyproject.toml, checked before any board is asked."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .combine import STRATEGIES
from .refusal import refuse


@dataclass(frozen=True)
class Settings:
    """docs/fleet.md says what each is; defaults stand in pyproject.toml alone."""

    fleet: str
    out: Path
    resume: bool
    strategy: str
    rounds: int
    nodes: int
    fraction_train: float
    fraction_evaluate: float
    epochs: int
    rate: str
    batch_size: int
    seed: int
    adapter: str
    labels: tuple[str, ...]
    head: str
    refresh: int
    local: str
    classes: str
    optimizer: str
    prox: float
    server_rate: float
    malicious: int
    clip: float
    noise: float
    noise_at: str
    wait: float
    keep_rounds: bool

    def told(self) -> dict[str, Any]:
        """By the options' own names, as people write them."""
        plain = {"out": str(self.out), "labels": ", ".join(self.labels)}
        return {key.replace("_", "-"): plain.get(key, value) for key, value in asdict(self).items()}


CHOICES = {
    "strategy": STRATEGIES,
    "head": ("auto", "gram", "diagonal", "none"),
    "local": ("method", "probe"),
    "classes": ("own", "all"),
    "optimizer": ("fresh", "kept"),
    "noise-at": ("server", "node"),
}
#: Least and largest of what is counted or measured.
RANGES: dict[str, tuple[float, float]] = {
    "rounds": (1, 100_000),
    "nodes": (1, 1_000_000),
    "fraction-train": (0, 1),
    "fraction-evaluate": (0, 1),
    "epochs": (1, 1000),
    "refresh": (0, 100_000),
    "batch-size": (0, 65_536),
    "seed": (0, 2**31 - 1),
    "prox": (0, 1e6),
    "server-rate": (0, 1e3),
    "malicious": (0, 1_000_000),
    "clip": (0, 1e9),
    "noise": (0, 1e6),
    "wait": (1, 1e7),
}
REALS = ("fraction-train", "fraction-evaluate", "prox", "server-rate", "clip", "noise", "wait")
#: As `s2a train --lr` takes it.
RATE = re.compile(r"(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?x?", re.ASCII | re.IGNORECASE)
TEXTS = ("fleet", "out", "rate", "adapter", "labels")
FLAGS = ("resume", "keep-rounds")


def read_settings(config: dict[str, Any]) -> Settings:
    """Raises Refusal at the first option that is not understood."""
    known = {*CHOICES, *RANGES, *TEXTS, *FLAGS}
    for key in sorted(known ^ set(config)):
        raise refuse(key, "is missing" if key in known else "is no option of this app")
    found: dict[str, Any] = {}
    for key, value in config.items():
        if key in CHOICES:
            is_good, expected = value in CHOICES[key], " or ".join(CHOICES[key])
        elif key in RANGES:
            least, most = RANGES[key]
            kinds = (int, float) if key in REALS else (int,)
            is_good, expected = type(value) in kinds and least <= value <= most, f"a{'' if key in REALS else ' whole'} number from {least:g} to {most:g}"
        else:
            kind = bool if key in FLAGS else str
            is_good, expected = type(value) is kind, "true or false" if kind is bool else "a text"
        if not is_good:
            raise refuse(key, "bad value", value, expected)
        found[key.replace("-", "_")] = float(value) if key in REALS else value
    found["out"] = Path(found["out"]).absolute()
    found["labels"] = tuple(text.strip() for text in found["labels"].split(",") if text.strip())
    settings = Settings(**found)
    _check_together(settings)
    return settings


def _check_together(s: Settings) -> None:
    if s.noise > 0 and s.clip == 0:
        raise refuse("noise", "needs a clip, which says how much one node can change")
    if s.strategy == "fedprox" and s.prox == 0:
        raise refuse("strategy", "fedprox needs a pull", "prox 0", "prox above 0, such as 0.01")
    if s.strategy != "fedprox" and s.prox > 0:
        raise refuse("prox", "belongs to fedprox", s.strategy, 'strategy="fedprox"')
    if s.clip > 0 and s.head in ("gram", "diagonal"):
        raise refuse("head", "sums of features are not clipped and tell more of a board than its update", s.head, "auto or none where clip is set")
    if s.strategy == "krum" and s.noise > 0 and s.noise_at == "server":
        raise refuse("noise", "is counted for a mean", "krum", "fedavg, fedprox, fedadam or fedmedian")
    if s.refresh == 1:
        raise refuse("refresh", "no round would be left to learn in", 1, "0, or from 2 on")
    if s.fraction_train == 0:
        raise refuse("fraction-train", "nobody would train", 0, "above 0")
    if s.rate and not RATE.fullmatch(s.rate):
        raise refuse("rate", "is no learning rate", s.rate, 'a number as "1e-3", a factor on the measured rates as "0.5x", or nothing')
    if len(set(s.labels)) != len(s.labels):
        raise refuse("labels", "has a name twice")
