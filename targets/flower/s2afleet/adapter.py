"""The adapter's folder, byte for byte as s2a writes it: adapter_model.safetensors and adapter_config.json."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np

from . import jsontext
from .identity import Identity, read_identity
from .refusal import refuse

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
#: An adapter is small; what is larger was not written by s2a.
MOST_BYTES = 1 << 30

Arrays = dict[str, np.ndarray]


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all: beside it, to the disk, then renamed."""
    beside = path.with_name(f".{path.name}.tmp")
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def weights_file(identity: Identity, arrays: Arrays) -> bytes:
    """The bytes of adapter_model.safetensors."""
    fields = jsontext.write(identity.fields)
    parts = [f'"__metadata__":{{"format":"pt","s2a":{json.dumps(fields, ensure_ascii=False)}}}']
    end = 0
    for name in sorted(arrays):
        shape = ",".join(str(n) for n in arrays[name].shape)
        size = 4 * arrays[name].size
        parts.append(f'{json.dumps(name, ensure_ascii=False)}:{{"dtype":"F32","shape":[{shape}],"data_offsets":[{end},{end + size}]}}')
        end += size
    header = f"{{{','.join(parts)}}}".encode()
    header += b" " * (-len(header) % 8)
    data = [np.ascontiguousarray(arrays[name], dtype="<f4").tobytes() for name in sorted(arrays)]
    return len(header).to_bytes(8, "little") + header + b"".join(data)


def write_adapter(folder: Path, identity: Identity, arrays: Arrays) -> None:
    """Writes what `s2a predict` loads. The rename of the weights is the commit, as in s2a's own writer."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = jsontext.write(identity.fields)
    config = {
        "peft_type": "S2A",
        "task_type": "IMAGE_CLASSIFICATION",
        "base_model_name_or_path": identity.fields["base"]["type"],
        "inference_mode": True,
        "s2a": identity.fields,
        "digest": hashlib.sha256(fields.encode()).hexdigest(),
    }
    write_whole(folder / CONFIG, f"{jsontext.write(config, 2)}\n".encode())
    write_whole(folder / WEIGHTS, weights_file(identity, arrays))


def read_adapter(folder: Path) -> tuple[Identity, Arrays]:
    """Reads and checks the folder. Raises Refusal."""
    path = folder / WEIGHTS
    where = str(path)
    try:
        data = path.read_bytes() if path.stat().st_size <= MOST_BYTES else None
    except OSError as error:
        raise refuse(where, "cannot be read", error.strerror, hint="an adapter's folder, as `s2a train --out` writes it") from None
    if data is None:
        raise refuse(where, "is too large for an adapter", expected=f"at most {MOST_BYTES} bytes")
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8:
        raise refuse(where, "is no safetensors file, or not a whole one")
    try:
        header = jsontext.parse(f"{where}, header", data[8 : 8 + size].decode())
    except UnicodeDecodeError:
        raise refuse(where, "its header is not UTF-8 text") from None
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or type(metadata.get("s2a")) is not str:
        raise refuse(where, "its metadata has no s2a entry", hint="only adapters that s2a wrote can be used")
    identity = read_identity(where, metadata["s2a"])
    return identity, _tensors(where, header, data[8 + size :])


def _tensors(where: str, header: dict, data: bytes) -> Arrays:
    arrays: Arrays = {}
    end = 0
    try:
        rows = sorted(((int(t["data_offsets"][0]), int(t["data_offsets"][1]), name, t) for name, t in header.items()), key=lambda row: row[:3])
        for first, last, name, tensor in rows:
            shape = tuple(int(n) for n in tensor["shape"])
            if tensor["dtype"] != "F32" or first != end or last > len(data) or min(shape, default=1) < 1:
                raise ValueError
            arrays[name] = np.frombuffer(data[first:last], dtype="<f4").reshape(shape).copy()
            end = last
    except (KeyError, TypeError, ValueError, IndexError):
        raise refuse(where, "its tensors do not fit the file") from None
    if end != len(data):
        raise refuse(where, "has bytes that belong to no tensor", len(data) - end, 0)
    return arrays
