/** The adapter folder, byte for byte as src/formats/adapterfile.ts writes it: all but the numbers was packed with the program. */
import { ParameterWord, Section } from '../../assembly/abi/program';
import { Rates } from '../../assembly/abi/rates';
import { copyPath, enter } from './path';
import { arena, countRecords, section, sectionBytes } from './program';
import { putRates } from './rates';
import { create, makeFolder, place, put, seal, syncFolder } from './write';

const weightsPath = memory.data(1024);
const configPath = memory.data(1024);
const CAPACITY: usize = 4096;
const buffer = memory.data(4096);

/** Writes both files; both are on disk before either has its name, so a full disk stops the pair, not half of it. */
export function writeAdapter(folder: usize): void {
  makeFolder(folder);
  copyPath(weightsPath, folder);
  enter(weightsPath, 'adapter_model.safetensors');
  copyPath(configPath, folder);
  enter(configPath, 'adapter_config.json');
  create(configPath);
  put(section(Section.AdapterConfig), sectionBytes(Section.AdapterConfig));
  seal();
  create(weightsPath);
  put(section(Section.AdapterHead), sectionBytes(Section.AdapterHead));
  const order = section(Section.AdapterOrder);
  const parameters = countRecords(Section.Parameters);
  for (let i: u32 = 0, n = sectionBytes(Section.AdapterOrder) >> 2; i < n; i++) {
    const k = load<u32>(order + (i << 2));
    if (k < parameters) putParameter(section(Section.Parameters) + k * (ParameterWord.Count << 2));
    else {
      putRates(buffer);
      put(buffer, (<usize>Rates.Groups) << 3);
    }
  }
  seal();
  place(weightsPath);
  place(configPath);
  syncFolder(folder);
}

/** A parameter in the checkpoint's own layout, gathered from the arena. */
function putParameter(record: usize): void {
  const from = arena + load<u32>(record, ParameterWord.Offset << 2);
  const n0 = load<u32>(record, ParameterWord.D0 << 2);
  const n1 = load<u32>(record, ParameterWord.D1 << 2);
  const n2 = load<u32>(record, ParameterWord.D2 << 2);
  const s0 = load<u32>(record, ParameterWord.S0 << 2);
  const s1 = load<u32>(record, ParameterWord.S1 << 2);
  const s2 = load<u32>(record, ParameterWord.S2 << 2);
  let filled: usize = 0;
  for (let i0: u32 = 0; i0 < n0; i0++)
    for (let i1: u32 = 0; i1 < n1; i1++)
      for (let i2: u32 = 0; i2 < n2; i2++) {
        store<f32>(buffer + filled, load<f32>(from + ((<usize>(i0 * s0 + i1 * s1 + i2 * s2)) << 2)));
        filled += 4;
        if (filled == CAPACITY) {
          put(buffer, filled);
          filled = 0;
        }
      }
  put(buffer, filled);
}
