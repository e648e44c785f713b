/** The WASI command: trains, judges and predicts from a packed program, under any preview1 runtime with SIMD and no JavaScript. */
import { LayoutWord, Section } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { tellLabels, tellPrepared } from './about';
import { openArena, state, TRAIN } from './arena';
import { arg, argCount, bytesOf, flag, isArg, noMore, option, pathOption, positional, readArguments, wholeOption } from './args';
import { dataDigest, digestProgram, readLatest } from './checkpoint';
import { digestData, JUDGE, LEARN, openImages, openPart } from './data';
import { pagesFor } from './memory';
import { copyPath, enter, setPath } from './path';
import { predictArray, predictRaw } from './predict';
import {
  countRecords,
  headerWord,
  isPacked,
  elements,
  instructionsOf,
  layoutWord,
  openProgram,
  recordOf,
  refuse as refuseProgram,
  runWord,
  section,
  sectionBytes,
} from './program';
import { refuse, refuseArgument } from './refuse';
import { current, openRun } from './runner';
import { bytes, exit, label, line, number, real, STDOUT, text, to } from './text';
import { judge, train } from './train';
import { applyAdapter, loadBase, openModelFolder } from './weights';

const model = memory.data(1024);
const data = memory.data(1024);
const out = memory.data(1024);
const adapter = memory.data(1024);
const images = memory.data(1024);

/** Pages of the whole memory that a command takes: for `pack`, which limits it to just that. */
export function pages(fileBytes: u32, tensors: u32, epochs: u32, classes: u32, linear: u32): u32 {
  return <u32>pagesFor(fileBytes, tensors, epochs, classes, linear);
}

function usage(): void {
  text('s2a.wasm: S2A under WASI: what s2a pack prepared is trained, judged and used here\n\n');
  text('  s2a.wasm info    <program.s2a> [--model M] [--data D] [--adapter A] [--out O]\n');
  text('                   what it holds; checks it, and whatever else is named\n');
  text('  s2a.wasm train   <program.s2a> --model M --data D --out O [--save-every N] [--resume | --overwrite] [--steps N]\n');
  text('  s2a.wasm eval    <program.s2a> --model M --adapter A --data D [--split train|val]\n');
  text('  s2a.wasm predict <program.s2a> --model M --adapter A [images.npy] [--top N]\n');
  text('                   without images: raw RGB on standard input, one picture after the other\n\n');
  text('M: the model folder, or its weights file. D: a folder with {train,val}-{images,labels}.npy.\n');
  text('O: the folder for the adapter; O/run holds checkpoints and metrics. A: such a folder.\n');
  text('Exit codes: 0 done, 2 wrong input, 3 too little memory, 4 engine, 5 stopped after --steps.\n');
}

function instructions(phase: u32, name: string): void {
  text(name);
  text(' ');
  number(instructionsOf(phase));
}

function tensors(id: u32): void {
  number(countRecords(id));
  text(' tensors, ');
  let sum: u64 = 0;
  for (let i: u32 = 0, n = countRecords(id); i < n; i++) sum += elements(recordOf(id, i));
  number(sum);
  text(' numbers\n');
}

/** Reads the program that the command names; `withArena`: what needs more than a look at it. */
function open(withArena: bool): void {
  const i = positional();
  if (i == 0) refuseArgument('arguments', 'the program is missing', 'see s2a.wasm --help');
  openProgram(arg(i), bytesOf(arg(i)), withArena);
  if (!withArena) return;
  if (!isPacked()) refuse(arg(i), bytesOf(arg(i)), 'holds no run', 'write it with s2a pack');
  openArena();
}

