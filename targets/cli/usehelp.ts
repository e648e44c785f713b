/** What --help prints of the commands that make something of a model and what it has learnt: features, other programs' models. */

/** What may be said of a model that its file does not say. */
export const NAMED = `  --arch NAME                of weights alone (.pth, .pt, .bin): the network that they are
                             of, as torchvision or timm calls it
  --features NODE            of an ONNX file: the value, or the node that makes it, that
                             a new head reads; what stands behind it is left out`;

export const FEATURES_HELP: Readonly<Record<string, string>> = {
  embed: `s2a embed <model folder> [adapter] <pictures…> --out <file.npy> [options]: features of pictures

What the classifier reads of each picture, f32 [pictures, features], and beside it a table (.csv)
that says which row is which picture's. Pictures are files, or folders with pictures anywhere below.

  --out FILE.npy             the array; FILE.csv has its rows' names
  --weights f32|int8|int4    frozen weights (f32, or those of the adapter); int8,stream
                             or stream: they stay in a file and pass through memory
  --stored FILE              the file for weights that do, made where it is not there
  --budget SIZE              most linear memory
  --threads N|auto           threads that share the work (auto)
${NAMED}
  --json                     what was written, as JSON

  s2a embed models/vit-tiny photos --out features.npy`,
  compare: `s2a compare <model folder> [adapter] <picture> <picture> [options]: how alike two pictures are

The cosine of their features: 1 is the same direction, 0 none in common. What is alike enough
depends on the network: compare some pairs that are known first.

  --weights, --stored, --budget, --threads as for embed
${NAMED}
  --json                     the score as JSON

  s2a compare models/vit-tiny door-1.jpg door-2.jpg`,
};

export const WHOLE_HELP: Readonly<Record<string, string>> = {
  merge: `s2a merge <model folder> <adapter> --out <folder>: base and adapter as one model

The new folder is one that Hugging Face transformers (or timm) loads: config.json with the
adapter's classes, preprocessor_config.json, model.safetensors in f32. Its own head gives the
adapter's logits. Methods bias, lora, probe and full; prompts, side branches and --depth have no
place in another program's model and are refused. Over --weights int8 or int4 the file's own weights
are written, not the coded ones, so the logits differ by what the coding took away.

  --out DIR                  a new folder
  --peft                     not a model but the adapter alone, as PEFT loads it over the
                             base (bias, lora, probe); labels.json names its classes
${NAMED}
  --json                     what was written, as JSON

  s2a merge models/vit-tiny my-adapter --out merged
  s2a predict merged new/*.jpg`,
  export: `s2a export <model folder> [adapter] --onnx --out <folder>: base and adapter as an ONNX file

The folder gets model.onnx, config.json with the names of the outputs, and preprocessor_config.json.
Whatever learnt is in it: biases, low-rank products, prompts, side branches, the new head; numbers
of a regression come in their units. Input pixel_values [batch, channels, height, width],
normalised; output logits. Operators of opset 18. Without an adapter the model with its own head.

  --onnx                     the format
  --out DIR                  a new folder
  --weights f32|int8|int4    not the precision that the adapter was trained over; int8 is written
                             as codes with a DequantizeLinear each, int4 as f32
${NAMED}
  --json                     what was written, as JSON

  s2a export models/vit-tiny my-adapter --onnx --out exported`,
};
