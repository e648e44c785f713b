"""Pillow's grey and RGBA pixels, for networks of one channel and of four, into test/golden/pictures/channels.json:

    python tools/golden/channels.py FOLDER

FOLDER holds the PNG files of test/support/pngs.ts with clear colours, one a kind: node tools/golden/pngfiles.mjs FOLDER. Grey of 16 bits is taken by
its high byte: convert('L') would cut it off at 255. `convert`: SHA-256 of convert('L') and convert('RGBA') of each, and of
test/golden/pictures. `resize`: the same pixels resized, as base64.
"""

import base64, hashlib, json, pathlib, sys
import numpy as np
import PIL
from PIL import Image

pictures = pathlib.Path(__file__).parents[2] / "test" / "golden" / "pictures"


def text(image):
    return base64.b64encode(np.asarray(image).tobytes()).decode()


def opened(path):
    image = Image.open(path)
    if image.mode.startswith("I"):
        image = Image.fromarray((np.array(image).astype(np.int64) >> 8).astype(np.uint8))
    return image


convert = {}
for path in [*sorted(pathlib.Path(sys.argv[1]).iterdir()), *sorted(p for p in pictures.iterdir() if p.suffix in (".png", ".webp", ".jpg"))]:
    image = opened(path)
    both = {mode: image.convert(mode) for mode in ("L", "RGBA")}
    # JPEGs are compared within two levels, so their bytes are needed.
    convert[path.name] = {m: text(i) if path.suffix == ".jpg" and m == "L" else hashlib.sha256(np.asarray(i).tobytes()).hexdigest()[:16] for m, i in both.items()}

y, x = np.mgrid[0:31, 0:42]
rgba = np.stack([x * 6 & 255, y * 8 & 255, (x * y * 3) & 255, (x * 31 + y * 17) & 255], -1).astype(np.uint8)
rgba[:, :9, 3] = 0
rgba[20:, :, 3] = 255
image = Image.fromarray(rgba)
resize = []
for to in [(16, 12), (42, 31), (57, 40), (42, 12)]:
    for name, code in {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}.items():
        resize.append({"to": to, "resample": name, "L": text(image.convert("L").resize(to, code)), "RGBA": text(image.resize(to, code))})
out = {"pillow": PIL.__version__, "convert": convert, "rgba": text(image), "resize": resize}
(pictures / "channels.json").write_text(json.dumps(out, indent=0) + "\n")
