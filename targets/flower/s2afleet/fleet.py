"""A run from the first question to the last adapter."""

import random
import time
from logging import INFO, WARNING
from pathlib import Path
from typing import Any

import numpy as np
from flwr.serverapp import Grid
from flwr.supercore import log

from . import closed
from .adapter import Arrays, read_adapter, weights_file
from .answers import Answer, check_sums, check_update, odd_rates
from .asking import Asked, Asker
from .combine import Combiner
from .identity import FREE, RATES, Identity, check_same
from .journal import Journal, Whole
from .packed import layout_of
from .refusal import refuse, shown
from .settings import Settings

#: Of these many nodes the tensors before the first step are asked; they must agree to the byte.
STARTERS = 3
#: Before the first round a matrix up to this size is worth it, which is that of 723 features.
MOST_GRAM_BYTES = 1 << 20
#: What a round may cost a board: so many times the adapter's file, and so many bytes beside.
MOST_TIMES, MOST_BESIDE = 2.1, 8192
#: Bytes of two questions' and answers' records beside their longest texts.
RECORDS = 3400
#: How often those are asked for sums who fell out.
TRIES = 3
#: Parts of a method that are none of the base's own network, which s2a merge refuses too.
UNMERGED = {"prompt": "prompts", "side": "a side branch", "depth": "an early end"}
#: So many rounds in a row without a usable answer end a run.
MOST_EMPTY = 3


