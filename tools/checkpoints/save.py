"""Writes model folders as timm and transformers save them, by the names they have on the hub, with random numbers of the published shapes.

    python tools/checkpoints/save.py LIST.json FOLDER

LIST.json: [{ "hub": "timm/resnet18.a1_in1k" }, { "hub": "google/vit-base-patch16-224", "class": "ViTForImageClassification", "config": {...} }]
Prints one JSON object a line: hub, folder, licence (as timm's own table has it; null for transformers, which has none).
"""
import json, os, sys
import torch

torch.manual_seed(0)
for entry in json.load(open(sys.argv[1])):
    hub = entry["hub"]
    folder = os.path.join(sys.argv[2], hub.split("/")[1])
    licence = None
    if hub.startswith("timm/"):
        import timm
        from timm.models import get_pretrained_cfg, save_for_hf
        name = hub.split("/")[1]
        model = timm.create_model(name, pretrained=False)
        cfg = get_pretrained_cfg(name)
        assert cfg.hf_hub_id == hub, (cfg.hf_hub_id, hub)
        licence = cfg.license
        save_for_hf(model, folder, safe_serialization=True)
    else:
        import transformers
        config = getattr(transformers, entry["class"]).config_class(**entry["config"])
        getattr(transformers, entry["class"])(config).save_pretrained(folder)
    print(json.dumps({"hub": hub, "folder": folder, "licence": licence}), flush=True)