function info(): void {
  const hasModel = pathOption('--model', model);
  const hasData = pathOption('--data', data);
  const hasAdapter = pathOption('--adapter', adapter);
  const hasOut = pathOption('--out', out);
  open(hasModel || hasData || hasAdapter || hasOut);
  noMore('s2a.wasm info <program.s2a>');
  if (hasOut && !hasData) refuseArgument('--out', 'needs --data, to know what its checkpoints belong to');
  if (hasModel) openModelFolder(model);
  if (hasAdapter) applyAdapter(adapter);
  if (hasData) openData();
  if (hasOut) {
    openRun();
    digestData(dataDigest);
    digestProgram();
    copyPath(images, out);
    enter(images, 'run');
    readLatest(images, state(), layoutWord(LayoutWord.RegionBytes), true);
  }
  to(STDOUT);
  label('linear memory');
  number(headerWord(4));
  text(' bytes\n');
  label('program file');
  number(headerWord(2));
  text(' bytes, version ');
  number(headerWord(1));
  line();
  label('threads');
  text('at most ');
  number(layoutWord(LayoutWord.MaxThreads));
  line();
  label('instructions');
  instructions(0, 'init');
  instructions(1, ', train');
  instructions(2, ', update');
  instructions(3, ', eval');
  line();
  label('weights');
  tensors(Section.Weights);
  label('parameters');
  tensors(Section.Parameters);
  if (isPacked()) {
    label('pictures');
    number(runWord(RunField.Height));
    text('x');
    number(runWord(RunField.Width));
    text(runWord(RunField.PixelBytes) == 1 ? ' RGB, uint8\n' : ' RGB, float32 or uint8\n');
    label('run');
    number(runWord(RunField.Epochs));
    text(' epochs, batches of ');
    number(runWord(RunField.BatchSize));
    text(' in passes of ');
    number(runWord(RunField.MicroBatch));
    line();
    tellLabels();
    tellPrepared();
  }
  label('about');
  bytes(section(Section.About), sectionBytes(Section.About));
  line();
}

function openData(): void {
  openPart(LEARN, data, 'train');
  openPart(JUDGE, data, 'val', true);
}

/** A path that a command cannot do without. */
function required(name: string, path: usize): void {
  if (!pathOption(name, path)) refuseArgument(name, 'is missing', 'see s2a.wasm --help');
}

function trainCommand(): void {
  required('--model', model);
  required('--data', data);
  required('--out', out);
  const every = wholeOption('--save-every', 0);
  const steps = wholeOption('--steps', 0);
  const resume = flag('--resume');
  const overwrite = flag('--overwrite');
  if (resume && overwrite) refuseArgument('--overwrite', 'throws away what --resume goes on from, expected one of the two');
  open(true);
  noMore('s2a.wasm train <program.s2a> --model M --data D --out O');
  if (instructionsOf(TRAIN) == 0) refuseProgram('was packed for predicting alone', 'pack pictures instead of --adapter');
  openData();
  openModelFolder(model);
  loadBase(model);
  digestProgram();
  train(out, resume, overwrite, every, steps);
}

function evalCommand(): void {
  required('--model', model);
  required('--adapter', adapter);
  required('--data', data);
  const split = option('--split');
  const isTrain = split != 0 && isArg(split, 'train');
  if (split != 0 && !isTrain && !isArg(split, 'val')) refuseArgument('--split', 'unknown value, expected train or val');
  open(true);
  noMore('s2a.wasm eval <program.s2a> --model M --adapter A --data D');
  openPart(JUDGE, data, isTrain ? 'train' : 'val');
  openModelFolder(model);
  loadBase(model);
  applyAdapter(adapter);
  judge(JUDGE);
  to(STDOUT);
  text('accuracy ');
  real((100 * current.correct) / current.count, 1);
  text(' %: ');
  number(<u64>current.correct);
  text(' of ');
  number(<u64>current.count);
  text(' pictures, loss ');
  real(current.loss / current.count, 4);
  line();
}

function predictCommand(): void {
  required('--model', model);
  required('--adapter', adapter);
  const top = wholeOption('--top', 1);
  open(true);
  const array = positional();
  noMore('s2a.wasm predict <program.s2a> --model M --adapter A [images.npy]');
  if (array != 0) {
    setPath(images, arg(array), bytesOf(arg(array)));
    openImages(LEARN, images);
  }
  openModelFolder(model);
  loadBase(model);
  applyAdapter(adapter);
  if (array != 0) predictArray(top);
  else predictRaw(top);
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
else refuse(arg(1), bytesOf(arg(1)), 'unknown command, expected info, train, eval or predict');
exit(0);
