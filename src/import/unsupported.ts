/** Networks that are not read: what makes each another network, and the nearest that is read. */
import { InputError, nearest } from '../base/error.ts';
import { namesOf } from './families.ts';

interface Kind {
  /** What an architecture of timm's, or a model_type of transformers', is called. */
  name: RegExp;
  /** Why it is another network. */
  why: string;
  /** The nearest that is read: the first of these names that there is, `$1` and `$2` being what the pattern caught. */
  near: readonly string[];
  /** The same in transformers. */
  type?: string;
}

const RESNET = { near: ['resnet$1', 'resnet50'], type: 'resnet' };
const CONVNEXT = { near: ['convnext_$1', 'convnext_tiny'], type: 'convnext' };
const SWIN = { near: ['swin_$1_patch4_window7_224', 'swin_tiny_patch4_window7_224'], type: 'swin' };
const VIT = { near: ['vit_$1_patch$2_224', 'vit_$1_patch16_224', 'vit_small_patch16_224'], type: 'vit' };
const MOBILE = { near: ['mobilenetv3_large_100'], type: 'mobilenet_v2' };
/** A name with one of these in it; size and patch, where it has them, are caught. */
const sized = (words: string): RegExp =>
  new RegExp(`^(?=.*(?:${words}))(?:[a-z\\d]+_(tiny|small|medium|base|large|huge)\\w*?_patch(\\d+))?`);

/** The first that fits counts. */
const KINDS: readonly Kind[] = [
  { name: /resne(?:x|s)t\w*?(\d+)/, why: 'its convolutions are grouped or split', ...RESNET },
  { name: /^(?:legacy_)?(?:se|eca|sk|gc|ska)[a-z]*resnet\D*(\d+)/, why: 'its blocks weigh their channels', ...RESNET },
  { name: /^resnet(?:aa|blur)(\d+)/, why: 'it blurs before it strides', ...RESNET },
  { name: /^(?:resnetv2|bit)(?:_(\d+))?/, why: 'its norms, its stem or its filters are others', ...RESNET },
  { name: /res2?net\D*(\d*)/, why: 'its stem or its blocks are built otherwise', ...RESNET },
  { name: /^convnextv2(?:_([a-z]+))?/, why: 'it normalises responses over the whole map (GRN)', ...CONVNEXT },
  { name: /convnext(?:_([a-z]+))?/, why: 'its stem, its norms or its head are built otherwise', ...CONVNEXT },
  { name: /^swinv2(?:_cr_([a-z]+))?/, why: 'its positions or its norms are others', ...SWIN },
  { name: /swin(?:_s3_([a-z]+))?/, why: 'its windows are others', ...SWIN },
  {
    name: /mobilenet_?v1|mobilenetv4|mobilenetv3_rw|mobilenet|efficientnet|mnasnet|lcnet|fbnet|ghostnetv|mixnet/,
    why: 'its blocks or its head are others',
    ...MOBILE,
  },
  {
    name: /mobile|efficient|fast|edge|repvit|squeezenet|tiny_?vit|tinynet|starnet|swift/,
    why: 'it is of none of the families that are read',
    ...MOBILE,
  },
  { name: /^vit_\w*_18x2_/, why: 'its blocks run two branches at once', near: ['vit_small_patch16_36x1_224'], type: 'vit' },
  { name: sized('dinov[23]'), why: 'it has register tokens, other positions, or a gated MLP; DINO v1 is read', ...VIT },
  {
    name: sized('clip|siglip|align|blip'),
    why: 'it is the half for pictures of a model of pictures and texts',
    ...VIT,
  },
  { name: sized('reg\\d|registers'), why: 'it has register tokens', ...VIT },
  { name: sized('eva|beit|rope|rpn|relpos'), why: 'its positions are relative or rotary', ...VIT },
  { name: sized('^vit|^deit|_vit_'), why: 'its tokens, norms, pooling or attention are others', ...VIT },
  {
    name: /ijepa|yolos|cait|xcit|crossvit|^pit_|levit|tnt|volo|mixer|mlp|aimv2|hiera|mae|segformer|pvt|cvt|dpt/,
    why: 'its blocks are others',
    ...VIT,
  },
];

/** The refusal of a network by its name, which transformers or timm gave it. */
export function unsupported(where: string, got: string, library?: 'torchvision'): InputError {
  if (library !== undefined) {
    const [near] = nearest(got, namesOf(library));
    const hint = `${near === undefined ? '' : `did you mean ${near}? `}docs/models.md lists the networks that are read`;
    return new InputError({ where, what: `unsupported model of ${library}'s`, got, hint });
  }
  const kind = KINDS.find(({ name }) => name.test(got));
  if (kind === undefined) {
    const [near] = nearest(got, [...namesOf('timm'), ...namesOf('transformers')]);
    const hint = `${near === undefined ? '' : `did you mean ${near}? `}docs/models.md lists the networks that are read`;
    return new InputError({ where, what: 'unsupported model', got, hint });
  }
  const [, first = '', second = ''] = kind.name.exec(got)!;
  const readable = namesOf('timm');
  const near = kind.near.map((name) => name.replace('$1', first).replace('$2', second)).find((name) => readable.includes(name));
  return new InputError({
    where,
    what: 'unsupported model',
    got,
    hint: `${kind.why}; the nearest that is read is ${near} of timm's${kind.type ? `, or transformers' model_type ${kind.type}` : ''}`,
  });
}
