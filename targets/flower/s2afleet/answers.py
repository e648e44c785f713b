"""What a node answers, checked field by field: it comes from a machine that nobody here controls."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flwr.app import Message

from .adapter import Arrays
from .identity import RATES, Identity, check_same, read_identity
from .packed import unpack
from .refusal import Refusal, refuse

FORMAT = 1
CONFIG_KEYS = {"format", "name", "info", "program", "layout"}
MOST_EXAMPLES = 1 << 24
#: What an answer tells beside `num-examples` and counts by label, each with the largest that is believed: of whole numbers where that is one.
MEASURED: dict[str, dict[str, int | float]] = {
    "query": {"features": 1 << 20, "adapter-bytes": 1 << 30, "held-out": MOST_EXAMPLES},
    "start": {},
    "sums": {},
    "train": {"loss": 1e30, "accuracy": 1.0, "seconds": 1e9, "peak-bytes": 1 << 40},
    "evaluate": {"loss": 1e30, "accuracy": 1.0},
}


@dataclass
class Answer:
    """An answer that may be used. `counts` are pictures by label, in the order of `identity.labels`."""

    node: int
    name: str
    program: str
    identity: Identity
    examples: int
    counts: list[int]
    metrics: dict[str, Any] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)


def _whole(where: str, metrics: dict[str, Any], key: str, least: int, most: int = MOST_EXAMPLES) -> int:
    value = metrics.get(key)
    if type(value) is not int or not least <= value <= most:
        raise refuse(where, f"bad {key}", value, f"a whole number from {least} to {most}")
    return value


def _real(where: str, metrics: dict[str, Any], key: str, most: float) -> float:
    value = metrics.get(key)
    if type(value) not in (int, float) or not 0 <= value <= most:
        raise refuse(where, f"bad {key}", value, f"a number from 0 to {most:g}")
    return float(value)


def _counts(where: str, metrics: dict[str, Any], key: str, length: int, examples: int) -> list[int]:
    value = metrics.get(key)
    if not isinstance(value, list) or len(value) != length or any(type(n) is not int or n < 0 for n in value) or max(value) > examples:
        raise refuse(where, f"bad {key}", value, f"{length} whole numbers, none above num-examples")
    return value


def _measured(where: str, metrics: dict[str, Any], kind: str) -> None:
    unknown = sorted(set(metrics) - {"num-examples", "label-counts", *MEASURED[kind], *(["label-right"] if kind == "evaluate" else [])})
    if unknown:
        raise refuse(where, "the metrics have something that is not known", unknown[0])
    for key, most in MEASURED[kind].items():
        if type(most) is int:
            _whole(where, metrics, key, 0, most)
        else:
            _real(where, metrics, key, most)


def _judged(where: str, metrics: dict[str, Any], counts: list[int], examples: int, is_one_of_several: bool) -> None:
    rights = _counts(where, metrics, "label-right", len(counts), examples)
    if any(right > count for right, count in zip(rights, counts, strict=True)):
        raise refuse(where, "bad label-right", rights, f"at most {counts}")
    if is_one_of_several and round(metrics["accuracy"] * examples) != sum(rights):
        raise refuse(where, "accuracy is not that of label-right", metrics["accuracy"], f"{sum(rights)} of {examples}")


def _name(where: str, config: dict[str, Any], registered: str) -> str:
    name = config.get("name")
    if type(name) is not str or not 0 < len(name) <= 64 or not name.isprintable():
        raise refuse(where, "bad name", name, "1 to 64 characters that can be printed")
    if registered and registered != name:
        raise refuse(where, "calls itself by another name than its key was registered under", name, registered)
    return name


def read_answer(message: Message, node: int, expected: Identity | None, kind: str, registered: str = "") -> Answer:
    """
    The answer of a node to a message of `kind` query, start, sums, train or evaluate; its arrays are read but not yet compared with the global adapter.
    `expected` is the fleet's identity, where there is one. Raises Refusal, also for a node's own error.
    """
    where = registered or f"node {node}"
    if message.has_error():
        raise Refusal(f"{where}: {message.error.reason or 'failed and did not say why'}")
    content = message.content
    config = dict(content.config_records.get("config", {}))
    if config.get("format") != FORMAT:
        raise refuse(where, "answers in another format", config.get("format"), FORMAT, "s2a and the server are to be of one version")
    unknown = sorted(set(config) - CONFIG_KEYS) + sorted(set(content) - {"config", "metrics", "arrays"})
    if unknown:
        raise refuse(where, "the answer has something that is not known", unknown[0])
    where = name = _name(where, config, registered)
    info, program = config.get("info"), config.get("program")
    if type(info) is not str or type(program) is not str:
        raise refuse(where, "info and program are to be texts")
    identity = read_identity(where, info)
    if expected is not None:
        check_same(where, identity, expected)
        stranger = next((label for label in identity.labels if label not in expected.labels), None)
        if stranger is not None:
            raise refuse(where, "has a label that the fleet does not have", stranger)
    metrics = dict(content.metric_records.get("metrics", {}))
    examples = _whole(where, metrics, "num-examples", 0 if kind == "evaluate" else 1)
    needs_counts = kind in ("query", "train", "evaluate")
    counts = _counts(where, metrics, "label-counts", len(identity.labels), examples) if needs_counts else []
    if counts and identity.is_classification and sum(counts) != examples:
        raise refuse(where, "label-counts are not those of its pictures", sum(counts), examples)
    _measured(where, metrics, kind)
    if kind == "evaluate":
        _judged(where, metrics, counts, examples, identity.is_classification)
    arrays = {} if kind in ("query", "evaluate") else _arrays(where, content.array_records.get("arrays", {}))
    if "layout" in config:
        arrays = unpack(where, arrays, config["layout"])
    return Answer(node, name, program, identity, examples, counts, metrics, arrays)


def _arrays(where: str, record: Any) -> Arrays:
    arrays: Arrays = {}
    for name, array in record.items():
        try:
            value = array.numpy()
        except Exception as error:  # A .npy file from outside: whatever numpy says of it, the answer is refused.
            raise refuse(where, f"array {name} cannot be read", error) from None
        if not value.dtype.isnative or value.dtype != np.float32:
            raise refuse(where, f"array {name} is of another type", value.dtype, "f32")
        if not np.isfinite(value).all():
            raise refuse(where, f"array {name} has NaN or infinite numbers", hint="its update is left out")
        arrays[name] = value
    return arrays


def check_update(answer: Answer, current: Arrays) -> None:
    """An update's tensors against the global adapter: the same names, f32, the same shapes but for the head's rows. Raises Refusal."""
    rows = len(answer.identity.labels)
    unknown = next((name for name in answer.arrays if name not in current and name != RATES), None)
    if unknown is not None:
        raise refuse(answer.name, "the update has a tensor that the adapter does not have", unknown)
    for name, value in current.items():
        got = answer.arrays.get(name)
        if got is None and name != RATES:
            raise refuse(answer.name, f"the update has no tensor {name}")
        if got is None:
            continue
        shape = (rows, *value.shape[1:]) if name in answer.identity.head else value.shape
        if got.dtype != np.float32:
            raise refuse(answer.name, f"tensor {name} is of another type", got.dtype, "float32")
        if got.shape != shape:
            raise refuse(answer.name, f"tensor {name} is of another shape", list(got.shape), list(shape))


def odd_rates(answers: list[Answer], current: Arrays) -> list[Answer]:
    """Those whose measured rates are not positive, or not of the shape that the adapter's or most answers' are."""
    having = [answer for answer in answers if RATES in answer.arrays]
    shapes = [answer.arrays[RATES].shape for answer in having]
    usual = current[RATES].shape if RATES in current else max(sorted(set(shapes)), key=shapes.count, default=())
    return [answer for answer in having if answer.arrays[RATES].shape != usual or (answer.arrays[RATES] < 0).any()]


def check_sums(answer: Answer, kind: str, features: int) -> None:
    """The sums of one node: `sums` [C, F+1] of its own labels, and `gram` [F(F+1)/2] or `squares` [F], all f32. Raises Refusal."""
    beside, length = ("gram", features * (features + 1) // 2) if kind == "gram" else ("squares", features)
    shapes = {"sums": (len(answer.identity.labels), features + 1), beside: (length,)}
    if set(answer.arrays) != set(shapes):
        raise refuse(answer.name, "the sums are not those asked for", ", ".join(sorted(answer.arrays)), ", ".join(sorted(shapes)))
    for name, shape in shapes.items():
        value = answer.arrays[name]
        if value.dtype != np.float32 or value.shape != shape:
            raise refuse(answer.name, f"array {name} is misshapen", f"{value.dtype}{list(value.shape)}", f"float32{list(shape)}")
    counts = answer.arrays["sums"][:, -1].astype(np.float64)
    if (counts < 0).any() or (counts != np.floor(counts)).any() or counts.sum() != answer.examples:
        raise refuse(answer.name, "the sums' counts are not those of its pictures", counts.sum(), answer.examples)
