"""
Many updates become one adapter, by Flower's own strategies. What Flower does not know is a head whose rows are labels that only some boards have: a row is the mean
(or the median) of those that trained it, and stays what it was where nobody did. Answers are taken in the order of the nodes' names, so the same
answers give the same bytes.

The mean is Flower's: f32, x₁·w₁ + x₂·w₂ + …, w_i = examples_i / all examples, added in that order.
"""

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAdam, FedAvg, FedMedian, Krum, Strategy
from flwr.supercore.differential_privacy import add_gaussian_noise_inplace, compute_clip_model_update, compute_stdv

from .adapter import Arrays
from .answers import Answer
from .identity import RATES

STRATEGIES = ("fedavg", "fedprox", "fedadam", "fedmedian", "krum")


def _message(arrays: Arrays, examples: int) -> Message:
    """What Flower's strategies take: a reply with one record of arrays and the weight."""
    record = ArrayRecord({name: Array(value) for name, value in arrays.items()})
    content = RecordDict({"arrays": record, "metrics": MetricRecord({"num-examples": examples})})
    return Message(content, dst_node_id=0, message_type="train")


def _by(strategy: Strategy, parts: list[Arrays], examples: list[int]) -> Arrays:
    record, _ = strategy.aggregate_train(0, [_message(part, n) for part, n in zip(parts, examples, strict=True)])
    return {name: np.asarray(array.numpy(), dtype=np.float32) for name, array in record.items()}


def trained_rows(answer: Answer, labels: list[str]) -> list[int]:
    """For each label of the fleet the row of the answer that trained it, -1 where none did."""
    at = {label: i for i, label in enumerate(answer.identity.labels) if answer.counts[i] > 0}
    return [at.get(label, -1) for label in labels]


def aligned(answer: Answer, labels: list[str], head: list[str], current: Arrays) -> Arrays:
    """The answer's tensors with the head's rows in the fleet's order; rows that it did not train are the global adapter's."""
    rows = trained_rows(answer, labels)
    whole = {name: value for name, value in answer.arrays.items() if name != RATES}
    for name in head:
        whole[name] = current[name].copy()
        for c, row in enumerate(rows):
            if row >= 0:
                whole[name][c] = answer.arrays[name][row]
    return whole


class Combiner:
    """One for a run, since FedAdam remembers."""

    def __init__(self, strategy: str, server_rate: float = 0.01, malicious: int = 0, clip: float = 0.0, noise: float = 0.0) -> None:
        self.name = strategy
        self.clip = clip
        self.noise = noise
        self.element = FedMedian() if strategy == "fedmedian" else FedAvg()
        self.krum = Krum(num_malicious_nodes=malicious) if strategy == "krum" else None
        self.adam = FedAdam(eta=server_rate) if strategy == "fedadam" else None

    def combine(self, number: int, answers: list[Answer], labels: list[str], head: list[str], current: Arrays) -> Arrays:
        """The next global adapter of the answers to round `number`, which are in the order of the nodes' names."""
        body = {name: value for name, value in current.items() if name != RATES}
        parts = [aligned(answer, labels, head, current) for answer in answers]
        if self.clip > 0:
            parts = [self._clipped(part, body) for part in parts]
        examples = [answer.examples for answer in answers]
        if self.krum is not None:
            made = _by(self.krum, parts, examples)
        elif self.noise > 0:
            # The noise is counted for equal weights, and for rows of which each node moves its own alone.
            made = _by(self.element, parts, [1] * len(parts))
        else:
            made = self._by_rows(parts, examples, [trained_rows(answer, labels) for answer in answers], head, current)
        if self.noise > 0:
            names = list(made)
            values = [made[name] for name in names]
            add_gaussian_noise_inplace(values, compute_stdv(self.noise, self.clip, len(parts)))
            made = dict(zip(names, values, strict=True))
        if self.adam is not None:
            self.adam.current_arrays = body
            record, _ = self.adam.aggregate_train(number, [_message(made, 1)])
            made = {name: np.asarray(array.numpy(), dtype=np.float32) for name, array in record.items()}
        return {**made, **self._rates(answers, current)}

    def remembered(self) -> dict[str, np.ndarray]:
        """FedAdam's two moments, for a run that goes on after its server was lost."""
        if self.adam is None or not self.adam.m_t:
            return {}
        return {**{f"m {k}": v for k, v in self.adam.m_t.items()}, **{f"v {k}": v for k, v in self.adam.v_t.items()}}

    def remember(self, values: dict[str, np.ndarray]) -> None:
        """The other way round."""
        if self.adam is not None and values:
            self.adam.m_t = {k[2:]: v for k, v in values.items() if k.startswith("m ")}
            self.adam.v_t = {k[2:]: v for k, v in values.items() if k.startswith("v ")}

    def _clipped(self, part: Arrays, body: Arrays) -> Arrays:
        names = list(body)
        values, before = [part[name] for name in names], [body[name] for name in names]
        if all((a == b).all() for a, b in zip(values, before, strict=True)):
            return part
        compute_clip_model_update(values, before, self.clip)
        return {name: np.asarray(value, dtype=np.float32) for name, value in zip(names, values, strict=True)}

    def _by_rows(self, parts: list[Arrays], examples: list[int], rows: list[list[int]], head: list[str], current: Arrays) -> Arrays:
        made = _by(self.element, [{name: v for name, v in part.items() if name not in head} for part in parts], examples) if len(head) < len(parts[0]) else {}
        made.update({name: current[name].copy() for name in head})
        groups: dict[tuple[int, ...], list[int]] = {}
        for c in range(len(rows[0])):
            groups.setdefault(tuple(i for i, row in enumerate(rows) if row[c] >= 0), []).append(c)
        for nodes, which in groups.items():
            if not nodes:
                continue
            some = _by(self.element, [{name: parts[i][name][which] for name in head} for i in nodes], [examples[i] for i in nodes])
            for name in head:
                made[name][which] = some[name]
        return made

    def _rates(self, answers: list[Answer], current: Arrays) -> Arrays:
        """Rates are averaged whatever the strategy: they say how far a step goes, and are no part of the network."""
        having = [answer for answer in answers if RATES in answer.arrays]
        if not having:
            return {RATES: current[RATES]} if RATES in current else {}
        return _by(FedAvg(), [{RATES: answer.arrays[RATES]} for answer in having], [answer.examples for answer in having])
