"""Golden data for test/fleet: a Flower message with everything in it, as flwr itself takes it apart.

    python -m venv venv && venv/bin/pip install 'flwr==1.42.*' && venv/bin/python tools/golden/fleet.py

Writes test/golden/fleet.json: the message's metadata, its objects (base64) by name, their tree, the announcement, a pull's answer.
"""

import base64
import json
import pathlib

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, MetricRecord, RecordDict
from flwr.app.message.message import make_message, remove_content_from_message
from flwr.app.metadata import Metadata
from flwr.common.serde import message_to_proto
from flwr.proto.fleet_pb2 import PullMessagesResponse
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree

records = RecordDict(
    {
        "arrays": ArrayRecord(
            {
                "head.weight": Array(np.arange(6, dtype=np.float32).reshape(2, 3) / 8),
                "größe": Array(np.array([0.1, -2.5], dtype=np.float64)),
                "twice": Array(np.arange(6, dtype=np.float32).reshape(2, 3) / 8),
            }
        ),
        "metrics": MetricRecord({"num-examples": 20, "loss": 0.25, "label-counts": [3, 0, -1, 2**40], "rates": [0.5, 0.125]}),
        "config": ConfigRecord(
            {"format": 1, "name": "böard", "own": True, "labels": ["cat", "dog"], "blob": b"\x00\xff", "least": -(2**63), "rate": 1e-3}
        ),
    }
)
metadata = Metadata(
    run_id=2**64 - 5,
    message_id="",
    src_node_id=1,
    dst_node_id=2**63 + 11,
    reply_to_message_id="ab" * 32,
    group_id="7",
    created_at=1700000000.25,
    ttl=3600.5,
    message_type="train",
    src_task_id=3,
    dst_task_id=2**63 + 1,
)
message = make_message(metadata=metadata, content=records)
objects = {name: base64.b64encode(value.deflate()).decode() for name, value in get_all_nested_objects(message).items()}
tree = get_object_tree(message)
metadata.__dict__["_message_id"] = message.object_id
announced = message_to_proto(remove_content_from_message(message))
error = make_message(metadata=metadata, error=Error(code=0, reason="no pictures left"))
b64 = lambda proto: base64.b64encode(proto.SerializeToString(deterministic=True)).decode()
out = pathlib.Path(__file__).parents[2] / "test" / "golden" / "fleet.json"
out.write_text(
    json.dumps(
        {
            "id": message.object_id,
            "objects": objects,
            "tree": b64(tree),
            "announced": b64(announced),
            "error": base64.b64encode(error.deflate()).decode(),
            "pull": b64(PullMessagesResponse(messages_list=[announced], message_object_trees=[tree])),
        },
        indent=1,
    )
    + "\n"
)
print(out, out.stat().st_size)