class Fleet:
    """One run of the server's app."""

    def __init__(self, grid: Grid, settings: Settings) -> None:
        self.settings = settings
        self.asker = Asker(grid, settings.fleet, settings.rounds, settings.wait)
        self.journal = Journal(settings.out, settings.keep_rounds)
        at_server = settings.noise_at == "server"
        clip, noise = (settings.clip, settings.noise) if at_server else (0.0, 0.0)
        self.combiner = Combiner(settings.strategy, settings.server_rate, settings.malicious, clip, noise)
        #: Nodes that answered the first question well, by their names.
        self.members: dict[str, Answer] = {}
        #: Nodes that have answered it, well or not.
        self.heard: set[int] = set()
        self.identity: Identity | None = None
        self.arrays: Arrays = {}

    def run(self) -> None:
        """All rounds. Raises Refusal where the run cannot go on."""
        try:
            self._rounds()
        finally:
            self.journal.release()

    def _rounds(self) -> None:
        settings = self.settings
        whole = self.journal.begin(settings.resume)
        self.journal.options(settings.told())
        if whole is not None:
            self.identity, self.arrays = whole.identity, whole.arrays
            self.combiner.remember(whole.remembered)
        elif settings.adapter:
            self.identity, self.arrays = read_adapter(Path(settings.adapter))
        self.meet(whole.round if whole else 0)
        self._check_local()
        if whole is None:
            self.start()
            self.commit(0)
            self.evaluate(0)
        empty = 0
        for number in range((whole.round if whole else 0) + 1, settings.rounds + 1):
            self.meet(number)
            used = self._sums(number) if self._is_for_the_head(number) else self.train(number)
            empty = 0 if used else empty + 1
            self.evaluate(number)
            self.commit(number)
            if empty == MOST_EMPTY:
                raise refuse(f"round {number}", f"nobody's answer could be used in {MOST_EMPTY} rounds in a row", hint="metrics.jsonl says why")
        log(INFO, "the fleet's adapter: %s", settings.out / "adapter")

    def _check_local(self) -> None:
        """Rounds of the head alone learn over a network into which the rest is merged: refused at once where that cannot be."""
        found = [UNMERGED[part] for part in self.identity.parts if part in UNMERGED]
        if self.identity.fields["base"]["type"] == "onnx":
            found.append("an ONNX file")
        if self.settings.local == "probe" and found:
            raise refuse(
                "local",
                f"the head cannot learn alone where the method or network has {found[0]}, into which nothing can be merged",
                f"probe with the method {self.identity.method}",
                'local="method", or boards whose method is bias, lora or full',
            )

    def commit(self, number: int) -> None:
        """Writes what the round ended with."""
        self.journal.commit(Whole(number, self.identity, self.arrays, self.combiner.remembered()))

    def meet(self, number: int) -> None:
        """Asks those who are new who they are, until there are enough. Raises Refusal where there are not."""
        until = time.monotonic() + self.settings.wait
        waiting = False
        # Who does not answer is asked again before the next round.
        tried: set[int] = set()
        while True:
            online = self.asker.online()
            new = [node for node in online if node not in self.heard | tried]
            # The first question waits for all that a run is to begin with: what they have in common is found from it.
            if new and (self.members or len(online) >= self.settings.nodes):
                tried.update(new)
                self._hear(number, new)
            here = sum(answer.node in online for answer in self.members.values())
            if here >= self.settings.nodes:
                return
            if time.monotonic() > until:
                raise refuse("nodes", "too few that can take part", here, f"{self.settings.nodes} within {self.settings.wait:g} s")
            if not waiting:
                log(INFO, "waiting for nodes: %d of %d", here, self.settings.nodes)
            waiting = True
            time.sleep(1)

    def _hear(self, number: int, nodes: list[int]) -> None:
        asked = self.asker.ask("query", number, nodes, None, {}, {})
        self.heard |= set(nodes) - asked.unheard
        if self.identity is None and asked.answers:
            self.identity = self._usual(asked.answers)
        if self.identity is not None:
            expected = self.identity
            asked.check(lambda answer: check_same(answer.name, answer.identity, expected))
            asked.check(self._check_labels)
        for answer in asked.answers:
            other = self.members.get(answer.name)
            if other is not None and other.node != answer.node and other.node in self.asker.online():
                asked.refuse(answer.name, answer.node, f"{answer.name}: the name is taken by another node")
            else:
                self.members[answer.name] = answer
        self._tell(asked, number, "query", {})

    def _usual(self, answers: list[Answer]) -> Identity:
        """What most of the nodes are of, where no adapter says it; labels are all that they have, in their order."""
        keys = [str({k: v for k, v in answer.identity.fields.items() if k not in FREE}) for answer in answers]
        most = max(sorted(set(keys)), key=keys.count)
        alike = [answer for answer, key in zip(answers, keys, strict=True) if key == most]
        labels = list(self.settings.labels) or sorted({label for answer in alike for label in answer.identity.labels})
        return alike[0].identity.with_labels(labels)

    def _check_labels(self, answer: Answer) -> None:
        stranger = next((label for label in answer.identity.labels if label not in self.identity.labels), None)
        if stranger is not None:
            raise refuse(answer.name, "has a label that the fleet does not have", stranger, hint="labels names the fleet's")

    def start(self) -> None:
        """The adapter before the first round: the base's own tensors, and a head in closed form."""
        settings = self.settings
        if not self.arrays:
            self._tensors()
        if settings.labels and list(settings.labels) != self.identity.labels:
            raise refuse("labels", "are not those of the adapter", ", ".join(settings.labels), ", ".join(self.identity.labels))
        # An adapter that a run begins from has a head of its own.
        if not settings.adapter or settings.head in ("gram", "diagonal"):
            self._sums(0)

    def _is_for_the_head(self, number: int) -> bool:
        """
        Whether a round makes the head anew, from sums over what the features are by now, in place of learning: a mean of heads that each saw few classes is worse
        than its features. Counted from the last round, which is one.
        """
        every, last = self.settings.refresh, self.settings.rounds
        return every > 0 and number > 1 and (last - number) % every == 0 and self._sums_kind(number) != "none"

    def _tensors(self) -> None:
        nodes = [self.members[name].node for name in sorted(self.members)][:STARTERS]
        asked = self.asker.ask("start", 0, nodes, self.identity, {"phase": "start", "seed": self.settings.seed}, {})
        expected = self.identity
        asked.check(lambda answer: check_start(answer, expected))
        prints = [{name: value.tobytes() for name, value in answer.arrays.items()} for answer in asked.answers]
        self._tell(asked, 0, "start", {})
        if not prints:
            raise refuse("start", "no node could say what the adapter is before the first step", hint="metrics.jsonl says why")
        if any(other != prints[0] for other in prints):
            raise refuse("start", "nodes of one base begin with different numbers", hint="one of them is not what it says; compare their s2a versions")
        self.arrays = {name: value.copy() for name, value in asked.answers[0].arrays.items()}

    def _sums_kind(self, number: int) -> str:
        """Which sums the head is made of; by itself no round takes more bytes for it than one may cost."""
        settings = self.settings
        widths = {answer.metrics["features"] for answer in self.members.values()}
        width = widths.pop() if len(widths) == 1 else 0
        fits = width > 0 and self.identity.is_classification and self._head_shapes_are(width)
        if settings.head in ("gram", "diagonal"):
            if not fits:
                raise refuse("head", "is not one that sums can be made for", settings.head, "none: the network has no linear classifier of its own")
            return settings.head
        if settings.head == "none" or settings.clip > 0 or not fits:
            return "none"
        gram = 2 * width * (width + 1)
        if gram > MOST_GRAM_BYTES:
            return "diagonal"
        return "gram" if number == 0 or self._is_cheap(gram, width) else "none"

    def _is_cheap(self, gram: int, width: int) -> bool:
        """Whether a round with a matrix of so many bytes costs a board what one may: the sums up, and the adapter down, which is judged."""
        rows = 4 * (width + 1) * max(len(answer.identity.labels) for answer in self.members.values())
        numbers = 4 * sum(value.size for value in self.arrays.values())
        beside = 2 * len(layout_of(self.arrays)) + 4 * len(self.identity.text()) + RECORDS
        return numbers + gram + rows + beside <= MOST_TIMES * len(weights_file(self.identity, self.arrays)) + MOST_BESIDE

    def _head_shapes_are(self, width: int) -> bool:
        shapes = sorted(self.arrays[name].shape for name in self.identity.head)
        count = len(self.identity.labels)
        return shapes == sorted([(count,), (count, width)])

    def _sums(self, number: int) -> bool:
        """Makes the head of sums; whether anybody's were used."""
        kind = self._sums_kind(number)
        if kind == "none":
            return False
        width = max(self.arrays[name].shape[-1] for name in self.identity.head if self.arrays[name].ndim == 2)
        asked = self._everyone("sums", number, {"phase": "sums", "seed": self.settings.seed, "sums": kind})
        asked.check(lambda answer: check_sums(answer, kind, width))
        found: dict[str, Any] = {}
        if asked.answers:
            sums, second = closed.add_sums(asked.answers, self.identity.labels)
            try:
                weight, bias, found = closed.ridge(sums, second) if kind == "gram" else closed.diagonal(sums, second)
                if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                    raise ValueError("the sums give no finite head")
                for name in self.identity.head:
                    self.arrays[name] = weight if self.arrays[name].ndim == 2 else bias
            except (ValueError, np.linalg.LinAlgError) as error:
                log(WARNING, "the head stays as it is: %s", error)
                found = {"why": str(error)}
        self._tell(asked, number, "sums", {"head": {"of": kind, **found}})
        return bool(asked.answers)

    def _everyone(self, kind: str, number: int, more: dict[str, Any]) -> Asked:
        """Asks all, and those again who fell out: a head lacks what is missing from its sums."""
        asked = self._ask(kind, number, self._chosen(0, 1.0), more)
        for _ in range(TRIES - 1):
            have = {answer.name for answer in asked.answers} | {one["name"] for one in asked.refused}
            missing = [name for name in self._chosen(0, 1.0) if name not in have]
            if not missing:
                break
            log(WARNING, "%s of %d nodes are missing; they are asked again", kind, len(missing))
            asked.join(self._ask(kind, number, missing, more))
        return asked

    def train(self, number: int) -> bool:
        """One round; whether anybody's update was used."""
        s = self.settings
        at_node = s.noise_at == "node"
        more = {
            "phase": "train",
            "seed": s.seed + number,
            "epochs": s.epochs,
            "rate": s.rate,
            "batch-size": s.batch_size,
            "local": s.local,
            "classes": s.classes,
            "optimizer": s.optimizer,
            "prox": s.prox,
            "clip": s.clip if at_node else 0.0,
            "noise": s.noise * s.clip if at_node else 0.0,
        }
        asked = self._ask("train", number, self._chosen(number, s.fraction_train), more)
        current = self.arrays
        asked.check(lambda answer: check_update(answer, current))
        odd = [answer.name for answer in odd_rates(asked.answers, current)]
        asked.check(lambda answer: _check_rates(answer, odd))
        if asked.answers:
            made = self.combiner.combine(number, asked.answers, self.identity.labels, self.identity.head, current)
            if not all(np.isfinite(value).all() for value in made.values()):
                raise refuse(f"round {number}", "the strategy made numbers that are not finite", self.settings.strategy, hint="a smaller server-rate")
            self.arrays = made
        self._tell(asked, number, "train", {"mean": mean_of(asked.answers)})
        return bool(asked.answers)

    def evaluate(self, number: int) -> None:
        """The global adapter on what the nodes keep for judging."""
        if self.settings.fraction_evaluate == 0:
            return
        asked = self._ask("evaluate", number, self._chosen(-number - 1, self.settings.fraction_evaluate), {})
        labels: dict[str, list[int]] = {label: [0, 0] for label in self.identity.labels}
        for answer in asked.answers:
            for label, right, count in zip(answer.identity.labels, answer.metrics["label-right"], answer.counts, strict=True):
                labels[label][0] += right
                labels[label][1] += count
        self._tell(asked, number, "evaluate", {"mean": mean_of(asked.answers), "labels": labels})

    def _ask(self, kind: str, number: int, names: list[str], more: dict[str, Any]) -> Asked:
        nodes = [self.members[name].node for name in names]
        return self.asker.ask(kind, number, nodes, self.identity, more, self.arrays)

    def _chosen(self, draw: int, fraction: float) -> list[str]:
        """Names of those who are asked: online, drawn by the seed and the round."""
        online = set(self.asker.online())
        names = sorted(name for name, answer in self.members.items() if answer.node in online)
        count = min(len(names), max(self.settings.nodes, round(fraction * len(names))))
        return sorted(random.Random(f"{self.settings.seed} {draw}").sample(names, count))

    def _tell(self, asked: Asked, number: int, phase: str, more: dict[str, Any]) -> None:
        self.journal.tell({**asked.line(number, phase), **more})
        self.asker.inform(number, asked.turned)
        for gone in [*asked.fell, *asked.refused]:
            log(WARNING, "round %d: %s", number, shown(gone["why"]))
        mean = more.get("mean")
        told = f", loss {mean['loss']:.4f}, accuracy {100 * mean['accuracy']:.1f} %" if mean else ""
        log(INFO, "round %d, %s: %d nodes, %.1f s%s", number, phase, len(asked.answers), asked.seconds, told)


def mean_of(answers: list[Answer]) -> dict[str, float] | None:
    """Loss and accuracy over all pictures of the answers."""
    total = sum(answer.examples for answer in answers)
    if total == 0:
        return None
    return {key: sum(answer.examples * answer.metrics[key] for answer in answers) / total for key in ("loss", "accuracy")}


def check_start(answer: Answer, expected: Identity) -> None:
    """The tensors before the first step: f32, and the head of all labels of the fleet. Raises Refusal."""
    if answer.identity.labels != expected.labels:
        raise refuse(answer.name, "the start is not of the fleet's labels")
    for name in expected.head:
        value = answer.arrays.get(name)
        if value is None or value.ndim == 0 or value.shape[0] != len(expected.labels):
            raise refuse(answer.name, f"the start's head {name} does not fit the labels", None if value is None else list(value.shape))
    odd = next((name for name, value in answer.arrays.items() if value.dtype != np.float32 or name == RATES), None)
    if odd is not None:
        raise refuse(answer.name, f"the start has a tensor {odd} that is not f32 or no part of the network")


def _check_rates(answer: Answer, odd: list[str]) -> None:
    if answer.name in odd:
        raise refuse(answer.name, f"tensor {RATES} is not of the shape that the others have, or not positive")
