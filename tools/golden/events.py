"""Golden data for test/formats/events.test.ts: an event file by TensorBoard's own messages and record writer.

    python -m venv venv && venv/bin/pip install tensorboard && venv/bin/python tools/golden/events.py [folder]

Writes test/golden/events.tfevents. With a folder: prints what TensorBoard reads from it, as JSON.
"""

import json
import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

if len(sys.argv) > 1:
    found = EventAccumulator(sys.argv[1]).Reload()
    tags = found.Tags()["scalars"]
    print(json.dumps({tag: [[s.step, s.value] for s in found.Scalars(tag)] for tag in tags}))
    sys.exit()

out = pathlib.Path(__file__).parents[2] / "test" / "golden" / "events.tfevents"
with open(out, "wb") as file:
    writer = RecordWriter(file)
    events = [
        Event(wall_time=1700000000.25, file_version="brain.Event:2"),
        Event(wall_time=1700000001.5, step=3, session_log=SessionLog(status=SessionLog.START)),
    ]
    for step, pairs in [(300, [("train/loss", 0.75), ("train/rate", 1e-3)]), (2**40, [("epoch/val_accuracy", 0.1)])]:
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in pairs]
        events.append(Event(wall_time=1700000002.0, step=step, summary=Summary(value=values)))
    for event in events:
        writer.write(event.SerializeToString())
print(out, out.stat().st_size)
