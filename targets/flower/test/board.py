"""Boards and a grid in one process, for tests: what s2a answers over the network, here over numbers of a few features."""

import json
from types import SimpleNamespace

import numpy as np
from flwr.supercore.task_identity import TaskIdentity
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict

from s2afleet import jsontext
from s2afleet.packed import layout_of, pack, unpack

# Flower makes no message outside a run.
TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1

HEAD = ["fc.weight", "fc.bias"]


def info(labels, **changes):
    fields = {
        "version": jsontext.Number("1"),
        "method": "bias",
        "base": {"type": "toy", "digest": "ab" * 32, "imageSize": [jsontext.Number("8"), jsontext.Number("8")]},
        "precision": "f32",
        "head": HEAD,
        "labels": labels,
        "preprocessing": {"scale": jsontext.Number("0.00392156862745098")},
        "createdBy": "s2a 0.1.0",
        **changes,
    }
    return jsontext.write(fields)


class Board:
    """A linear network with one bias a feature: x + shift, then a head. `spoil` changes an answer before it is sent."""

    def __init__(self, name, labels, pictures, spoil=None, identity=None):
        self.name, self.labels, self.spoil = name, labels, spoil
        self.identity = identity or {}
        self.x = np.concatenate([pictures[label] for label in labels]).astype(np.float32)
        self.y = [label for label in labels for _ in pictures[label]]
        self.asked = []

    def answer(self, message):
        config = dict(message.content["config"])
        kind = config.get("phase", message.metadata.message_type)
        self.asked.append((kind, config))
        arrays = {k: v.numpy() for k, v in message.content["arrays"].items()}
        if arrays:
            arrays = unpack("server", arrays, config["layout"])
        reply = getattr(self, kind)(config, arrays)
        if self.spoil is not None:
            self.spoil(kind, reply)
        told = {"format": 1, "name": self.name, "program": "s2a 0.1.0", "info": info(self.labels, **self.identity), **reply.get("config", {})}
        given = {k: Array(np.asarray(v)) for k, v in reply.get("arrays", {}).items()}
        return RecordDict({"config": ConfigRecord(told), "metrics": MetricRecord(reply["metrics"]), "arrays": ArrayRecord(given)})

    def counts(self, labels):
        return [self.y.count(label) for label in labels]

    def query(self, _config, _arrays):
        return {"metrics": {"num-examples": len(self.y), "label-counts": self.counts(self.labels), "features": self.x.shape[1], "adapter-bytes": 100, "held-out": len(self.y)}}

    def start(self, config, _arrays):
        labels = json.loads(config["info"])["labels"]
        width = self.x.shape[1]
        arrays = {"shift": np.zeros(width, "f4"), "fc.weight": np.zeros((len(labels), width), "f4"), "fc.bias": np.zeros(len(labels), "f4")}
        return {"config": {"info": config["info"]}, "arrays": arrays, "metrics": {"num-examples": len(self.y)}}

    def sums(self, config, arrays):
        x = (self.x + arrays["shift"]).astype(np.float64)
        rows = [np.append(x[[y == label for y in self.y]].sum(0), self.y.count(label)) for label in self.labels]
        x -= x.mean(0)
        gram = (x.T @ x)[np.triu_indices(x.shape[1])]
        beside = {"gram": gram} if config["sums"] == "gram" else {"squares": (x * x).sum(0)}
        arrays = {name: np.asarray(value, np.float32) for name, value in {"sums": np.array(rows), **beside}.items()}
        return {"arrays": arrays, "metrics": {"num-examples": len(self.y)}}

    def train(self, config, arrays):
        labels = json.loads(config["info"])["labels"]
        mine = labels if config["classes"] == "all" else self.labels
        rows = [labels.index(label) for label in mine]
        made = {k: v.copy() for k, v in arrays.items()}
        for name in HEAD:
            made[name] = made[name][rows]
        rate = np.float32(0.05)
        for _ in range(config["epochs"]):
            for x, y in zip(self.x, self.y, strict=True):
                z = made["fc.weight"] @ (x + made["shift"]) + made["fc.bias"]
                p = np.exp(z - z.max())
                d = (p / p.sum()).astype(np.float32)
                d[mine.index(y)] -= 1
                made["shift"] -= rate * (d @ made["fc.weight"])
                made["fc.weight"] -= rate * np.outer(d, x)
                made["fc.bias"] -= rate * d
        made["s2a.rates"] = np.full((2, 2), 0.5, "f4")
        told = {"num-examples": len(self.y), "loss": 1.0, "accuracy": 0.5, "label-counts": self.counts(mine), "seconds": 0.1, "peak-bytes": 1000}
        return {"config": {"layout": layout_of(made), "info": info(mine, **self.identity)}, "arrays": pack(made), "metrics": told}

    def evaluate(self, config, arrays):
        labels = json.loads(config["info"])["labels"]
        z = (self.x + arrays["shift"]) @ arrays["fc.weight"].T + arrays["fc.bias"]
        right = [labels[i] == y for i, y in zip(z.argmax(1), self.y, strict=True)]
        told = {"num-examples": len(self.y), "loss": 0.5, "accuracy": float(np.mean(right)), "label-counts": self.counts(labels)}
        told["label-right"] = [sum(r for r, y in zip(right, self.y, strict=True) if y == label) for label in labels]
        return {"config": {"info": config["info"]}, "metrics": told}


class Grid:
    """Flower's, as far as the app uses it. A board that is None does not answer; a text is its error."""

    def __init__(self, boards):
        self.boards = dict(enumerate(boards, start=1))
        self.gone = set()
        self.told = []

    def push_messages(self, messages):
        """What nobody waits for an answer to: by the receiver's name."""
        self.told += [(self.boards[message.metadata.dst_node_id].name, message.content["config"]["refused"]) for message in messages]

    def get_nodes(self):
        return [SimpleNamespace(node_id=node, name="") for node in self.boards if node not in self.gone]

    def send_and_receive(self, messages, *, timeout=None):
        replies = []
        for message in messages:
            message.metadata.__dict__["_message_id"] = message.object_id
            if message.metadata.dst_node_id in self.gone:
                # As the SuperLink answers for a node that it no longer hears: from nobody in particular.
                gone = Message(Error(5, "Node Unavailable"), reply_to=message)
                gone.metadata.__dict__["_src_node_id"] = 0
                replies.append(gone)
                continue
            board = self.boards[message.metadata.dst_node_id]
            try:
                content = board.answer(message)
            except Silence:
                continue
            except Failure as failure:
                replies.append(Message(Error(0, str(failure)), reply_to=message))
                continue
            replies.append(Message(content, reply_to=message))
        # Whoever is ready first answers first; the app is to bring them in order.
        return replies[::-1]


class Silence(Exception):
    """The board does not answer."""


class Failure(Exception):
    """The board says why it cannot."""


def drawings(classes, seed=0, count=12, width=6):
    """Points about a mean for each class, some of which lie near each other."""
    random = np.random.default_rng(seed)
    means = random.normal(0, 1.2, (len(classes), width))
    return {label: means[i] + random.normal(0, 0.7, (count, width)) for i, label in enumerate(classes)}
