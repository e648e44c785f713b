"""Writes test/golden/preprocess.safetensors: what the processors of transformers and timm make of pictures, as bytes after resize and crop.

    python tools/golden/preprocess.py

`source.N` U8 [h,w,3]; `N/K` U8 [H,W,3] for each configuration K, which stands in the file's metadata as JSON.
"""

import json
from pathlib import Path

import numpy as np
import safetensors.numpy
import timm.data
import transformers
from PIL import Image

ROOT = Path(__file__).resolve().parents[2] / "test" / "golden"
SIZES = [(61, 47), (40, 97), (150, 200), (24, 31)]


def picture(h, w, seed):
    """Smooth colours, a hard edge and some noise: every part of a filter shows."""
    r = np.random.default_rng(seed)
    y, x = np.mgrid[0:h, 0:w]
    waves = [128 + 110 * np.sin(x / (3 + 5 * c) + y / (7 - c) + c) for c in range(3)]
    out = np.stack(waves, -1) + r.normal(0, 12, (h, w, 3))
    out[(x // 9 + y // 11) % 3 == 0] *= 0.3
    return np.clip(out, 0, 255).astype(np.uint8)


PROCESSORS = {
    "vit": transformers.ViTImageProcessor(size={"height": 32, "width": 32}),
    "deit": transformers.DeiTImageProcessor(size={"height": 36, "width": 36}, crop_size={"height": 32, "width": 32}),
    "mobilenet": transformers.MobileNetV2ImageProcessor(size={"shortest_edge": 36}, crop_size={"height": 31, "width": 31}),
    "convnext": transformers.ConvNextImageProcessor(size={"shortest_edge": 32}, crop_pct=0.9),
}
TIMM = {
    "timm-bicubic": dict(input_size=[3, 32, 32], interpolation="bicubic", crop_pct=0.9, crop_mode="center"),
    "timm-bilinear": dict(input_size=[3, 33, 33], interpolation="bilinear", crop_pct=0.875, crop_mode="center"),
}


def main():
    tensors, metadata = {}, {}
    for number, size in enumerate(SIZES):
        source = picture(*size, number)
        tensors[f"source.{number}"] = source
        image = Image.fromarray(source)
        for name, processor in PROCESSORS.items():
            x = processor(image, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"][0]
            tensors[f"{number}/{name}"] = np.clip(np.rint(x.astype(np.float64)), 0, 255).astype(np.uint8).transpose(1, 2, 0).copy()
            keys = ("image_processor_type", "size", "crop_size", "resample", "do_center_crop", "do_resize", "crop_pct")
            metadata[name] = json.dumps({k: v for k, v in json.loads(processor.to_json_string()).items() if k in keys})
        for name, config in TIMM.items():
            transform = timm.data.create_transform(**config, mean=(0, 0, 0), std=(1, 1, 1), is_training=False)
            x = np.rint(transform(image).numpy().astype(np.float64) * 255).astype(np.uint8)
            tensors[f"{number}/{name}"] = x.transpose(1, 2, 0).copy()
            metadata[name] = json.dumps({"architecture": "vit_tiny_patch16_224", "pretrained_cfg": config})
    path = ROOT / "preprocess.safetensors"
    safetensors.numpy.save_file(tensors, path, metadata)
    path.chmod(0o644)
    print(path.stat().st_size, metadata)


if __name__ == "__main__":
    main()
