"""The models of the golden data: those the product reads now (index.json), and the families that come next (index-families.json)."""

import families
import torch
import transformers
from families import timm_model

IMAGENET = dict(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])


def vit(**c):
    return transformers.ViTForImageClassification(transformers.ViTConfig(num_labels=7, **c))


def deit(**c):
    return transformers.DeiTForImageClassificationWithTeacher(transformers.DeiTConfig(num_labels=6, **c))


def mobilenet(**c):
    return transformers.MobileNetV2ForImageClassification(transformers.MobileNetV2Config(num_labels=7, **c))


def swin(**c):
    return transformers.SwinForImageClassification(transformers.SwinConfig(num_labels=7, mlp_ratio=2.0, **c))


def resnet(**c):
    return transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=6, embedding_size=8, **c))


def convnext(**c):
    return transformers.ConvNextForImageClassification(transformers.ConvNextConfig(num_labels=6, **c))


SMALL = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8)
TIMM = dict(embed_dim=32, depth=2, num_heads=2, mlp_ratio=2.0, img_size=32, patch_size=8)

# name: (model, image size, options)
CASES = {
    "vit-hf": (lambda: vit(hidden_size=48, num_hidden_layers=3, num_attention_heads=3, intermediate_size=96, image_size=32, patch_size=8),
               (32, 32), dict(other_sizes=[(48, 48), (24, 24)])),
    "vit-hf-rect": (lambda: vit(hidden_size=40, num_hidden_layers=2, num_attention_heads=2, intermediate_size=72, image_size=[24, 40],
                                patch_size=4, qkv_bias=False, layer_norm_eps=1e-6), (24, 40), dict(processor=IMAGENET)),
    "vit-hf-f16": (lambda: vit(**SMALL), (32, 32), dict(dtype=torch.float16)),
    "vit-hf-bf16": (lambda: vit(**SMALL), (32, 32), dict(dtype=torch.bfloat16)),
    "deit-hf": (lambda: deit(**SMALL), (32, 32), dict(processor=IMAGENET)),
    "vit-timm": (lambda: timm_model("vit_tiny_patch16_224", **TIMM), (32, 32), dict(other_sizes=[(48, 48), (24, 24)])),
    "vit-timm-avg": (lambda: timm_model("vit_tiny_patch16_224", global_pool="avg", **TIMM), (32, 32), {}),
    "vit-timm-gap": (lambda: timm_model("vit_tiny_patch16_224", global_pool="avg", class_token=False, **dict(TIMM, depth=1)), (32, 32), {}),
    "deit3-timm": (lambda: timm_model("deit3_small_patch16_224", **dict(TIMM, depth=1)), (32, 32), dict(other_sizes=[(48, 48)])),
    "deit-timm": (lambda: timm_model("deit_tiny_distilled_patch16_224", **TIMM), (32, 32), {}),
    "mobilenetv2-hf": (lambda: mobilenet(depth_multiplier=0.1, image_size=40, finegrained_output=False), (40, 40), dict(rates=dict(adamw=1e-4))),
    "mobilenetv2-hf-symmetric": (lambda: mobilenet(depth_multiplier=0.05, image_size=48, tf_padding=False, first_layer_is_expansion=False),
                                 (48, 48), dict(processor=IMAGENET, rates=dict(adamw=1e-4))),
    "mobilenetv2-timm": (lambda: timm_model("mobilenetv2_035"), (48, 48), dict(recipe=True, rates=dict(adamw=1e-5, sgd=2e-3))),
}

TIMM_SWIN = dict(embed_dim=8, depths=(2, 2, 2), num_heads=(1, 2, 4), window_size=4, mlp_ratio=2.0)

