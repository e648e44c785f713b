"""Pillow's pixels of the PNG files of test/support/pngs.ts, as sums: python tools/golden/pngs.py FOLDER > test/golden/pictures/pngs.json

FOLDER holds one file a kind and order of rows, `NAME` and `NAME interlaced`; both must give the same. Grey of 16 bits is taken
by its high byte: convert('RGB') would cut it off at 255.
"""

import hashlib, json, pathlib, sys
import numpy as np
from PIL import Image

sums = {}
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    image = Image.open(path)
    if image.mode.startswith("I"):
        grey = (np.array(image).astype(np.int64) >> 8).astype(np.uint8)
        rgb = np.stack([grey] * 3, -1)
    else:
        rgb = np.array(image.convert("RGB"))
    total = hashlib.sha256(rgb.tobytes()).hexdigest()[:16]
    name = path.stem.removesuffix(" interlaced")
    assert sums.setdefault(name, total) == total, path
print(json.dumps(sums, indent=1, ensure_ascii=False))
