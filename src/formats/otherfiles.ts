/** A folder without what is wanted of it, but with files of another program: what they are, and what to do. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { InputError, shown } from '../base/error.ts';
import { guarded } from '../base/files.ts';

const IN_PYTORCH = "load it with transformers or timm and save it: model.save_pretrained(folder), or timm's save_for_hf";

/** Names that tell what a folder is, the most telling first. */
const KINDS: readonly { name: RegExp; what: string; hint: string }[] = [
  {
    name: /^open_clip_(config\.json|model\.safetensors|pytorch_model\.bin)$/,
    what: 'is a CLIP model of open_clip, a network that is not read',
    hint: 'the nearest that is read is a ViT of transformers or timm, such as vit_base_patch16_224',
  },
  {
    name: /^adapter_model\.(safetensors|bin)$/,
    what: "is an adapter of PEFT's, not a model",
    hint: 'give the folder of the base that it was trained on; an adapter of s2a goes behind the model, or to --from',
  },
  {
    name: /^adapter\.safetensors$/,
    what: 'is an adapter of s2a, not a model',
    hint: 'give the folder of the model that it was trained on',
  },
  {
    name: /\.onnx$/,
    what: 'is an ONNX graph under a name of its own',
    hint: 'give the file itself in place of the folder, or call it model.onnx',
  },
  { name: /^(saved_model\.pb|variables)$|\.(h5|keras)$/, what: 'is a model of TensorFlow, which is not read', hint: IN_PYTORCH },
  { name: /\.tflite$/, what: 'is a model of TensorFlow Lite, which is not read', hint: IN_PYTORCH },
  { name: /\.msgpack$/, what: 'is a model of Flax, which is not read', hint: IN_PYTORCH },
  { name: /\.(npz|ckpt(-\d+)?(\.index)?)$/, what: 'is a checkpoint of JAX, TensorFlow or Lightning, which is not read', hint: IN_PYTORCH },
  {
    name: /\.(gguf|tensorrt|engine|mlmodel|mlpackage|torchscript|ptl)$/,
    what: 'is a model for another runtime, which is not read',
    hint: IN_PYTORCH,
  },
];

/** Weights of transformers in another precision: model.fp16.safetensors. */
const VARIANT = /^(?:model|diffusion_pytorch_model|pytorch_model)\.[\w-]+\.safetensors$/;

/** Throws where the folder holds something else than weights named model.safetensors; returns where it holds nothing that is known. */
export function refuseOtherWeights(folder: string): void {
  const names = listed(folder);
  const variant = names.find((name) => VARIANT.test(name));
  // Of several files none is more likely than the others.
  const unknown = names.filter((name) => name.endsWith('.safetensors') && kindOf(name) === undefined);
  const other = variant ?? (unknown.length === 1 ? unknown[0] : undefined);
  if (other !== undefined)
    throw new InputError({
      where: join(folder, other),
      what: variant ? 'is a variant of the weights, which is not chosen for you' : 'does not have the name that weights have',
      expected: 'model.safetensors',
      hint: `if these are the weights, name them so: cp ${quoted(other)} model.safetensors`,
    });
  refuseOtherFiles(folder, names);
}

/** The same for a folder that lacks config.json. */
export function refuseOtherFiles(folder: string, names: readonly string[] = listed(folder)): void {
  for (const kind of KINDS) {
    const name = names.find((n) => kind.name.test(n));
    if (name !== undefined) throw new InputError({ where: join(folder, name), what: kind.what, hint: kind.hint });
  }
}

const kindOf = (name: string) => KINDS.find((kind) => kind.name.test(name));
const listed = (folder: string): string[] => guarded(folder, 'cannot be read', () => readdirSync(folder)).sort();
/** A name as a shell takes it. */
const quoted = (name: string): string => (/^[\w.-]+$/.test(name) ? name : `'${shown(name).replaceAll("'", "'\\''")}'`);
