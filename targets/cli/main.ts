#!/usr/bin/env node
/** The command line: picks a command, turns errors into one sentence and an exit code. */
import './heap.ts';
import { BudgetError, EngineError, InputError, Interrupted, nearest } from '../../src/base/error.ts';
import { VERSION } from '../../src/base/version.ts';
import { bench } from './bench.ts';
import { calibrate } from './calibrate.ts';
import { compare } from './compare.ts';
import { doctor } from './doctor.ts';
import { embed } from './embed.ts';
import { enrol } from './enrol.ts';
import { evaluate } from './evaluate.ts';
import { exportModel } from './export.ts';
import { fidelity } from './fidelity.ts';
import { HELP } from './help.ts';
import { merge } from './merge.ts';
import { modules } from './modules.ts';
import { createOutput, type Output } from './output.ts';
import { pack } from './pack.ts';
import { plan } from './plan.ts';
import { predict } from './predict.ts';
import { print } from './print.ts';
import { train } from './train.ts';

const COMMANDS: Readonly<Record<string, (args: string[], out: Output) => void | Promise<void>>> = {
  plan,
  train,
  pack,
  eval: evaluate,
  predict,
  enrol,
  embed,
  compare,
  merge,
  export: exportModel,
  fidelity,
  calibrate,
  modules,
  // Loaded when they are asked for: the others start without a server.
  watch: async (args, out) => (await import('./watch.ts')).watch(args, out),
  serve: async (args, out) => (await import('./serve.ts')).serve(args, out),
  print,
  doctor,
  bench,
  // Read when it is wanted: no other command needs a network's code.
  fleet: async (args, out) => (await import('./fleet.ts')).fleet(args, out),
};

async function main(args: string[]): Promise<number> {
  const [command, ...rest] = args;
  const out = createOutput();
  try {
    if (command === '--version' || command === '-v') out.line(VERSION);
    else if (command === undefined || command === '--help' || command === '-h' || command === 'help')
      out.line(HELP[rest[0] ?? ''] ?? HELP['']!);
    else if (!Object.hasOwn(COMMANDS, command)) {
      const near = nearest(command, Object.keys(COMMANDS))[0];
      throw new InputError({
        where: command,
        what: 'unknown command',
        expected: Object.keys(COMMANDS).join(', '),
        ...(near ? { hint: `did you mean ${near}?` } : {}),
      });
    } else if (rest.includes('--help') || rest.includes('-h')) out.line(HELP[command]!);
    else await COMMANDS[command]!(rest, out);
    return 0;
  } catch (error) {
    if (error instanceof InputError || error instanceof BudgetError || error instanceof EngineError || error instanceof Interrupted) {
      out.note(`s2a: ${error.message}`);
      return error.exitCode;
    }
    // Deno's own words name the file and the flag that is missing.
    if ((error as Error | null)?.name === 'NotCapable') {
      out.note(`s2a: Deno: ${(error as Error).message}`);
      return 2;
    }
    out.note(`s2a: unexpected error: ${(error as Error)?.message ?? error}\n${(error as Error)?.stack ?? ''}`);
    return 4;
  }
}

// Results that could not be written have left a code of their own.
const code = await main(process.argv.slice(2));
process.exitCode = code || process.exitCode || 0;
