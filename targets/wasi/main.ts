/** The WASI command: trains, judges and predicts from a packed program, under any preview1 runtime with SIMD and no JavaScript. */
import { LayoutWord, Section } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { Answer } from '../../assembly/abi/task';
import { channelCount, instructionsOf } from '../../assembly/formats/sections';
import { takesArrays, tellLabels, tellParts, tellPrepared } from './about';
import { EVAL, INIT, openArena, state, TRAIN, UPDATE } from './arena';
import {
  arg,
  argCount,
  bytesOf,
  flag,
  isArg,
  noMore,
  option,
  pathOption,
  positional,
  readArguments,
  refuseArg,
  refuseOption,
  shareOption,
  wholeOption,
} from './args';
import { dataDigest, digestProgram, readLatest } from './checkpoint';
import { digestData, JUDGE, LEARN, openImages, openPart } from './data';
import { writeSums } from './headstart';
import { tellJudged } from './judging';
import { openKnown } from './known';
import { lookBy } from './looks';
import { pagesFor } from './memory';
import { pathIn, setPath } from './path';
import { predictArray, predictRaw, tellBy } from './predict';
import {
  countRecords,
  elements,
  headerWord,
  isPacked,
  layoutWord,
  openProgram,
  refuseProgram,
  runWord,
  section,
  sectionBytes,
  tensorOf,
} from './program';
import { refuse } from './refuse';
import { openRun } from './runner';
import { isStored, openStored } from './stored';
import { exit, say, select, STDOUT, to } from './text';
import { judge, train } from './train';
import { applyAdapter, loadBase, openModelFolder } from './weights';

const model = memory.data(1024);
const data = memory.data(1024);
const out = memory.data(1024);
const adapter = memory.data(1024);
const images = memory.data(1024);
const stored = memory.data(1024);

/** Pages of the whole memory that a command takes: for `pack`, which limits it to just that. */
export function pages(fileBytes: u32, tensors: u32, epochs: u32, classes: u32, linear: u32): u32 {
  return <u32>pagesFor(fileBytes, tensors, epochs, classes, linear);
}

function usage(): void {
  say('s2a.wasm: S2A under WASI: what s2a pack prepared is trained, judged and used here\n\n');
  say('  s2a.wasm info    <program.s2a> [--model M] [--data D] [--adapter A] [--out O]\n');
  say('                   what it holds; checks it, and whatever else is named\n');
  say(
    '  s2a.wasm train   <program.s2a> --model M --data D --out O [--save-every N] [--resume | --overwrite] [--steps N] [--from A] [--unjudged]\n',
  );
  say('  s2a.wasm eval    <program.s2a> --model M --adapter A --data D [--split train|val] [--json]\n');
  say('  s2a.wasm predict <program.s2a> --model M --adapter A [images.npy] [--top N] [--threshold X] [--json]\n');
  say('                   [--flips: with mirror images] [--smooth N: the mean of the last N]\n');
  say('                   without images: raw pixels on standard input, one picture after the other\n');
  say('  s2a.wasm sums    as eval, --out O [--diagonal]\n\n');
  say('--unknown 5%, or off: what is like nothing learnt is called unknown, and that share of what is; where A tells by what.\n');
  say('--stored FILE: where weights are streamed, their file; train has it in O/run.\n');
  say('M: the model folder, or its weights file. D: a folder with {train,val}-{images,labels}.npy.\n');
  say('O: the folder for the adapter; O/run holds checkpoints and metrics. A: such a folder.\n');
  say('Exit codes: 0 done, 2 wrong input, 3 too little memory, 4 engine, 5 stopped after --steps.\n');
}

function tellTensors(id: u32): void {
  let sum: u64 = 0;
  for (let i: u32 = 0, n = countRecords(id); i < n; i++) sum += elements(tensorOf(id, i));
  say('# tensors, # numbers\n', countRecords(id), <f64>sum);
}

/** Reads the program that the command names; `withArena`: what needs more than a look at it. */
function open(withArena: bool): void {
  const i = positional();
  if (i == 0) refuse(0, 'arguments: the program is missing', 'see s2a.wasm --help');
  openProgram(arg(i), bytesOf(arg(i)), withArena);
  if (!withArena) return;
  if (!isPacked()) refuseProgram('holds no run', 'write it with s2a pack');
  openArena();
}

function info(): void {
  const hasModel = pathOption('--model', model);
  const hasData = pathOption('--data', data);
  const hasAdapter = pathOption('--adapter', adapter);
  const hasOut = pathOption('--out', out);
  open(hasModel || hasData || hasAdapter || hasOut);
  noMore('s2a.wasm info <program.s2a>');
  if (hasOut && !hasData) refuseOption('--out', 'needs --data, to know what its checkpoints belong to');
  if (hasModel) openModelFolder(model);
  if (hasAdapter) applyAdapter(adapter);
  if (hasData) openData();
  if (hasData) {
    openRun();
    digestData(dataDigest);
  }
  if (hasOut) {
    digestProgram();
    pathIn(images, out, 'run');
    readLatest(images, state(), layoutWord(LayoutWord.RegionBytes), true);
  }
  tellProgram();
  if (hasData) tellParts();
}

