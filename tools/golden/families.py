"""More families, each in two small configurations: what people have from transformers, timm and torchvision."""

import sys

import timm
import torch
import torchvision
import transformers
from torch import nn
from torchvision.models import convnext, efficientnet, regnet, swin_transformer

HALF = dict(image_mean=[0.5] * 3, image_std=[0.5] * 3)


# Outside of training it keeps what it has looked up once, which is no longer so after an update.
timm.models.tiny_vit.Attention.get_attention_biases = lambda self, device: self.attention_biases[:, self.attention_bias_idxs]


timm.models.efficientformer.Attention.get_attention_biases = lambda self, device: self.attention_biases[:, self.attention_bias_idxs]


def timm_model(name, **arguments):
    model = timm.create_model(name, num_classes=6, **arguments)
    model.arguments = arguments
    return model


def hf(name, **c):
    """`name` of transformers: NameConfig and NameForImageClassification."""
    config = getattr(transformers, f"{name}Config")(num_labels=6, **c)
    return getattr(transformers, f"{name}ForImageClassification")(config)


class Dinov3(transformers.DINOv3ViTModel):
    """transformers has no class of DINOv3 with a head: the class token under a linear layer."""

    def __init__(self, config):
        super().__init__(config)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(self, pixel_values, **keywords):
        out = super().forward(pixel_values, **keywords)
        return transformers.modeling_outputs.ImageClassifierOutput(logits=self.classifier(out.pooler_output))


class Mae(transformers.ViTMAEPreTrainedModel):
    """Nor of the encoder that masked patches were drawn from: nothing masked, patches in their order, the class token under a linear layer."""

    def __init__(self, config):
        super().__init__(config)
        self.vit = transformers.ViTMAEModel(config)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()
        self.vit.embeddings.position_embeddings.requires_grad_()

    def forward(self, pixel_values, **keywords):
        order = torch.arange(self.vit.embeddings.patch_embeddings.num_patches, dtype=torch.float32).expand(len(pixel_values), -1)
        out = self.vit(pixel_values, noise=order, **keywords)
        return transformers.modeling_outputs.ImageClassifierOutput(logits=self.classifier(out.last_hidden_state[:, 0]))


def dinov3(**c):
    return Dinov3(transformers.DINOv3ViTConfig(num_labels=6, **c))


def tower(name, **c):
    """The half for pictures of a model of pictures and texts, as its class for classification saves it."""
    text = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, vocab_size=8)
    return hf(name, text_config=text, vision_config=c)


def tv(architecture, build, **arguments):
    """A network of torchvision's: `arguments` are what its config.json says."""
    model = build(num_classes=6)
    model.torchvision, model.arguments = architecture, arguments
    return model


