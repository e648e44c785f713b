"""An adapter as one array: fifty tensors sent one by one cost as much in names and digests as in numbers."""

import json
from typing import Any

import numpy as np

from .adapter import Arrays
from .refusal import refuse

NAME = "adapter"
MOST_TENSORS = 10_000


def layout_of(arrays: Arrays) -> str:
    """Names and shapes in the order of the numbers, as JSON: [["name",[shape]],…]."""
    return json.dumps([[name, list(arrays[name].shape)] for name in sorted(arrays)], ensure_ascii=False, separators=(",", ":"))


def pack(arrays: Arrays) -> Arrays:
    """One f32 array, tensors row-major and one after the other in the order of `layout_of`."""
    return {NAME: np.concatenate([np.ravel(arrays[name]) for name in sorted(arrays)]).astype(np.float32, copy=False)}


def unpack(where: str, arrays: Arrays, layout: Any) -> Arrays:
    """The tensors of a packed answer; nothing in the layout is trusted. Raises Refusal."""
    if set(arrays) != {NAME} or arrays[NAME].ndim != 1 or arrays[NAME].dtype != np.float32:
        raise refuse(where, "has a layout, but not the one array adapter f32 [N]")
    try:
        rows = json.loads(layout)
        shapes = {name: tuple(shape) for name, shape in rows}
        is_good = (
            len(shapes) == len(rows) <= MOST_TENSORS
            and all(type(name) is str and 0 < len(shape) <= 8 for name, shape in shapes.items())
            and all(type(n) is int and 0 < n < 1 << 31 for shape in shapes.values() for n in shape)
        )
    except (TypeError, ValueError, RecursionError):
        is_good = False
    if not is_good:
        raise refuse(where, "bad layout", layout, '[["name",[shape]],…]')
    sizes = {name: int(np.prod(np.array(shape, dtype=object))) for name, shape in shapes.items()}
    flat = arrays[NAME]
    if sum(sizes.values()) != flat.size:
        raise refuse(where, "the layout does not fit the array", sum(sizes.values()), f"{flat.size} numbers")
    found: Arrays = {}
    at = 0
    for name, shape in shapes.items():
        found[name] = flat[at : at + sizes[name]].reshape(shape)
        at += sizes[name]
    return found