function tellProgram(): void {
  to(STDOUT);
  say('linear memory   # bytes\n', headerWord(4));
  say('program file    # bytes, version #\n', headerWord(2), headerWord(1));
  say('threads         at most #\n', layoutWord(LayoutWord.MaxThreads));
  const learn = instructionsOf(TRAIN);
  say('instructions    init #, train #, update #, eval #\n', instructionsOf(INIT), learn, instructionsOf(UPDATE), instructionsOf(EVAL));
  say('weights         ');
  tellTensors(Section.Weights);
  say('parameters      ');
  tellTensors(Section.Parameters);
  if (isPacked()) {
    say('pictures        #x#', runWord(RunField.Height), runWord(RunField.Width));
    const channels = channelCount();
    if (channels == 3) say(' RGB, ');
    else if (channels == 1) say(' grey, ');
    else if (channels == 4) say(' RGBA, ');
    else say(' of # channels, ', channels);
    say(runWord(RunField.PixelBytes) == 1 ? 'uint8\n' : 'float32 or uint8\n');
    const batch = runWord(RunField.BatchSize);
    say('run             # epochs, batches of # in passes of #\n', runWord(RunField.Epochs), batch, runWord(RunField.MicroBatch));
    tellLabels();
    tellPrepared();
  }
  select(section(Section.About), sectionBytes(Section.About));
  say('about           &\n');
}

function openData(): void {
  openPart(LEARN, data, 'train');
  openPart(JUDGE, data, 'val', true);
}

/** A path that a command cannot do without. */
function required(name: string, path: usize): void {
  if (!pathOption(name, path)) refuseOption(name, 'is missing', 'see s2a.wasm --help');
}

function trainCommand(): void {
  required('--model', model);
  required('--data', data);
  required('--out', out);
  const hasStored = pathOption('--stored', stored);
  const every = wholeOption('--save-every', 0);
  const steps = wholeOption('--steps', 0);
  const hasFrom = pathOption('--from', adapter);
  const isUnjudged = flag('--unjudged');
  const resume = flag('--resume');
  const overwrite = flag('--overwrite');
  if (resume && overwrite) refuseOption('--overwrite', 'throws away what --resume goes on from, expected one of the two');
  open(true);
  noMore('s2a.wasm train <program.s2a> --model M --data D --out O');
  if (instructionsOf(TRAIN) == 0) refuseProgram('was packed for predicting alone', 'pack pictures instead of --adapter');
  if (isUnjudged) openPart(LEARN, data, 'train');
  else openData();
  openModelFolder(model);
  digestProgram();
  train(model, out, hasStored ? stored : 0, hasFrom ? adapter : 0, resume, overwrite, every, steps);
}

/** The network with its adapter, and what unknown pictures are told by. */
function openLearnt(hasStored: bool, unknown: f64): void {
  if (isStored(-1) != hasStored)
    refuseOption('--stored', hasStored ? 'is of use only where weights are streamed' : 'is missing: streamed weights need a file');
  openModelFolder(model);
  if (hasStored) openStored(stored);
  loadBase(model);
  applyAdapter(adapter);
  openKnown(adapter, unknown);
}

/** Takes what judging and sums take alike; returns whether there is a file for streamed weights. */
function takeLearnt(): bool {
  required('--model', model);
  required('--adapter', adapter);
  required('--data', data);
  return pathOption('--stored', stored);
}

function openToJudge(): void {
  open(true);
  noMore('<program.s2a> --model M --adapter A --data D');
}

function sumsCommand(): void {
  const hasStored = takeLearnt();
  required('--out', out);
  const isDiagonal = flag('--diagonal');
  openToJudge();
  openPart(LEARN, data, 'train');
  openLearnt(hasStored, -1);
  openRun();
  writeSums(out, isDiagonal);
}

function evalCommand(): void {
  const hasStored = takeLearnt();
  const isJson = flag('--json');
  const unknown = shareOption('--unknown', -1, 0.5, true);
  const split = option('--split');
  const isTrain = split != 0 && isArg(split, 'train');
  if (split != 0 && !isTrain && !isArg(split, 'val')) refuseOption('--split', 'unknown value, expected train or val');
  openToJudge();
  openPart(JUDGE, data, isTrain ? 'train' : 'val');
  openLearnt(hasStored, unknown);
  judge(JUDGE);
  tellJudged(isJson);
}

function predictCommand(): void {
  required('--model', model);
  required('--adapter', adapter);
  const hasStored = pathOption('--stored', stored);
  const unknown = shareOption('--unknown', -1, 0.5, true);
  const threshold = shareOption('--threshold', -1, 1, false);
  tellBy(wholeOption('--top', 0), flag('--json'), threshold);
  const smooth = wholeOption('--smooth', 1);
  const flips = flag('--flips');
  open(true);
  const array = positional();
  noMore('s2a.wasm predict <program.s2a> --model M --adapter A [images.npy]');
  if (threshold >= 0 && runWord(RunField.Answer) == Answer.Numbers)
    refuseOption('--threshold', 'is a probability, and this program answers numbers');
  const isClass = runWord(RunField.Answer) == Answer.Class;
  if (flips && (!isClass || takesArrays())) refuseOption('--flips', 'are of pictures and classes');
  if (smooth > 1 && !isClass) refuseOption('--smooth', 'is of classes here');
  lookBy(flips, smooth);
  if (array != 0) {
    setPath(images, arg(array), bytesOf(arg(array)));
    openImages(LEARN, images);
  }
  openLearnt(hasStored, unknown);
  if (array != 0) predictArray();
  else predictRaw();
}

/** Whether help is asked for, of whatever command. */
function wantsHelp(): bool {
  if (argCount < 2 || isArg(1, 'help')) return true;
  for (let i: u32 = 1; i < argCount; i++) if (isArg(i, '--help') || isArg(i, '-h')) return true;
  return false;
}

readArguments();
if (wantsHelp()) usage();
else if (isArg(1, 'info')) info();
else if (isArg(1, 'train')) trainCommand();
else if (isArg(1, 'eval')) evalCommand();
else if (isArg(1, 'predict')) predictCommand();
else if (isArg(1, 'sums')) sumsCommand();
else refuseArg(1, 'unknown command, expected info, train, eval, predict or sums');
exit(0);