def pruned(name, **arguments):
    """A VGG with fewer channels than its name says, which no configuration can state: the file's shapes do."""
    vgg = timm.models.vgg
    def build():  # noqa: E306
        whole = dict(vgg.cfgs)
        vgg.cfgs.update({k: [v if v == "M" else v // 16 for v in layers] for k, layers in whole.items()})
        model = timm_model(name, **arguments)
        vgg.cfgs.update(whole)
        return model
    model = build()  # noqa: E305
    model.build = build
    return model


def bit(**arguments):
    """timm's function of this name takes no other depths."""
    def build():  # noqa: E306
        return timm.models.resnetv2._create_resnetv2_bit("resnetv2_50x1_bit", num_classes=6, **arguments)
    model = build()  # noqa: E305
    model.build, model.arguments = build, arguments
    return model


def narrow_v4(name, as_, **arguments):
    """A MobileNetV4 of a quarter of the width, as timm would call it."""
    def build():  # noqa: E306
        return sys.modules["timm.models.mobilenetv3"]._gen_mobilenet_v4(name, 0.25, num_classes=6, **arguments)
    model = build()  # noqa: E305
    model.build, model.arguments = build, {}
    model.pretrained_cfg = dict(model.pretrained_cfg, architecture=as_)
    return model


def thin_inception(build, module, block, **arguments):
    """Inception-v3 with a sixteenth of its channels, as a pruned file would have them."""
    whole = getattr(module, block)
    def made():  # noqa: E306
        setattr(module, block, lambda i, o, **k: whole(i if i == 3 else i // 16, o // 16, **k))
        model = build()
        setattr(module, block, whole)
        model.fc = nn.Linear(128, 6)
        model.num_features = 128
        return model
    model = made()  # noqa: E305
    model.build, model.arguments = made, arguments
    return model


def tv_vgg(**k):
    layers = [v if v == "M" else v // 16 for v in torchvision.models.vgg.cfgs["A"]]
    model = torchvision.models.VGG(torchvision.models.vgg.make_layers(layers), **k)
    model.classifier = nn.Sequential(nn.Linear(32 * 49, 24), nn.ReLU(), nn.Dropout(), nn.Linear(24, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 6))
    return model


SMALL = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8)
TIMM_VIT = dict(embed_dim=32, depth=2, num_heads=2, img_size=32, patch_size=8)
TV_VIT = dict(image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64)
TV_SWIN = dict(patch_size=[2, 2], embed_dim=8, depths=[2, 2, 2], num_heads=[1, 2, 4], window_size=[4, 4], mlp_ratio=2.0)
TV_SWINV2 = dict(TV_SWIN, patch_size=[4, 4])
TV_REGNET = dict(depth=4, w_0=16, w_a=12.0, w_m=1.5, group_width=8)
TV_DENSE = dict(growth_rate=8, block_config=[1, 2, 1], num_init_features=12, bn_size=2)
TV_SHUFFLE = dict(stages_repeats=[2, 2, 1], stages_out_channels=[8, 16, 24, 32, 48])
MOBILEVIT = dict(hidden_sizes=[16, 24, 32], neck_hidden_sizes=[8, 8, 12, 16, 16, 24, 40], num_attention_heads=2, expand_ratio=2.0)
CALM = dict(rates=dict(adamw=1e-5, sgd=2e-3))
STILL = dict(rates=dict(adamw=2e-6, sgd=5e-4))

# name: (model, image size, options)
FAMILIES = {
    # Rows and columns of odd sizes: the padding of kernels 3 and 5 differs from stage to stage.
    "efficientnet-hf": (lambda: hf("EfficientNet", image_size=43, width_coefficient=0.25, depth_coefficient=0.5, hidden_dim=320), (43, 43), {}),
    "efficientnet-timm": (lambda: timm_model("test_efficientnet"), (48, 40), {}),
    "efficientnet-timm-tiny": (lambda: timm_model("tinynet_e"), (48, 48), {}),
    "efficientnet-timm-same": (lambda: timm_model("tf_efficientnetv2_b0"), (45, 45), {}),
    "efficientnet-timm-lite": (lambda: timm_model("efficientnet_lite0"), (40, 48), STILL),
    "mobilenetv1-hf": (lambda: hf("MobileNetV1", image_size=45, depth_multiplier=0.05, min_depth=6), (45, 45), CALM),
    "mobilenetv1-timm": (lambda: timm_model("mobilenetv1_100"), (32, 32), STILL),
    "lcnet-timm": (lambda: timm_model("lcnet_035"), (40, 48), {}),
    "mnasnet-timm": (lambda: timm_model("mnasnet_small"), (32, 32), STILL),
    "mobilenetv4-timm": (lambda: timm_model("mobilenetv4_conv_small_035"), (48, 48), CALM),
    "mobilenetv4-timm-hybrid": (lambda: narrow_v4("mobilenetv4_hybrid_medium_075", "mobilenetv4_hybrid_medium_025"), (64, 64), dict(rates=dict(adamw=1e-6, sgd=1e-4))),
    "vgg-timm-bn": (lambda: pruned("vgg11_bn", mlp_ratio=0.002), (48, 32), CALM),
    "resnext-timm": (lambda: timm_model("resnext50_32x4d", layers=(1, 1, 1, 1), channels=(8, 8, 16, 16), cardinality=2, base_width=32), (40, 40), STILL),
    "seresnet-timm": (lambda: timm_model("seresnet50", layers=(1, 1, 1, 1), channels=(8, 8, 12, 16)), (44, 36), STILL),
    "seresnet-timm-basic": (lambda: timm_model("seresnet18", layers=(1, 1, 1, 1), channels=(8, 8, 12, 16)), (40, 40), STILL),
    "resnetd-timm": (lambda: timm_model("resnet26d", layers=(1, 1, 1, 1), channels=(8, 8, 12, 16)), (44, 40), STILL),
    "resnett-timm": (lambda: timm_model("resnet14t", layers=(1, 1, 1, 1), channels=(8, 8, 12, 16)), (40, 48), STILL),
    "resnets-timm": (lambda: timm_model("resnet50s", layers=(1, 1, 1, 1), channels=(8, 8, 12, 16)), (44, 40), STILL),
    "resnetaa-timm": (lambda: timm_model("resnetaa50d", layers=(1, 1, 1, 1), channels=(8, 8, 12, 16)), (64, 96), STILL),
    "resnetv2-timm": (lambda: timm_model("resnetv2_50d", layers=(1, 1, 1, 1), channels=(32, 32, 48, 64)), (44, 40), STILL),
    "resnetv2-timm-basic": (lambda: timm_model("resnetv2_18", layers=(1, 1, 1, 1), channels=(8, 16, 24, 32)), (40, 48), STILL),
    "bit-timm": (lambda: bit(layers=(1, 1, 1, 1), channels=(256, 256, 256, 256)), (48, 40), STILL),
    "regnet-hf": (lambda: hf("RegNet", embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 2, 1], groups_width=4), (40, 40), dict(CALM, processor=HALF)),
    "regnetx-timm": (lambda: timm_model("regnetx_002", depth=5, w0=16, wa=16.0, wm=1.6, group_size=8), (40, 40), STILL),
    "regnety-timm": (lambda: timm_model("regnety_002", depth=5, w0=16, wa=16.0, wm=1.6, group_size=8), (40, 48), STILL),
    "regnet-torchvision": (lambda: tv("regnet_y_400mf", lambda **k: regnet.RegNet(regnet.BlockParams.from_init_params(se_ratio=0.25, **TV_REGNET), **k), **TV_REGNET), (40, 40), STILL),
    "densenet-timm": (lambda: timm_model("densenet121", growth_rate=8, block_config=(2, 2, 1), bn_size=2), (40, 56), STILL),
    "densenet-torchvision": (lambda: tv("densenet121", lambda **k: torchvision.models.DenseNet(**TV_DENSE, **k), **TV_DENSE), (44, 36), STILL),
    "ghostnet-timm": (lambda: timm_model("ghostnet_050"), (40, 48), STILL),
    "shufflenet-torchvision": (lambda: tv("shufflenet_v2_x0_5", lambda **k: torchvision.models.ShuffleNetV2(**TV_SHUFFLE, **k), **TV_SHUFFLE), (48, 40), STILL),
    "squeezenet-torchvision": (lambda: tv("squeezenet1_1", torchvision.models.squeezenet1_1), (48, 40), STILL),
    "squeezenet-torchvision-1_0": (lambda: tv("squeezenet1_0", torchvision.models.squeezenet1_0), (44, 40), STILL),
    "inception-timm": (lambda: thin_inception(lambda: timm.create_model("inception_v3", num_classes=6), sys.modules["timm.models.inception_v3"], "ConvNormAct"), (75, 83), STILL),
    "inception-torchvision": (lambda: tv("inception_v3", lambda **k: thin_inception(lambda: torchvision.models.inception_v3(init_weights=False, aux_logits=False, **k),
        torchvision.models.inception, "BasicConv2d"), transform_input=False, aux_logits=False), (79, 75), STILL),
    "mobilevit-hf": (lambda: hf("MobileViT", image_size=[64, 96], **MOBILEVIT), (64, 96), CALM),
    # Maps of 6×4, 3×2 and 2×1 pixels in patches of 2: two are resized, and back.
    "mobilevit-hf-odd": (lambda: hf("MobileViT", image_size=[48, 32], **MOBILEVIT), (48, 32), CALM),
    "mobilevit-timm": (lambda: timm_model("mobilevit_xxs"), (96, 64), CALM),
    # Maps of 12×8, 6×4 and 3×2 pixels in patches of 2: the last is resized, and stays so.
    "mobilevitv2-timm": (lambda: timm_model("mobilevitv2_050"), (96, 64), CALM),
    "mobilevitv2-timm-fitting": (lambda: timm_model("mobilevitv2_075"), (64, 64), CALM),
    "fastvit-timm": (lambda: timm_model("fastvit_t8", layers=(1, 1, 2, 1), embed_dims=(8, 16, 32, 32)), (64, 96), CALM),
    "fastvit-timm-attention": (lambda: timm_model("fastvit_mci0", layers=(1, 1, 1, 2), embed_dims=(8, 16, 32, 64), mlp_ratios=(2, 2, 2, 2)), (96, 64), CALM),
    "edgenext-timm": (lambda: timm_model("edgenext_xx_small", depths=(1, 1, 2, 1), dims=(8, 16, 20, 32), heads=(2, 2, 2, 2)), (64, 96), CALM),
    "edgenext-timm-rw": (lambda: timm_model("edgenext_small_rw", depths=(1, 2, 2, 2), dims=(8, 16, 32, 32), heads=(2, 2, 2, 2), head_norm_first=True), (96, 64), CALM),
    # Attention is of 7×7 positions whatever the picture: fewer stages make it smaller.
    "efficientformer-timm": (lambda: timm_model("efficientformer_l1", depths=(1, 2), embed_dims=(8, 16), mlp_ratios=2, img_size=(56, 56)), (56, 56), CALM),
    "efficientformer-timm-attention": (lambda: timm_model("efficientformer_l3", depths=(1, 2), embed_dims=(8, 24), mlp_ratios=2, num_vit=2, img_size=(56, 56)), (56, 56), CALM),
    "hiera-timm": (lambda: timm_model("hiera_tiny_224", embed_dim=8, stages=(1, 1, 1, 1), mlp_ratio=2.0, img_size=(64, 96)), (64, 96), CALM),
    "hiera-timm-scaled": (lambda: timm_model("hiera_base_plus_224", embed_dim=8, stages=(1, 2, 1, 1), mlp_ratio=2.0, init_values=0.1, q_pool=2, img_size=(64, 64)), (64, 64), CALM),
    "repvgg-timm": (lambda: timm_model("repvgg_b1g4", width_factor=0.125), (64, 48), STILL),
    "mobileone-timm": (lambda: timm_model("mobileone_s0", width_factor=1 / 6), (40, 48), STILL),
    "dinov2-hf": (lambda: hf("Dinov2", **{k: v for k, v in SMALL.items() if k != "intermediate_size"}, mlp_ratio=2), (32, 32), dict(other_sizes=[(48, 48)])),
    "dinov2-hf-registers": (lambda: hf("Dinov2WithRegisters", **{k: v for k, v in SMALL.items() if k != "intermediate_size"}, mlp_ratio=2, num_register_tokens=3), (32, 32), {}),
    "dinov2-timm": (lambda: timm_model("vit_small_patch14_dinov2", mlp_ratio=2.0, **TIMM_VIT), (32, 32), dict(other_sizes=[(48, 48)])),
    "dinov2-timm-registers": (lambda: timm_model("vit_small_patch14_reg4_dinov2", mlp_ratio=2.0, **TIMM_VIT), (32, 32), dict(other_sizes=[(48, 48)])),
    "dinov2-timm-gated": (lambda: timm_model("vit_giant_patch14_dinov2", mlp_ratio=4.0, **TIMM_VIT), (32, 32), {}),
    "dinov3-hf": (lambda: dinov3(**SMALL, num_register_tokens=2, use_gated_mlp=True, hidden_act="silu"), (32, 32), {}),
    "dinov3-timm": (lambda: timm_model("vit_small_patch16_dinov3", mlp_ratio=2.0, **TIMM_VIT), (32, 32), {}),
    "dinov3-timm-gated": (lambda: timm_model("vit_small_plus_patch16_dinov3_qkvb", mlp_ratio=2.1, **dict(TIMM_VIT, img_size=(24, 40))), (24, 40), {}),
    "clip-hf": (lambda: tower("CLIP", **SMALL), (32, 32), {}),
    "clip-timm": (lambda: timm_model("vit_base_patch32_clip_224", mlp_ratio=2.0, **TIMM_VIT), (32, 32), {}),
    "clip-timm-quick": (lambda: timm_model("vit_base_patch32_clip_quickgelu_224", mlp_ratio=2.0, **TIMM_VIT), (32, 32), {}),
    "siglip-hf": (lambda: tower("Siglip", **SMALL), (32, 32), {}),
    "siglip-timm-latent": (lambda: timm_model("vit_base_patch16_siglip_224", mlp_ratio=2.0, **TIMM_VIT), (32, 32), {}),
    "siglip-timm": (lambda: timm_model("vit_base_patch16_siglip_gap_224", mlp_ratio=2.0, **TIMM_VIT), (32, 32), {}),
    "beit-hf": (lambda: hf("Beit", use_relative_position_bias=True, drop_path_rate=0.0, **SMALL), (32, 32), {}),
    "beit-timm": (lambda: timm_model("beit_base_patch16_224", mlp_ratio=2.0, **TIMM_VIT), (32, 32), {}),
    "data2vec-hf": (lambda: hf("Data2VecVision", use_relative_position_bias=True, drop_path_rate=0.0, **SMALL), (32, 32), {}),
    "vitmae-hf": (lambda: Mae(transformers.ViTMAEConfig(num_labels=6, mask_ratio=0.0, **SMALL)), (32, 32), {}),
    "ijepa-hf": (lambda: hf("IJepa", **SMALL), (32, 32), {}),
    "eva02-timm": (lambda: timm_model("eva02_tiny_patch14_224", mlp_ratio=2.0, **TIMM_VIT), (32, 32), {}),
    "eva02-timm-normed": (lambda: timm_model("eva02_base_patch14_224", mlp_ratio=2.0, **TIMM_VIT), (32, 32), {}),
    "convnext-timm-mlp": (lambda: timm_model("convnext_large_mlp", dims=(8, 8, 12, 16), depths=(1, 1, 1, 1), head_hidden_size=24), (64, 64), {}),
    "vit-timm-registers": (lambda: timm_model("vit_little_patch16_reg4_gap_256", **dict(TIMM_VIT, mlp_ratio=2.0)), (32, 32), {}),
    "convnextv2-hf": (lambda: hf("ConvNextV2", hidden_sizes=[8, 16, 24], depths=[1, 1, 2], num_stages=3, image_size=44), (44, 44), {}),
    "convnextv2-timm": (lambda: timm_model("convnextv2_tiny", dims=(8, 12, 16, 24), depths=(1, 1, 2, 1)), (72, 64), {}),
    "convnextv2-timm-conv": (lambda: timm_model("convnextv2_atto", dims=(8, 8, 12, 16), depths=(1, 1, 1, 1)), (64, 64), {}),
    "pvtv2-hf": (lambda: hf("PvtV2", image_size=64, depths=[1, 1, 2], hidden_sizes=[16, 24, 32], num_attention_heads=[1, 2, 4], sr_ratios=[4, 2, 1],
        patch_sizes=[7, 3, 3], strides=[4, 2, 2], mlp_ratios=[4, 2, 2], num_encoder_blocks=3), (64, 64), {}),
    "pvtv2-timm": (lambda: timm_model("pvt_v2_b0", depths=(1, 1, 1, 1), embed_dims=(8, 16, 20, 32), mlp_ratios=(2, 2, 2, 2), sr_ratios=(4, 2, 2, 1)), (64, 96), {}),
    "tinyvit-timm": (lambda: timm_model("tiny_vit_5m_224", embed_dims=(8, 16, 24, 32), depths=(1, 2, 1, 1), num_heads=(1, 2, 3, 4), window_sizes=(3, 3, 3, 3),
        mlp_ratio=2.0, mbconv_expand_ratio=2.0), (64, 96), dict(interleaved=True)),
    "swinv2-hf": (lambda: hf("Swinv2", embed_dim=8, depths=[2, 2, 2], num_heads=[1, 2, 4], window_size=4, image_size=32, patch_size=2, mlp_ratio=2.0), (32, 32), {}),
    "swinv2-timm": (lambda: timm_model("swinv2_tiny_window8_256", img_size=32, patch_size=2, embed_dim=8, depths=(2, 2, 2), num_heads=(1, 2, 4), window_size=4, mlp_ratio=2.0), (32, 32), {}),
    "swinv2-torchvision": (lambda: tv("swin_v2_t", lambda **k: torchvision.models.SwinTransformer(block=swin_transformer.SwinTransformerBlockV2,
        downsample_layer=swin_transformer.PatchMergingV2, **TV_SWINV2, **k), **TV_SWINV2), (64, 64), {}),
    "resnet-torchvision": (lambda: tv("resnet50", lambda **k: torchvision.models.ResNet(torchvision.models.resnet.Bottleneck, [1, 1, 1, 1], width_per_group=4, **k),
                                      layers=[1, 1, 1, 1], width_per_group=4), (40, 40), STILL),
    "vgg-torchvision": (lambda: tv("vgg11", tv_vgg), (40, 48), STILL),
    "mobilenetv2-torchvision": (lambda: tv("mobilenet_v2", lambda **k: torchvision.models.mobilenet_v2(width_mult=0.25, **k), width_mult=0.25), (48, 48), CALM),
    "mobilenetv3-torchvision": (lambda: tv("mobilenet_v3_small", lambda **k: torchvision.models.mobilenet_v3_small(width_mult=0.5, **k), width_mult=0.5), (48, 40), {}),
    "efficientnet-torchvision": (lambda: tv("efficientnet_b0", lambda **k: torchvision.models.EfficientNet(
        efficientnet._efficientnet_conf("efficientnet_b0", width_mult=0.25, depth_mult=0.5)[0], 0.2, **k), width_mult=0.25, depth_mult=0.5), (48, 40), {}),
    "vit-torchvision": (lambda: tv("vit_b_16", lambda **k: torchvision.models.VisionTransformer(**TV_VIT, **k), **TV_VIT), (32, 32), {}),
    "swin-torchvision": (lambda: tv("swin_t", lambda **k: torchvision.models.SwinTransformer(**TV_SWIN, **k), **TV_SWIN), (32, 32), {}),
    "convnext-torchvision": (lambda: tv("convnext_tiny", lambda **k: torchvision.models.ConvNeXt(
        [convnext.CNBlockConfig(8, 16, 1), convnext.CNBlockConfig(16, 24, 1), convnext.CNBlockConfig(24, None, 2)], 0.1, **k),
        block_setting=[[8, 16, 1], [16, 24, 1], [24, None, 2]]), (72, 64), {}),
}

PROCESSORS = {"efficientnet": "EfficientNet", "mobilenet_v1": "MobileNetV1", "regnet": "ConvNext", "dinov2": "Bit", "dinov2_with_registers": "Bit", "clip": "CLIP",
              "siglip": "Siglip", "dinov3_vit": "ViT", "mobilevit": "ViT", "beit": "Beit", "data2vec-vision": "Beit", "ijepa": "ViT", "vit_mae": "ViT", "convnextv2": "ConvNext", "swinv2": "ViT", "pvt_v2": "Pvt"}


def processor_of(model, size, keywords):
    name = PROCESSORS[model.config.model_type]
    kind = getattr(transformers, f"{name}ImageProcessor")
    shape = {"height": size[0], "width": size[1]}
    if name in ("EfficientNet", "ViT", "Siglip", "Pvt"):
        return kind(size=shape, **keywords)
    if name in ("CLIP", "Bit", "MobileNetV1"):
        return kind(size={"shortest_edge": size[0] * 8 // 7}, crop_size=shape, **keywords)
    if name == "Beit":
        return kind(size=shape, do_center_crop=False, **keywords)
    return kind(size={"shortest_edge": min(size)}, **keywords)
