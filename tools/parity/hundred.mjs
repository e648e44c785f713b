/** A hundred backbones that people use, most used first: what they are called, whose checkpoint, and its name there. YOLO-cls and MCUNet are of libraries of their own. */
const of = (tier, library, text) =>
  text
    .trim()
    .split(/\s*,\s*/)
    .map((one) => {
      const [title, name] = one.split('=');
      return { tier, title: title.trim(), library, name: name.trim() };
    });

export const HUNDRED = [
  ...of(
    1,
    'transformers',
    'ViT=vit, DeiT=deit, DINOv2=dinov2, DINOv2 with registers=dinov2_with_registers, DINOv3=dinov3_vit, CLIP=clip, SigLIP=siglip',
  ),
  ...of(
    1,
    'transformers',
    'ResNet=resnet, MobileNetV2=mobilenet_v2, ConvNeXt=convnext, ConvNeXtV2=convnextv2, Swin=swin, Swin V2=swinv2, MobileViT=mobilevit',
  ),
  ...of(1, 'transformers', 'BEiT=beit, EfficientNet-B0=efficientnet'),
  ...of(
    1,
    'timm',
    'ViT=vit_base_patch16_224, DeiT=deit_small_patch16_224, DINO=vit_small_patch16_224, DINOv2=vit_small_patch14_dinov2, DINOv2 with registers=vit_small_patch14_reg4_dinov2',
  ),
  ...of(
    1,
    'timm',
    'DINOv3=vit_small_patch16_dinov3, CLIP=vit_base_patch32_clip_224, SigLIP=vit_base_patch16_siglip_224, ResNet=resnet50, MobileNetV2=mobilenetv2_100',
  ),
  ...of(
    1,
    'timm',
    'MobileNetV3=mobilenetv3_large_100, MobileNetV4=mobilenetv4_conv_small, EfficientNet-B0=efficientnet_b0, EfficientNet-Lite0=efficientnet_lite0, EfficientNetV2=efficientnetv2_rw_s',
  ),
  ...of(
    1,
    'timm',
    'ConvNeXt=convnext_tiny, Swin=swin_tiny_patch4_window7_224, Swin V2=swinv2_tiny_window8_256, DenseNet-121=densenet121, VGG-16=vgg16',
  ),
  ...of(1, 'torchvision', 'ResNet-18=resnet18, MobileNetV2=mobilenet_v2, MobileNetV3=mobilenet_v3_large, ViT=vit_b_16'),
  ...of(1, 'ultralytics', 'YOLO-cls=yolo11n-cls'),
  ...of(
    2,
    'transformers',
    'MobileNetV1=mobilenet_v1, ViT-MAE=vit_mae, I-JEPA=ijepa, PVTv2=pvt_v2, Data2Vec=data2vec-vision, RegNet=regnet',
  ),
  ...of(
    2,
    'timm',
    'MobileViTv2=mobilevitv2_100, EfficientFormer-L1=efficientformer_l1, EfficientFormerV2-S0=efficientformerv2_s0, FastViT-T8=fastvit_t8, EdgeNeXt=edgenext_small',
  ),
  ...of(
    2,
    'timm',
    'TinyViT=tiny_vit_5m_224, LeViT=levit_128, RegNetX=regnetx_032, RegNetY=regnety_032, RepVGG=repvgg_a2, RepViT=repvit_m1, GhostNet=ghostnet_100',
  ),
  ...of(2, 'torchvision', 'ShuffleNetV2=shufflenet_v2_x1_0, SqueezeNet=squeezenet1_1'),
  ...of(
    2,
    'timm',
    'MNASNet=mnasnet_100, EfficientViT=efficientvit_b0, MobileOne=mobileone_s0, Inception-v3=inception_v3, ResNet-50-D=resnet50d, ResNeXt-50=resnext50_32x4d',
  ),
  ...of(
    2,
    'timm',
    'SE-ResNet-50=seresnet50, ResNetV2-BiT=resnetv2_50x1_bit, EVA02=eva02_small_patch14_224, MaxViT=maxvit_tiny_tf_224, Hiera=hiera_tiny_224, PoolFormer=poolformer_s12',
  ),
  ...of(
    2,
    'timm',
    'HGNetV2=hgnetv2_b0, PP-LCNet=lcnet_100, Xception=xception41, AIMv2=aimv2_large_patch14_224, MobileNetV4 hybrid=mobilenetv4_hybrid_medium',
  ),
  ...of(
    2,
    'timm',
    'Wide-ResNet-50=wide_resnet50_2, TinyNet=tinynet_a, Anti-aliased ResNet=resnetaa50, BEiTv2=beitv2_base_patch16_224, DeiT3=deit3_small_patch16_224',
  ),
  ...of(
    3,
    'timm',
    'ResNeSt=resnest50d, HRNet=hrnet_w18, CoAtNet=coatnet_0_rw_224, CaiT=cait_s24_224, XCiT=xcit_tiny_12_p8_224, Mixer=mixer_b16_224, FocalNet=focalnet_tiny_srf',
  ),
  ...of(
    3,
    'timm',
    'DaViT=davit_tiny, NFNet=nfnet_l0, StarNet=starnet_s1, ReXNet=rexnet_100, InceptionNeXt=inception_next_tiny, MambaOut=mambaout_tiny, DLA=dla34',
  ),
  ...of(3, 'timm', 'SwiftFormer=swiftformer_xs'),
  ...of(3, 'transformers', 'CvT=cvt'),
  ...of(3, 'mcunet', 'MCUNet=mcunet-in4'),
];
