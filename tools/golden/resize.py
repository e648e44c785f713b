"""Golden data for test/data: Pillow's resizing and decoding.

    python -m venv venv && venv/bin/pip install pillow numpy && venv/bin/python tools/golden/resize.py

Writes test/golden/resize.json (outputs of resizing the integer pattern below) and test/golden/pictures/* with their RGB
as Pillow decodes them in pictures.json.
"""

import base64
import io
import json
import pathlib

import numpy as np
import PIL
from PIL import Image

out = pathlib.Path(__file__).parents[2] / "test" / "golden"
(out / "pictures").mkdir(parents=True, exist_ok=True)


def pattern(width, height):
    """Smooth waves and hard edges from integers alone; test/support/pattern.ts computes the same."""
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for c in range(3):
        ramp = (x * (7 + c) + y * (5 - c)) & 255
        check = (((x >> 3) + (y >> 2) + c) & 1) * 200
        noise = (x * x * 31 + y * y * 17 + x * y * 13 + c * 91) & 63
        planes.append(((ramp + check) >> 1) + noise // 2)
    return Image.fromarray(np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8))


def text(image):
    return base64.b64encode(np.asarray(image.convert("RGB")).tobytes()).decode()


filters = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
cases = []
for size, to in [((61, 47), (16, 16)), ((7, 5), (16, 12)), ((640, 480), (14, 14)), ((33, 200), (9, 31)), ((16, 16), (16, 16))]:
    for name, code in filters.items():
        cases.append(
            {"from": size, "to": to, "resample": name, "rgb": text(pattern(*size).resize(to, code))}
        )

# Shortest edge, then centre crop: the long side by int(edge · long / short); margins as Hugging Face (floor) and torchvision (round).
for size, edge, crop in [((61, 47), 20, 17), ((40, 95), 16, 11), ((50, 50), 15, 14)]:
    for rounding in ["floor", "even"]:
        w, h = size
        new = (edge, int(edge * h / w)) if w <= h else (int(edge * w / h), edge)
        image = pattern(w, h).resize(new, Image.BICUBIC)
        margin = (lambda a: (a - crop) // 2) if rounding == "floor" else (lambda a: int(round((a - crop) / 2.0)))
        left, top = margin(new[0]), margin(new[1])
        image = image.crop((left, top, left + crop, top + crop))
        cases.append({"from": size, "edge": edge, "crop": crop, "rounding": rounding, "resample": "bicubic", "rgb": text(image)})
(out / "resize.json").write_text(json.dumps({"pillow": PIL.__version__, "cases": cases}) + "\n")

# Smooth, so that decoders may differ by rounding alone.
y, x = np.mgrid[0:17, 0:26]
smooth = Image.fromarray(np.stack([x * 9 + y, 255 - y * 11, (x * 5 + y * 7)], -1).clip(0, 255).astype(np.uint8))
files = {}


def jpeg(name, image, **options):
    image.save(out / "pictures" / name, "JPEG", quality=92, **options)


jpeg("rgb.jpg", smooth)
jpeg("progressive.jpg", smooth, progressive=True)
jpeg("grey.jpg", smooth.convert("L"))
ink = np.asarray(smooth.convert("CMYK")).copy()
ink[..., 3] = np.minimum(255, x * 4 + y * 3)
cmyk = Image.fromarray(ink, "CMYK")
jpeg("cmyk.jpg", cmyk)
jpeg("cmyk-progressive.jpg", cmyk, progressive=True)
jpeg("cmyk-restart.jpg", cmyk, restart_marker_blocks=2)
# YCCK: Pillow writes four planes as they are (inverted); the planes are Y, Cb, Cr, K and the Adobe marker is told so.
planes = np.concatenate([np.asarray(smooth.convert("YCbCr")), 255 - ink[..., 3:]], -1)
buffer = io.BytesIO()
Image.fromarray(255 - planes, "CMYK").save(buffer, "JPEG", quality=92)
data = bytearray(buffer.getvalue())
at = data.index(b"Adobe") + 11
assert data[at] == 0
data[at] = 2
(out / "pictures" / "ycck.jpg").write_bytes(data)


def png(name, image, **options):
    image.save(out / "pictures" / name, "PNG", **options)


png("rgb.png", smooth)
png("grey.png", smooth.convert("L"))
png("bilevel.png", smooth.convert("1"))
png("palette.png", smooth.quantize(11))
png("palette-clear.png", smooth.quantize(200), transparency=3)
rgba = smooth.convert("RGBA")
rgba.putalpha(smooth.convert("L"))
png("alpha.png", rgba)
png("grey-alpha.png", rgba.convert("LA"))

for path in sorted((out / "pictures").iterdir()):
    if path.suffix in (".jpg", ".png"):
        image = Image.open(path)
        files[path.name] = {"width": image.width, "height": image.height, "rgb": text(image)}
(out / "pictures" / "pictures.json").write_text(json.dumps(files) + "\n")
