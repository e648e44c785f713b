import { DEFAULTS as d } from '../../src/base/defaults.ts';
import { LIVE_HELP } from './livehelp.ts';
import { FEATURES_HELP, NAMED, WHOLE_HELP } from './usehelp.ts';

/** What --help prints. */
const COMMON = `  --method M                 probe, full, or bias, prompt, side, lora joined by + (${d.method}),
                             with options: bias+prompt:rank=8+side:ratio=8
  --last N                   only the last N blocks learn
  --depth N                  the network ends after its first N blocks (all)
  --keep K                   what is kept for backward: s2a (codes) or exact (f32),
                             with overrides: s2a,qkv=4,gelu=f32 (${d.keep})
  --weights P                frozen weights in memory: f32, int8, int4 (about 4.5
                             bits), or auto: the most that the budget allows (${d.weights});
                             with ,stream (int8,stream) they stay in a file and pass
                             through memory: the same bytes are learnt, in less of it
  --resident SIZE            streams too, but for so much of the largest weights
  --optimizer adamw|sgd      (${d.optimizer})
  --batch-size N             pictures in one optimizer step (${d.batchSize})
  --micro-batch N            pictures in one pass; must divide the batch (chosen)
  --recompute R              blocks computed again in backward: none, all, a number,
                             named as 0-5:8,6:4 (bits of their inputs), or auto:
                             as few as the budget needs (${d.recompute})
  --budget SIZE              most linear memory, for example 48MiB; micro-batch,
                             recompute and kept bits are chosen to keep it, and
                             where nothing else does, weights stay in a file
  --max-threads N            threads to reserve scratch for, as the budget allows (${d.maxThreads})
  --image-size N|HxW         pictures of N x N, or H high and W wide, instead of the
                             model's own size
${NAMED}
  --json                     the result as JSON on standard output`;

/** The same text without some of its options and what is said of them. */
const withoutOptions = (text: string, names: readonly string[]): string =>
  names.reduce((left, name) => left.replace(new RegExp(`^ {2}--${name} .*\\n(?: {29}.*\\n)*`, 'm'), ''), text);

