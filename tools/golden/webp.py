"""Small WebP files and Pillow's pixels of them, into test/golden/pictures: python tools/golden/webp.py"""

import base64, json, pathlib
import numpy as np
from PIL import Image

folder = pathlib.Path("test/golden/pictures")
y, x = np.mgrid[0:17, 0:26]
rgb = np.stack([x * 9, y * 14, (x * y * 3 + 90 * ((x // 5 + y // 4) % 2)) % 256], -1).astype(np.uint8)
alpha = ((x * 31 + y * 17) % 256).astype(np.uint8)
alpha[:, :6] = 0
opaque = Image.fromarray(rgb)
clear = Image.fromarray(np.dstack([rgb, alpha]))
files = {
    "lossy": (opaque, dict(quality=70)),
    "lossy-alpha": (clear, dict(quality=70)),
    "lossless": (opaque, dict(lossless=True)),
    "lossless-alpha": (clear, dict(lossless=True, exact=True)),
    "animated": (opaque, dict(quality=70, save_all=True, append_images=[opaque.rotate(180)], duration=100)),
    "animated-alpha": (clear, dict(lossless=True, exact=True, save_all=True, append_images=[clear.rotate(180)], duration=100)),
}
golden = json.loads((folder / "pictures.json").read_text())
for name, (image, how) in files.items():
    path = folder / f"{name}.webp"
    image.save(path, **how)
    pixels = np.array(Image.open(path).convert("RGB"))
    golden[path.name] = {"width": 26, "height": 17, "rgb": base64.b64encode(pixels.tobytes()).decode()}
(folder / "pictures.json").write_text(json.dumps(golden) + "\n")
