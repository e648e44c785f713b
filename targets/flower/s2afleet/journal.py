"""
What a run leaves in its folder, so that it can be watched and taken up again:

    metrics.jsonl      a line for each phase of each round
    options.json       what the run was asked for, as it was begun or taken up last
    rounds/000 …       the global adapter after each round, as s2a writes adapters, and what the strategy remembers (server.npz)
    adapter/           the last of them again, at a name that stays
    state.json         which round is whole; its rename is the commit
    lock               held while a run goes on; the system lets go of it with the process, however that ends
"""

import fcntl
import io
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from .adapter import Arrays, read_adapter, write_adapter, write_whole
from .identity import Identity
from .refusal import refuse

FORMAT = 1
# How long a folder is waited for, in seconds: what a killed SuperLink had started goes on after it, for 8 to 9 s where nothing else kept the machine busy.
PATIENCE = 30.0


@dataclass
class Whole:
    """Where a run stands."""

    round: int
    identity: Identity
    arrays: Arrays
    remembered: dict[str, np.ndarray]


@contextmanager
def writing(folder: Path, hint: str = "resume=true goes on after the last whole round, when there is room") -> Iterator[None]:
    """What the system says of a write, in a sentence. Raises Refusal."""
    try:
        yield
    except OSError as error:
        raise refuse(str(error.filename or folder), "cannot be written", error.strerror, hint=hint) from None


class Journal:
    """The folder of one run."""

    def __init__(self, folder: Path, keep_rounds: bool) -> None:
        self.folder = folder
        self.keep_rounds = keep_rounds
        self.lines = folder / "metrics.jsonl"
        self.state = folder / "state.json"
        self.lock: IO[str] | None = None

    def begin(self, resume: bool) -> Whole | None:
        """Where the run that stands there ended. Raises Refusal where there is one and it was not said that it goes on, or the other way round."""
        with writing(self.folder, "out names the folder that a run writes"):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._hold()
        if not self.state.exists():
            if resume:
                raise refuse(str(self.folder), "holds no run to go on with", hint="resume=false begins one")
            if self.lines.exists():
                self.lines.unlink()
            return None
        if not resume:
            raise refuse(str(self.folder), "already holds a run", hint="resume=true goes on with it; or name another folder in out")
        try:
            state = json.loads(self.state.read_text())
            number = state["round"]
            if state["format"] != FORMAT or type(number) is not int or number < 0:
                raise ValueError
        except (ValueError, KeyError, TypeError):
            raise refuse(str(self.state), "is not what this server writes") from None
        folder = self.folder / "rounds" / f"{number:03d}"
        identity, arrays = read_adapter(folder)
        remembered = folder / "server.npz"
        loaded = dict(np.load(remembered, allow_pickle=False)) if remembered.exists() else {}
        with writing(self.folder):
            self._drop_after(number)
            # A server that was lost between the two has the round before at this name.
            write_adapter(self.folder / "adapter", identity, arrays)
        return Whole(number, identity, arrays, loaded)

    def _hold(self) -> None:
        """One run a folder: two would write each other's rounds."""
        self.lock = open(self.folder / "lock", "w")
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    hint = "flwr list shows it, flwr stop ends it"
                    raise refuse(str(self.folder), "another run goes on in this folder", hint=hint) from None
                time.sleep(0.1)

    def release(self) -> None:
        """Lets go of the folder."""
        if self.lock is not None:
            self.lock.close()

    def options(self, told: dict[str, Any]) -> None:
        """Writes down what the run was asked for, for people; nothing is read back."""
        with writing(self.folder):
            write_whole(self.folder / "options.json", f"{json.dumps(told, ensure_ascii=False, indent=2)}\n".encode())

    def _drop_after(self, number: int) -> None:
        """Lines of a round that did not become whole: it will be run again."""
        kept = []
        for line in self.lines.read_text().splitlines() if self.lines.exists() else []:
            try:
                if json.loads(line).get("round", 0) <= number:
                    kept.append(line)
            except ValueError:
                continue
        write_whole(self.lines, "".join(f"{line}\n" for line in kept).encode())

    def tell(self, line: dict[str, Any]) -> None:
        """Adds a line; on the disk before this returns."""
        with writing(self.folder), open(self.lines, "a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line, ensure_ascii=False, allow_nan=False)}\n")
            file.flush()
            os.fsync(file.fileno())

    def commit(self, whole: Whole) -> None:
        """A round is whole."""
        with writing(self.folder):
            self._commit(whole)

    def _commit(self, whole: Whole) -> None:
        folder = self.folder / "rounds" / f"{whole.round:03d}"
        write_adapter(folder, whole.identity, whole.arrays)
        if whole.remembered:
            packed = io.BytesIO()
            np.savez(packed, **whole.remembered)
            write_whole(folder / "server.npz", packed.getvalue())
        write_whole(self.state, f"{json.dumps({'format': FORMAT, 'round': whole.round})}\n".encode())
        write_adapter(self.folder / "adapter", whole.identity, whole.arrays)
        for other in [] if self.keep_rounds else sorted((self.folder / "rounds").iterdir()):
            if other != folder:
                shutil.rmtree(other)
