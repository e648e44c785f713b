"""Writes test/golden/timmstatistics.json: mean and deviation that timm prepares pictures by, for every published network and tag. pip install timm.

    python tools/golden/timmstatistics.py
"""

import json

import timm

OUT = "test/golden/timmstatistics.json"

found = {}
for name in sorted({*timm.list_models(), *timm.list_pretrained()}):
    cfg = timm.get_pretrained_cfg(name)
    if cfg is not None:
        found.setdefault(json.dumps([cfg.mean, cfg.std]), []).append(name)
rows = [json.dumps([*json.loads(key), " ".join(names)]) for key, names in found.items()]
with open(OUT, "w") as file:
    file.write("[\n" + ",\n".join(rows) + "\n]\n")
