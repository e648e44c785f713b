"""Writes test/golden/processors.safetensors: what transformers' image processors and timm's transforms hand to a network, beside what they save.

    python tools/golden/processors.py

`source.N` U8 [h,w,3]; `N/K` F32 [H,W,3] for each processor K, whose saved JSON stands in the file's metadata. Pillow's backend. How far the backend of
torchvision, the library's default since version 5, is from it is printed: at most two of 255 but for the nearest pixel, where they take another one.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import safetensors.numpy
import timm.data
import transformers as t
from PIL import Image
from preprocess import picture

OUT = Path(__file__).resolve().parents[2] / "test" / "golden" / "processors.safetensors"
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
SIZES = [(31, 23), (20, 43)]
SQUARE, CROP = {"height": 12, "width": 12}, {"height": 10, "width": 10}
RESAMPLES = dict(nearest=0, lanczos=1, box=4, hamming=5)

# Class and arguments. What a class takes by default is its own but for sizes.
PROCESSORS = {
    "vit": ("ViT", dict(size={"height": 8, "width": 11})),
    "vit-numbers": ("ViT", dict(size=10, do_rescale=False, do_normalize=True, image_mean=[100, 110, 120], image_std=[50, 60, 70])),
    "vit-plain": ("ViT", dict(size=10, do_normalize=False)),
    **{f"vit-{name}": ("ViT", dict(size=10, resample=code)) for name, code in RESAMPLES.items()},
    "deit": ("DeiT", dict(size=SQUARE, crop_size=CROP)),
    "beit": ("Beit", dict(size=SQUARE, do_center_crop=True, crop_size=9)),
    "beit-whole": ("Beit", dict(size=10)),
    "bit": ("Bit", dict(size={"shortest_edge": 12}, crop_size=CROP)),
    "clip": ("CLIP", dict(size=12, crop_size={"height": 9, "width": 11})),
    "chinese-clip": ("ChineseCLIP", dict(size=12, crop_size=10)),
    "blip": ("Blip", dict(size=10)),
    "convnext": ("ConvNext", dict(size={"shortest_edge": 10}, crop_pct=0.9)),
    "efficientnet": ("EfficientNet", dict(size=10, resample=0, rescale_factor=1 / 127.5, rescale_offset=True, include_top=True)),
    "efficientnet-plain": ("EfficientNet", dict(size=SQUARE, do_center_crop=True, crop_size=10, include_top=False)),
    "efficientnet-top": ("EfficientNet", dict(size=10, do_normalize=False, include_top=True, image_std=[0.3, 0.4, 0.5])),
    "levit": ("Levit", dict(size={"shortest_edge": 10}, crop_size=10)),
    "mobilenetv1": ("MobileNetV1", dict(size=12, crop_size=10)),
    "mobilenetv2": ("MobileNetV2", dict(size={"shortest_edge": 12}, crop_size=10)),
    "mobilevit": ("MobileViT", dict(size={"shortest_edge": 12}, crop_size=10, resample=2)),
    "mobilevit-rgb": ("MobileViT", dict(size=12, crop_size=10, resample=2, do_flip_channel_order=False)),
    "poolformer": ("PoolFormer", dict(size=10, crop_size=10, crop_pct=0.8)),
    "poolformer-square": ("PoolFormer", dict(size={"height": 10, "width": 10}, crop_size=10)),
    "poolformer-stretched": ("PoolFormer", dict(size={"height": 10, "width": 8}, crop_size={"height": 10, "width": 8})),
    "pvt": ("Pvt", dict(size=10)),
    "siglip": ("Siglip", dict(size={"height": 10, "width": 10})),
    # Classes of which nothing is known here: their files say all there is.
    "owlvit": ("OwlViT", dict(size={"height": 12, "width": 14}, do_center_crop=True, crop_size=10)),
    "segformer": ("Segformer", dict(size=10)),
}
TIMM = {
    "timm-wide": dict(input_size=[3, 10, 14], interpolation="bicubic", crop_pct=0.9, crop_mode="center"),
    "timm-tall": dict(input_size=[3, 14, 9], interpolation="bilinear", crop_pct=1.0, crop_mode="center"),
    "timm-squash": dict(input_size=[3, 10, 12], interpolation="lanczos", crop_pct=0.8, crop_mode="squash"),
    "timm-hamming": dict(input_size=[3, 10, 10], interpolation="hamming", crop_pct=0.875, crop_mode="center"),
}


def made(processor, source):
    return processor(Image.fromarray(source), return_tensors="np")["pixel_values"][0].astype(np.float32).transpose(1, 2, 0).copy()


def main():
    tensors, metadata = {}, {}
    for number, size in enumerate(SIZES):
        source = tensors[f"source.{number}"] = picture(*size, number)
        for name, (kind, arguments) in PROCESSORS.items():
            pil = getattr(t, f"{kind}ImageProcessorPil")(**arguments)
            x = tensors[f"{number}/{name}"] = made(pil, source)
            with tempfile.TemporaryDirectory() as folder:
                pil.save_pretrained(folder)
                saved = json.loads((Path(folder) / "preprocessor_config.json").read_text())
            metadata[name] = json.dumps(saved)
            if arguments.get("resample") in (4, 5):
                continue  # torchvision has no such filter.
            other = made(getattr(t, f"{kind}ImageProcessor")(**arguments), source)
            unit = max(1e-9, abs(made(pil, np.full((20, 20, 3), 255, np.uint8)) - made(pil, np.zeros((20, 20, 3), np.uint8))).min() / 255)
            print(f"{number}/{name}: {x.shape}, torchvision differs by {abs(other - x).max() / unit:.1f} of 255")
        for name, config in TIMM.items():
            transform = timm.data.create_transform(**config, mean=MEAN, std=STD, is_training=False)
            tensors[f"{number}/{name}"] = transform(Image.fromarray(source)).numpy().transpose(1, 2, 0).copy()
            metadata[name] = json.dumps({"architecture": "resnet18", "pretrained_cfg": {**config, "mean": MEAN, "std": STD}})
    safetensors.numpy.save_file(tensors, OUT, metadata)
    OUT.chmod(0o644)
    print(OUT.stat().st_size)


if __name__ == "__main__":
    main()