FAMILIES = {
    # 16×16, 8×8, 4×4 tokens: the last map is one window and does not shift.
    "swin-hf": (lambda: swin(embed_dim=8, depths=[2, 2, 2], num_heads=[1, 2, 4], window_size=4, image_size=32, patch_size=2), (32, 32), {}),
    # 9×11 tokens, then 5×6: windows of 4 divide neither, and merging pads both axes or one.
    "swin-hf-pad": (lambda: swin(embed_dim=12, depths=[2, 2], num_heads=[2, 3], window_size=4, image_size=[36, 44], qkv_bias=False),
                    (36, 44), dict(processor=IMAGENET)),
    "swin-timm": (lambda: timm_model("swin_tiny_patch4_window7_224", img_size=32, patch_size=2, **TIMM_SWIN), (32, 32), {}),
    # 5×11 tokens; 3×6 in windows of 3×4 that shift along one axis; 2×3 in one window.
    "swin-timm-pad": (lambda: timm_model("swin_tiny_patch4_window7_224", img_size=(20, 44), patch_size=4, **TIMM_SWIN), (20, 44), {}),
    "resnet-hf-basic": (lambda: resnet(layer_type="basic", hidden_sizes=[8, 16, 24], depths=[2, 1, 1]), (40, 40), dict(processor=IMAGENET)),
    "resnet-hf": (lambda: resnet(hidden_sizes=[16, 32, 48], depths=[1, 2, 1]), (40, 40), {}),
    "resnet-hf-v1": (lambda: resnet(hidden_sizes=[16, 32, 48], depths=[1, 1, 1], downsample_in_bottleneck=True), (36, 44), {}),
    "resnet18-timm": (lambda: timm_model("resnet18", layers=(1, 1, 1, 1), channels=(12, 16, 16, 24)), (40, 48), {}),
    "resnet50-timm": (lambda: timm_model("resnet50", layers=(1, 1, 1, 1), channels=(8, 8, 12, 16)), (48, 40), {}),
    # Groups of two channels at least: in a group of one a convolution's bias would do nothing.
    "resnet50gn-timm": (lambda: timm_model("resnet50_gn", layers=(1, 1, 1, 1), channels=(64, 64, 64, 64)), (64, 72), dict(recipe=True, rates=dict(adamw=1e-5, sgd=2e-3))),
    "mobilenetv3-timm": (lambda: timm_model("mobilenetv3_small_050"), (48, 40), dict(recipe=True)),
    "mobilenetv3-timm-tf": (lambda: timm_model("tf_mobilenetv3_small_075"), (45, 45), dict(recipe=True)),
    # 11×11, 5×5, 2×2: rows and columns are dropped.
    "convnext-hf": (lambda: convnext(hidden_sizes=[8, 16, 24], depths=[1, 1, 2], num_stages=3), (44, 44), dict(processor=IMAGENET)),
    "convnext-timm": (lambda: timm_model("convnext_tiny", dims=(8, 12, 16, 24), depths=(1, 1, 2, 1)), (72, 64), {}),
    "convnext-timm-conv": (lambda: timm_model("convnext_atto", dims=(8, 8, 12, 16), depths=(1, 1, 1, 1)), (64, 64), {}),
} | families.FAMILIES


GREY, RGBA = dict(image_mean=[0.45], image_std=[0.23]), dict(image_mean=[0.48, 0.45, 0.4, 0.9], image_std=[0.23, 0.22, 0.24, 0.3])

# Networks whose first convolution reads another number of channels than three (index-channels.json).
CHANNELS = {
    "vit-hf-grey": (lambda: vit(num_channels=1, **SMALL), (32, 32), dict(processor=GREY)),
    "vit-timm-rgba": (lambda: timm_model("vit_tiny_patch16_224", in_chans=4, **TIMM), (32, 32), {}),
    "resnet18-timm-grey": (lambda: timm_model("resnet18", in_chans=1, layers=(1, 1, 1, 1), channels=(12, 16, 16, 24)), (40, 48), {}),
    "resnet-hf-rgba": (lambda: resnet(num_channels=4, hidden_sizes=[16, 32, 48], depths=[1, 1, 1]), (40, 40), dict(processor=RGBA)),
    "mobilenetv2-hf-grey": (lambda: mobilenet(num_channels=1, depth_multiplier=0.1, image_size=40, finegrained_output=False), (40, 40),
                            dict(processor=GREY, rates=dict(adamw=1e-4))),
    "mobilenetv3-timm-rgba": (lambda: timm_model("mobilenetv3_small_050", in_chans=4), (48, 40), dict(recipe=True)),
}


def processor_of(model, size, keywords):
    if model.config.model_type in families.PROCESSORS:
        return families.processor_of(model, size, keywords)
    kind = {"vit": transformers.ViTImageProcessor, "swin": transformers.ViTImageProcessor, "deit": transformers.DeiTImageProcessor,
            "mobilenet_v2": transformers.MobileNetV2ImageProcessor, "resnet": transformers.ConvNextImageProcessor,
            "convnext": transformers.ConvNextImageProcessor}[model.config.model_type]
    shape = {"height": size[0], "width": size[1]}
    if model.config.model_type in ("vit", "swin"):
        return kind(size=shape, **keywords)
    if model.config.model_type == "deit":
        return kind(size={"height": size[0] * 8 // 7, "width": size[1] * 8 // 7}, crop_size=shape, **keywords)
    if model.config.model_type == "mobilenet_v2":
        return kind(size={"shortest_edge": size[0] * 8 // 7}, crop_size=shape, **keywords)
    return kind(size={"shortest_edge": min(size)}, **keywords)
