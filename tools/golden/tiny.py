"""Writes test/golden/tiny.safetensors with the reference implementation: pip install safetensors==0.8.0 numpy."""

import numpy as np
from safetensors.numpy import save_file

save_file(
    {
        "b.weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 4,
        "a.weight": np.array([1.5, -2.0], dtype=np.float32),
        "größe": np.array(0.5, dtype=np.float16),
        'quote"\\line\n': np.array([1, -2, 3], dtype=np.int64),
        "empty": np.zeros((0, 5), dtype=np.float64),
        "mask": np.array([True, False, True]),
        "bytes": np.arange(5, dtype=np.uint8),
    },
    "test/golden/tiny.safetensors",
    metadata={"format": "np"},
)
