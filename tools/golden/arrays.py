"""Arrays as NumPy writes them, and what it says of them, into test/golden/arrays: python tools/golden/arrays.py"""

import json
import pathlib

import numpy as np

out = pathlib.Path(__file__).parents[2] / "test" / "golden" / "arrays"
out.mkdir(parents=True, exist_ok=True)
r = np.random.default_rng(7)
values = (r.normal(0, 1, (5, 3, 4, 2)) * [3, 0.25] + [100, -7]).astype("float32")
small = r.integers(-100, 100, (5, 3, 4))
files = {
    "f4": values,
    "f4-big": values.astype(">f4"),
    "f2": values.astype("float16"),
    "f8-exact": values.astype("float64"),
    "f8": values.astype("float64") + 1e-9,
    "i2": small.astype("int16"),
    "i8-big": small.astype(">i8"),
    "u1": (small & 255).astype("uint8"),
    "bool": small > 0,
    "fortran": np.asfortranarray(values),
    "complex": values.astype("complex64"),
    "text": np.array(["a", "b"]),
    "records": np.zeros(3, dtype=[("a", "<i4"), ("b", "<f4")]),
}
said = {}
for name, array in files.items():
    np.save(out / f"{name}.npy", array)
    if array.dtype.kind in "fiub":
        said[name] = {"shape": array.shape, "descr": np.lib.format.dtype_to_descr(array.dtype), "numbers": array.astype("float64").ravel().tolist()}
for version in ((2, 0), (3, 0)):
    with open(out / f"version-{version[0]}.npy", "wb") as file:
        np.lib.format.write_array(file, values[:1], version=version)
    said[f"version-{version[0]}"] = {"shape": values[:1].shape, "descr": "<f4", "numbers": values[:1].astype("float64").ravel().tolist()}
channels = values.astype("float64").reshape(-1, 2)
said["statistics"] = {"mean": channels.mean(0).tolist(), "std": channels.std(0).tolist()}
(out / "arrays.json").write_text(json.dumps(said) + "\n")