export const HELP: Readonly<Record<string, string>> = {
  '': `s2a: fine-tune a pretrained vision model on this machine, inside a fixed memory budget

  s2a plan    <model>                       what training would need, before any data
  s2a train   <model> <pictures> --out DIR  learn; writes an adapter folder
  s2a pack    <model> <pictures> --out DIR  for a board without JavaScript: docs/wasi.md
  s2a eval    <model> <adapter> <pictures>  accuracy of an adapter on labelled pictures
  s2a predict <model> <adapter> <picture…>  what is on these pictures
  s2a enrol   <model> <pictures> --out DIR  classes from a few pictures each, without training
  s2a embed   <model> <pictures> --out FILE features of pictures, as an array (.npy)
  s2a compare <model> <picture> <picture>   how alike two pictures are
  s2a watch   <model> <pictures> --out DIR  learn new pictures as they come, through a gate
  s2a serve   <model> [adapter]             answers over HTTP; with --watch it goes on learning
  s2a merge   <model> <adapter> --out DIR   both as one model folder, for other programs
  s2a export  <model> <adapter> --onnx …    both as one ONNX file, for other runtimes
  s2a fidelity <model> <pictures>           how true the gradients from kept codes are
  s2a calibrate <model> <pictures>          derivative tables fitted to what each layer sees
  s2a modules <model>                       what a method would let learn, tensor by tensor
  s2a print   <model or program file>       the compiled program as text
  s2a fleet   join <server> …               learn one adapter with other boards: docs/fleet.md
  s2a doctor                                what this machine has, and which budgets are safe
  s2a bench   <model>                       what a training step costs on this machine

<model> is a folder with config.json and model.safetensors or pytorch_model.bin (Hugging Face, timm,
torchvision), an ONNX file, or a file of torch.save with --arch resnet18: ViT, DINOv2, CLIP, Swin,
ResNet, ConvNeXt, EfficientNet, MobileNet and others, listed in docs/models.md.
s2a <command> --help says more.

  s2a plan models/vit-tiny --classes 10 --batch-size 8 --budget 30MiB
  s2a train models/vit-tiny photos --budget 30MiB --out my-adapter
  s2a predict models/vit-tiny my-adapter new/*.jpg

An option that is given twice counts as it was given last; --lr in both of its kinds is refused.

Exit codes: 0 done, 2 wrong input, 3 does not fit the budget, 4 engine, 5 disk full or failing,
130 interrupted.`,
  plan: `s2a plan <model folder> [options]: the itemised memory plan, from config.json alone

  --classes N                classes of the new head (${d.classes})
  --pixels u8|f32            f32: what goes in are arrays of floats, not bytes (u8)
  --program FILE             write the compiled program too
  --timeline FILE            write a picture of the memory over one step (.html or .svg)
  --grid                     a table instead: model x method x budget, what fits and how;
                             takes several model folders; --last and --depth hold
                             for every row
  --methods M,M              rows of it (probe,bias,bias+prompt+side,lora,full)
  --budgets SIZE,SIZE        and budgets (the smallest that works, and one halfway)
${COMMON}

  s2a plan models/vit-tiny --classes 100 --batch-size 8 --micro-batch 1 --budget 30MiB
  s2a plan models/vit-tiny --classes 100 --program program.s2a
  s2a plan --grid models/vit-tiny models/mobilenetv2 --batch-size 8 --budgets 16MiB,32MiB`,
  train: `s2a train <model folder> <pictures> --out <folder> [options]

<pictures> holds root/class/*.jpg or root/{train,val}/class/*.jpg (.jpeg, .png, .webp; any case), or
labels.csv or metadata.csv with the columns file and label (docs/data.md); or arrays of NumPy's
(docs/arrays.md): root/class/*.npy, root/{train,val}/{x,y}.npy, root/{x,y}_{train,val}.npy.
With labels instead, names and | between them, it teaches several labels a picture, with value
numbers (docs/tasks.md).
Without val, a seeded part of each class is held out. The best epoch is kept; the last, where there
is nothing to judge by. A run that goes astray goes back and takes a tenth of the step.
Ctrl-C, SIGTERM and a lost terminal save the run: --resume goes on. Exit code 2 after the
adapter was written: something else was not, and is said.

  --out DIR                  where the adapter goes; DIR/run holds cache, checkpoints, metrics
  --labels FILE              a table of labels, file,label, for the pictures below <pictures>
  --task NAME                classify, multilabel or regress, where the table's columns do not
                             say what the pictures are for
  --threshold X, --threshold LABEL=X,LABEL=X
                             multilabel: the probability from which a label is answered (${d.threshold})
  --loss huber|squares       regress (huber)
  --epochs N                 (${d.epochs})
  --lr X, --lr 0.5x          peak learning rate; or a factor on rates that are
                             measured, layer by layer, before the first step (1x)
  --warmup X                 share of the steps in which the rate rises (${d.warmup})
  --weight-decay X           (${d.weightDecay}), none on biases
  --clip X                   largest gradient norm, 0 for none (${d.clipNorm})
  --label-smoothing X        (${d.smoothing})
  --augment A                pictures changed at random (none): light, strong, or with commas
                             any of crop, flip, turn, zoom, colour, grey, blur, erase, mixup, cutmix
  --balance                  of uneven classes: pictures of the smaller ones come several times an
                             epoch, until all classes are alike
  --class-weights W          in the loss: balanced, cat=2,dog=1 (others 1), or a JSON file of those
  --dropout X                of what the head reads and a transformer's layers put out
                             (what config.json says)
  --drop-path X              of a whole branch a picture, X at the last block (config.json)
  --normalize N              of arrays: measured, model, or MEAN/STD (measured)
  --hold-out X               share of each class held out (${d.holdOut}); 0: none, the last epoch is kept
  --patience N               end after N epochs without a better one (never)
  --retries N                how often a run that goes astray may go back: 0, 1 or 2 (${d.retries})
  --seed N                   (${d.seed})
  --save-every N             checkpoint every N steps
  --resume                   go on from the last checkpoint in --out
  --overwrite                throw away an interrupted run in --out (a finished one is replaced)
  --from ADAPTER             go on from an adapter of the same model and method: labels are
                             matched by name, classes that it lacks, one or many, appended
  --memory SIZE              pictures that the adapter remembers, so that later runs --from it do
                             not forget (as the adapter of --from; else 0)
  --head ridge|zero          where rows of the head begin that no adapter has learnt: ridge
                             regression from the features, in one pass more, or zero
                             (probe: ridge; zero where more than the head learns)
  --calibrate N              fit derivative tables to N pictures first; they go with the adapter
  --tables FILE              use the tables of s2a calibrate
  --cache DIR                where prepared pictures are kept (DIR/run of --out)
  --feature-cache SIZE       most disk for what the part that never changes makes of the
                             pictures, read by later epochs; 0: none (${d.featureCache >> 20}MiB)
  --process-budget SIZE      limit the whole process: while preparing, and while training
  --threads N|auto           threads that share the work; changes no result (auto: all cores)
  --arithmetic A             sums: plain, the same bits everywhere; fast, in f32 by fused
                             multiply-add, other last bits; auto, the faster of both that this
                             machine proves; lossy, over --weights int8 in fewer bits (plain)
  --report FILE              write an HTML page with the result
  --log FILE.csv, --log DIR  a table of losses, rates and accuracies by step, or the same as event
                             files for TensorBoard; may be given twice
  --stored FILE              the file for weights that are streamed (DIR/run of --out)
  --fidelity                 put into the page how true the gradients from kept codes are
${COMMON}

  s2a train models/mobilenetv2 photos --budget 24MiB --epochs 15 --out my-adapter
  s2a train models/mobilenetv2 photos --out my-adapter --save-every 50 --resume
  s2a train models/mobilenetv2 more-photos --from my-adapter --out my-adapter-2`,
  pack: `s2a pack <model folder> <pictures> --out <folder> [options]: for a board without JavaScript

Writes s2a.wasm (its memory limited to the plan), program.s2a and {train,val}-{images,labels}.npy,
by the decoding and split of train: the adapter is the same, byte for byte. Options as train's, but
--save-every and --resume, which s2a.wasm takes. The board needs the model's safetensors too.

  --pixels u8|f32            how pictures are stored; f32 for data that are not bytes (${d.pixels})
  --adapter ADAPTER          instead of pictures: a program that only predicts and judges, with this
                             adapter or another like it; takes --micro-batch, --budget, --weights

  s2a pack models/mobilenetv2 photos --budget 24MiB --epochs 15 --out board
  s2a pack models/mobilenetv2 --adapter my-adapter --out camera
  wasmtime --dir . board/s2a.wasm train board/program.s2a --model models/mobilenetv2 \\
    --data board --out my-adapter`,
  eval: `s2a eval <model folder> [adapter] <pictures> [options]: how well it does on labelled pictures

Without an adapter the model's own head is judged. <pictures>: a folder, of one class too, or a
table of labels (.csv) in it. Accuracy, precision, recall, F1, calibration, what was taken for what.

  --report FILE              write an HTML page with the same figures and the worst mistakes
  --split all|train|val|test which part of <pictures> (test, else val, else all)
  --labels FILE              a table of labels, file,label, for the pictures below <pictures>
  --task NAME                what they are for (what the adapter was taught)
  --normalize N              of arrays: measured, model, or MEAN/STD (measured)
  --weights f32|int8|int4    not the precision that the adapter was trained over;
                             int8,stream or stream: they pass through memory
  --stored FILE              the file for weights that do, made where it is not there
  --unknown SHARE|off        how many are called unknown where this share of pictures of known
                             classes may be (5%); a folder or label named unknown has pictures of
                             nothing that was learnt
  --flips                    look at each picture and its mirror image: the mean of both
  --micro-batch N            pictures in one pass (8)
  --budget SIZE              most linear memory
  --threads N|auto           threads that share the work (auto)
  --cache DIR                where prepared pictures are kept (a temporary folder)
${NAMED}
  --json                     the result as JSON

  s2a eval models/vit-tiny my-adapter photos --split val --report judged.html`,
  predict: `s2a predict <model folder> [adapter] <picture…> [options]

Pictures are files, folders with pictures anywhere below, and names in quotes with *, ?, [a-z] and
**: in the order given, below a folder by name. - is standard input: JPEGs one behind the other as
a camera or ffmpeg writes them (MJPEG), or raw frames; each is answered as it comes, to the end of
the stream. Without an adapter the model's own head says what it sees. (docs/camera.md)

  --top N                    how many classes to show (1), or labels, answered or not
  --unknown SHARE|off        pictures like nothing that was learnt are called unknown, and with them
                             this share of pictures of known classes (5%)
  --threshold X              a class less probable than X is not named: unsure; of labels the
                             probability from which they are answered (as trained)
  --flips                    look at each picture and its mirror image: the mean of both
  --smooth K                 the mean of the last K pictures' probabilities, or numbers
  --raw WIDTHxHEIGHT         standard input is raw frames, RGB; 640x480:gray, 640x480:rgba
  --weights f32|int8|int4    not the precision that the adapter was trained over;
                             int8,stream or stream: they pass through memory
  --stored FILE              the file for weights that do, made where it is not there
  --budget SIZE              most linear memory
  --threads N|auto           threads that share the work (1)
${NAMED}
  --json                     one JSON object a picture, a line each

  s2a predict models/vit-tiny my-adapter new/*.jpg --top 3
  ffmpeg -i door.mp4 -f mjpeg - | s2a predict models/vit-tiny my-adapter - --smooth 5 --json`,
  enrol: `s2a enrol <model folder> <pictures> --out <folder> [options]: classes without training

One pass over a few pictures of each class makes a head in closed form (ridge regression): an
adapter as any other, which predicts, is judged, and is trained on from by train --from. Nothing is
held out; the last line tells how pictures left out one by one are named.

  --out DIR                  where the adapter goes
  --from ADAPTER             its classes stay, those that it lacks are added; one is enough
  --task normal              one class, what is as usual: predict then says normal or not, and how
                             far; 19 pictures or more
  --labels FILE              a table of labels, file,label, for the pictures
  --normalize N              of arrays: measured, model, or MEAN/STD (measured)
  --weights f32|int8|int4    frozen weights (f32, or those of --from); int8,stream or
                             stream: they stay in a file and pass through memory
  --stored FILE              the file for weights that do (one in --out, while it runs)
  --image-size N, HxW        of the pictures that the network sees (the model's own)
  --micro-batch N            pictures in one pass (8)
  --budget SIZE              most linear memory
  --threads N|auto           threads that share the work (auto)
  --cache DIR                where prepared pictures are kept (a temporary folder)
${NAMED}
  --json                     the result as JSON

  s2a enrol models/vit-tiny five-of-each --out my-adapter
  s2a predict models/vit-tiny my-adapter new/*.jpg
  s2a enrol models/vit-tiny good-parts --task normal --out watcher`,
  ...FEATURES_HELP,
  ...LIVE_HELP,
  ...WHOLE_HELP,
  calibrate: `s2a calibrate <model folder> <pictures> --out <file> [options]

Fits the 16 levels by which each layer keeps its activation's derivative (GELU, SiLU and
all others but the ReLU kind) to the inputs that it has on some of the pictures. A table that
is not 10 % better than the shipped one is left as shipped. The forward pass does not change.

  --out FILE                 calibration.json, for train --tables
  --labels FILE              a table of labels, file,label, for the pictures
  --normalize N              of arrays: measured, model, or MEAN/STD (measured)
  --pictures N               how many to measure on (${d.pictures})
  --adapter ADAPTER          measure where this adapter stands
  --seed N                   (${d.seed})
  --cache DIR                where prepared pictures are kept (a temporary folder)
${COMMON.replace(/^ {2}--optimizer.*\n/m, '')}

  s2a calibrate models/vit-tiny photos --out tables.json
  s2a train models/vit-tiny photos --tables tables.json --out my-adapter`,
  fidelity: `s2a fidelity <model folder> <pictures> [options]: gradients of --keep against f32

Trains some steps with everything kept in f32, then compares the gradients of optimizer steps:
cosine, relative error and bits kept, for every block and module. The head is left out.

  --adapter ADAPTER          measure where this adapter stands (then --steps is 0)
  --labels FILE              a table of labels, file,label, for the pictures
  --normalize N              of arrays: measured, model, or MEAN/STD (measured)
  --steps N                  steps trained before (${d.steps})
  --batches N                optimizer steps compared (${d.batches})
  --calibrate N, --tables F  with tables fitted to N pictures, or those of a file
  --lr X, --lr 0.5x          learning rate of the steps before, as for train (1x)
  --seed N                   (${d.seed})
  --cache DIR                where prepared pictures are kept (a temporary folder)
  --report FILE              write an HTML page
${withoutOptions(COMMON, ['weights', 'resident', 'recompute', 'budget', 'max-threads'])}

  s2a fidelity models/vit-tiny photos --keep s2a,qkv=4 --method bias+prompt`,
  modules: `s2a modules <model folder> [options]: what would learn: names, shapes, counts, percent

  --classes N                classes of the new head (${d.classes})
${COMMON}

  s2a modules models/vit-tiny --method bias+prompt:rank=8+side`,
  print: `s2a print <model folder> [options]: the compiled program as text
s2a print <program file>: the same of a file that s2a pack or s2a plan --program wrote

Layout, weights, parameters, every instruction with its operands' addresses; of a model folder also
the names of the values there, of a packed program the run's settings and labels. A file that is
damaged, or was compiled for another version, is refused. Options are a model folder's alone.

  --classes N                classes of the new head (${d.classes})
${COMMON.replace(/\n.*--json.*$/, '')}

  s2a print models/vit-tiny --method bias+prompt --micro-batch 1
  s2a print my-board/program.s2a`,
  doctor: `s2a doctor [--json]: what this machine has, and the largest budgets that are safe here

Reads memory, limits, swap and cores; looks for SIMD, relaxed SIMD and shared memory.
Changes nothing. Exit code 4 where the engine cannot run at all.`,
  bench: `s2a bench <model folder> [options]: the time of a training step on this machine

Trains on pictures of noise, so it needs no data. Prints step time, resident peak, and whether
the machine slows down as it warms up.

  --seconds N                how long to measure (20); an hour shows what heat does
  --threads N|auto           threads that share the work (auto)
  --anchors                  instead: seconds a picture at 224x224 by 16, as boards are compared:
                             head alone and all, in every arithmetic; --seconds for each (10)
  --stored FILE              the file for weights that are streamed
  --arithmetic A             plain, fast (fused multiply-add), auto or lossy, as for train (plain)
  --classes N                classes of the new head (${d.classes})
${COMMON}

  s2a bench models/mobilenetv2 --budget 24MiB --batch-size 8 --seconds 600`,
  fleet: `s2a fleet join <server> --model DIR --data DIR --out DIR [options]: be a node of a fleet
s2a fleet gateway <server> --model DIR --boards DIR --out DIR [options]: the same for boards that
run s2a.wasm alone, by files
s2a fleet key FILE: make the node's key, and print its public half
s2a fleet status DIR [--report page.html] [--json]: rounds and nodes of a run, from the server
app's folder, and as a page

The server is a Flower SuperLink 1.42 that runs our app (docs/fleet.md). It sends the fleet's
adapter, this machine learns from its own pictures, and sends what it learnt: never a picture.
--out holds the fleet's newest adapter, for s2a predict; a node that was killed goes on where it
stood. It leaves when the run is over.

  --model DIR --data DIR     as s2a train takes them
  --out DIR                  the fleet's adapter; fleet/ in it keeps key, journal and pictures
  --key FILE                 the node's private key, made where it is not there (fleet/key.pem)
  --ca FILE                  certificates of the authority that the server's is from
  --name NAME                what it is called in the fleet (a part of its key's hash)
  --stay                     wait for another run when one is over
  --seed N                   which pictures are held out (0)
  --hold-out F               share of each class held out, to judge the fleet's adapter by (${d.holdOut})
${COMMON.replace('the result as JSON on standard output', 'what happens as JSON on standard output, a line each')}

A gateway has, in the place of --data, --key, --name, --seed and --hold-out:
  --boards DIR               a folder for each board, called as it is in the fleet, with the
                             program.s2a that s2a pack wrote for its pictures
  --keys DIR                 the boards' private keys, <board>.pem (fleet/keys in --out)

Epochs, rate and seed of a round are the server's. Other options are those of s2a train.

  s2a fleet join https://fleet.lan:9092 --ca ca.pem --model models/vit-tiny \\
    --data photos --out adapter --budget 30MiB`,
};
