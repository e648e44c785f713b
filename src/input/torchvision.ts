/** How pictures were prepared for torchvision's published weights, which their state dicts do not say: cut, shorter side before the cut, filter. */
import { keeping, type Preprocess } from './resized.ts';

type Published = readonly [crop: number, resize: number, by: 'bilinear' | 'bicubic'];

/** Where it is not 224 of 256, bilinear. Of several weights the first that were published. */
const PUBLISHED: Readonly<Record<string, Published>> = {
  convnext_tiny: [224, 236, 'bilinear'],
  convnext_small: [224, 230, 'bilinear'],
  convnext_base: [224, 232, 'bilinear'],
  convnext_large: [224, 232, 'bilinear'],
  efficientnet_b0: [224, 256, 'bicubic'],
  efficientnet_b1: [240, 256, 'bicubic'],
  efficientnet_b2: [288, 288, 'bicubic'],
  efficientnet_b3: [300, 320, 'bicubic'],
  efficientnet_b4: [380, 384, 'bicubic'],
  efficientnet_b5: [456, 456, 'bicubic'],
  efficientnet_b6: [528, 528, 'bicubic'],
  efficientnet_b7: [600, 600, 'bicubic'],
  efficientnet_v2_s: [384, 384, 'bilinear'],
  efficientnet_v2_m: [480, 480, 'bilinear'],
  efficientnet_v2_l: [480, 480, 'bicubic'],
  inception_v3: [299, 342, 'bilinear'],
  swin_t: [224, 232, 'bicubic'],
  swin_s: [224, 246, 'bicubic'],
  swin_b: [224, 238, 'bicubic'],
  swin_v2_t: [256, 260, 'bicubic'],
  swin_v2_s: [256, 260, 'bicubic'],
  swin_v2_b: [256, 272, 'bicubic'],
  vit_l_16: [224, 242, 'bilinear'],
  vit_h_14: [518, 518, 'bicubic'],
};
const USUAL: Published = [224, 256, 'bilinear'];

/** The side of the square pictures that an architecture was published for. */
export const publishedSide = (architecture: string): number => (PUBLISHED[architecture] ?? USUAL)[0];

/**
 * Preparation of pictures of another size keeps the share that is cut out. EfficientNetV2-L's statistics are 0.5, as are those of a network (`half`)
 * that takes the usual ones back and puts these in their place: Inception-v3 with `transform_input`.
 */
export function torchvisionPreprocess(architecture: string, [height, width]: readonly [number, number], centred = false): Preprocess {
  const [crop, resize, resample] = PUBLISHED[architecture] ?? USUAL;
  const before = (side: number): number => Math.trunc((side * resize) / crop);
  const half = centred || architecture === 'efficientnet_v2_l';
  return {
    resize: keeping({ height: before(height), width: before(width) }),
    resample,
    crop: { height, width, rounding: 'even' },
    scale: 1 / 255,
    mean: half ? [0.5, 0.5, 0.5] : [0.485, 0.456, 0.406],
    std: half ? [0.5, 0.5, 0.5] : [0.229, 0.224, 0.225],
  };
}
