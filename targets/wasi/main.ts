/** The WASI command. Today it looks at a compiled program file; it runs under any preview1 runtime, with no JavaScript. */
import { args_get, args_sizes_get } from 'bindings/wasi_snapshot_preview1';
import { LayoutWord, Section } from '../../assembly/abi/program';
import { reserve } from './memory';
import {
  countElements,
  countRecords,
  headerWord,
  instructionsOf,
  layoutWord,
  linearBytes,
  readProgram,
  section,
  sectionBytes,
} from './program';
import { bytes, exit, label, line, number, STDERR, STDOUT, text, to } from './text';

const sizes = memory.data(8);
let argCount: u32 = 0;
let args: usize = 0;

function readArguments(): void {
  if (args_sizes_get(sizes, sizes + 4) != 0) return;
  const n = load<u32>(sizes);
  const length = load<u32>(sizes, 4);
  args = reserve(<u64>n << 2);
  const buffer = reserve(length);
  if (args != 0 && buffer != 0 && args_get(args, buffer) == 0) argCount = n;
}

/** The i-th argument: bytes ended by a zero. */
function arg(i: u32): usize {
  return load<u32>(args + (i << 2));
}
function bytesOf(string: usize): usize {
  let end = string;
  while (load<u8>(end) != 0) end++;
  return end - string;
}
function isArg(i: u32, word: string): bool {
  const p = arg(i);
  const n = word.length;
  if (bytesOf(p) != <usize>n) return false;
  for (let k = 0; k < n; k++) if (<u16>load<u8>(p + k) != load<u16>(changetype<usize>(word) + (<usize>k << 1))) return false;
  return true;
}

function usage(): void {
  text('s2a.wasm: S2A under WASI\n\n');
  text('  s2a.wasm info <program.s2a>   what a compiled program holds; checks the whole file\n\n');
  text('A program is written by: s2a plan <model> --program program.s2a\n');
  text('Exit codes: 0 done, 2 wrong input.\n');
}

function instructions(phase: u32, name: string): void {
  text(name);
  text(' ');
  number(instructionsOf(phase));
}

function tensors(id: u32): void {
  number(countRecords(id));
  text(' tensors, ');
  number(countElements(id));
  text(' numbers\n');
}

function info(): void {
  readProgram(arg(2), bytesOf(arg(2)));
  to(STDOUT);
  label('linear memory');
  number(linearBytes());
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
  label('about');
  bytes(section(Section.About), sectionBytes(Section.About));
  line();
}

readArguments();
if (argCount < 2 || isArg(1, '--help') || isArg(1, '-h') || isArg(1, 'help')) usage();
else if (!isArg(1, 'info')) {
  to(STDERR);
  text('s2a: ');
  bytes(arg(1), bytesOf(arg(1)));
  text(': unknown command, expected info\n');
  exit(2);
} else if (argCount != 3) {
  to(STDERR);
  text('s2a: arguments: wrong number of them, got ');
  number(argCount - 2);
  text(', expected s2a.wasm info <program.s2a>\n');
  exit(2);
} else info();
exit(0);
