"""
The server's app without a network: Flower's grid over the pipes of this process, for boards that live in the process at their other end (inprocess.mjs). All else is the
app's own, so the same boards, seeds and options give the same adapter as over a SuperLink, byte for byte.

    python tools/fleet/pipegrid.py '{"nodes": ["a", "b"], "options": {"rounds": 3, "out": "folder"}}'

Each question is a line on standard output, [{"node", "id", "type", "group", "ttl", "created", "objects": {name: base64}}, …]; its answers are a line on standard input,
[{"id", "objects"}, …], in the same order. Where the run cannot go on the last line is {"refused": sentence}.
"""

import base64
import json
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

APP = Path(__file__).parents[2] / "targets" / "flower"
sys.path.insert(0, str(APP))

from flwr.app import Message  # noqa: E402
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects  # noqa: E402
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents  # noqa: E402
from flwr.supercore.logger import FLOWER_LOGGER  # noqa: E402
from flwr.supercore.task_identity import TaskIdentity  # noqa: E402
from s2afleet.fleet import Fleet  # noqa: E402
from s2afleet.refusal import Refusal  # noqa: E402
from s2afleet.settings import read_settings  # noqa: E402

# Flower makes no message outside a run.
TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1


class PipeGrid:
    """Flower's grid, as far as the app uses it."""

    def __init__(self, names: list[str]) -> None:
        self.nodes = [SimpleNamespace(node_id=node, name=name) for node, name in enumerate(names, start=1)]

    def get_nodes(self) -> list[SimpleNamespace]:
        """All, always."""
        return self.nodes

    def send_and_receive(self, messages: list[Message], *, timeout: float | None = None) -> list[Message]:
        """A line out, a line in."""
        asked = []
        for message in messages:
            objects = {name: item.deflate() for name, item in get_all_nested_objects(message).items()}
            about = message.metadata
            about.__dict__["_message_id"] = message.object_id
            told = {"node": about.dst_node_id, "id": message.object_id, "type": about.message_type, "group": about.group_id}
            packed = {name: base64.b64encode(data).decode() for name, data in objects.items()}
            asked.append({**told, "ttl": about.ttl, "created": about.created_at, "objects": packed})
        print(json.dumps(asked), flush=True)
        line = sys.stdin.readline()
        if not line:
            raise SystemExit("the boards are gone")
        answers = json.loads(line)
        return [inflate_object_from_contents(one["id"], {name: base64.b64decode(data) for name, data in one["objects"].items()}) for one in answers]

    def push_messages(self, messages: list[Message]) -> None:
        """What nobody waits for an answer to; these boards do without."""


def main() -> None:
    """One run."""
    asked = json.loads(sys.argv[1])
    defaults = tomllib.loads((APP / "pyproject.toml").read_text())["tool"]["flwr"]["app"]["config"]
    FLOWER_LOGGER.setLevel("CRITICAL")
    try:
        Fleet(PipeGrid(asked["nodes"]), read_settings({**defaults, **asked["options"]})).run()
    except Refusal as refusal:
        print(json.dumps({"refused": str(refusal)}), flush=True)


if __name__ == "__main__":
    main()
