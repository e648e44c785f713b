"""One question to several nodes: what is sent, what comes back, who fell out, what it cost."""

import time
from dataclasses import dataclass, field
from typing import Any, Callable

import flwr
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects

from .adapter import Arrays
from .answers import FORMAT, Answer, read_answer
from .identity import Identity
from .packed import layout_of, pack
from .refusal import Refusal

#: Message types of Flower by the kinds of our questions.
TYPES = {"query": "query", "start": "train", "sums": "train", "train": "train", "evaluate": "evaluate"}


@dataclass
class Asked:
    """Answers by the nodes' names; `fell` did not answer or said why they could not (`unheard`: their ids), `refused` answered what cannot be used (`turned`: why, by their ids)."""

    answers: list[Answer] = field(default_factory=list)
    fell: list[dict[str, str]] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)
    unheard: set[int] = field(default_factory=set)
    turned: dict[int, str] = field(default_factory=dict)
    bytes: dict[int, tuple[int, int]] = field(default_factory=dict)
    seconds: float = 0.0

    def refuse(self, name: str, node: int, why: str) -> None:
        """Writes down that a node's answer is not used."""
        self.refused.append({"name": name, "why": why})
        self.turned[node] = why

    def check(self, what: Callable[[Answer], None]) -> None:
        """Moves the answers that `what` refuses."""
        kept = []
        for answer in self.answers:
            try:
                what(answer)
                kept.append(answer)
            except Refusal as refusal:
                self.refuse(answer.name, answer.node, str(refusal))
        self.answers = kept

    def join(self, later: "Asked") -> None:
        """Adds what the same question brought when it was asked again."""
        self.answers = sorted([*self.answers, *later.answers], key=lambda answer: (answer.name, answer.node))
        self.refused += later.refused
        self.turned |= later.turned
        self.fell = later.fell
        self.seconds += later.seconds
        for node, (down, up) in later.bytes.items():
            before = self.bytes.get(node, (0, 0))
            self.bytes[node] = (before[0] + down, before[1] + up)

    def line(self, number: int, phase: str) -> dict[str, Any]:
        """The journal's line, without what the phase itself adds."""
        down, up = (sum(pair[i] for pair in self.bytes.values()) for i in (0, 1))
        return {
            "round": number,
            "phase": phase,
            "seconds": round(self.seconds, 3),
            "nodes": [self._node(answer) for answer in self.answers],
            "traffic": {"down": down, "up": up},
            "fell": self.fell,
            "refused": self.refused,
        }

    def _node(self, answer: Answer) -> dict[str, Any]:
        told = {key: answer.metrics[key] for key in ("loss", "accuracy", "seconds", "peak-bytes") if key in answer.metrics}
        labels = dict(zip(answer.identity.labels, answer.counts)) if answer.counts else {}
        down, up = self.bytes.get(answer.node, (0, 0))
        return {"name": answer.name, "examples": answer.examples, **told, "labels": labels, "down": down, "up": up}


def _sizes(content: RecordDict) -> dict[str, int]:
    """Bytes on the wire of each of Flower's objects, by their digests."""
    return {name: len(item.deflate()) for name, item in get_all_nested_objects(content).items()}


class Asker:
    """Asks through Flower's grid. `names` are those that keys were registered under, by node."""

    def __init__(self, grid: Grid, fleet: str, rounds: int, wait: float) -> None:
        self.grid = grid
        self.common = {"format": FORMAT, "fleet": fleet, "rounds": rounds, "flwr": flwr.__version__}
        self.wait = wait
        self.names: dict[int, str] = {}
        #: Objects that a node was sent last: it keeps them by their digests and does not pull them twice.
        self.sent: dict[int, set[str]] = {}

    def online(self) -> list[int]:
        """Ids of the nodes that are there."""
        nodes = list(self.grid.get_nodes())
        self.names.update({node.node_id: node.name for node in nodes if getattr(node, "name", "")})
        return sorted(node.node_id for node in nodes)

    def ask(self, kind: str, number: int, nodes: list[int], identity: Identity | None, more: dict[str, Any], arrays: Arrays) -> Asked:
        """Asks and waits, `wait` seconds at most; answers come in the order of the nodes' names."""
        config = {**self.common, "round": number, "info": identity.text() if identity else "", **more}
        if arrays:
            config["layout"] = layout_of(arrays)
        record = ArrayRecord({name: Array(value) for name, value in pack(arrays).items()} if arrays else {})
        content = RecordDict({"config": ConfigRecord(config), "arrays": record})
        sizes = _sizes(content)
        began = time.monotonic()
        ttl = max(60.0, 2 * self.wait)
        messages = [Message(content, dst_node_id=node, message_type=TYPES[kind], group_id=str(number), ttl=ttl) for node in nodes]
        asked = Asked()
        left = set(nodes)
        replies = self.grid.send_and_receive(messages, timeout=self.wait)
        # The SuperLink itself answers for a node that it no longer hears: what was asked says of whom an answer is. Sending gives a message its id.
        receivers = {message.metadata.message_id: message.metadata.dst_node_id for message in messages}
        for reply in replies:
            node = receivers.get(reply.metadata.reply_to_message_id)
            if node not in left:
                continue
            left.discard(node)
            down = sum(size for name, size in sizes.items() if name not in self.sent.get(node, ()))
            self.sent[node] = set(sizes)
            asked.bytes[node] = (down, 0 if reply.has_error() else sum(_sizes(reply.content).values()))
            try:
                asked.answers.append(read_answer(reply, node, identity, kind, self.names.get(node, "")))
            except Refusal as refusal:
                name = self.names.get(node, f"node {node}")
                if reply.has_error():
                    asked.fell.append({"name": name, "why": str(refusal)})
                    asked.unheard.add(node)
                else:
                    asked.refuse(name, node, str(refusal))
        asked.fell += [{"name": self.names.get(n, f"node {n}"), "why": f"no answer within {self.wait:g} s"} for n in sorted(left)]
        asked.unheard |= left
        asked.answers.sort(key=lambda answer: (answer.name, answer.node))
        asked.seconds = time.monotonic() - began
        self._one_each(asked)
        return asked

    def inform(self, number: int, turned: dict[int, str]) -> None:
        """Tells those whose answers are not used why; nobody waits for what they say to that."""
        common = {**self.common, "round": number, "info": ""}
        told = {node: RecordDict({"config": ConfigRecord({**common, "refused": why}), "arrays": ArrayRecord({})}) for node, why in turned.items()}
        if told:
            self.grid.push_messages([Message(content, dst_node_id=node, message_type="query", group_id=str(number), ttl=self.wait) for node, content in told.items()])

    def _one_each(self, asked: Asked) -> None:
        seen: dict[str, int] = {}
        kept = []
        for answer in asked.answers:
            if seen.setdefault(answer.name, answer.node) == answer.node:
                kept.append(answer)
                # From now on it is called so here too.
                self.names.setdefault(answer.node, answer.name)
            else:
                asked.refuse(answer.name, answer.node, f"{answer.name}: the name is taken by another node")
        asked.answers = kept
