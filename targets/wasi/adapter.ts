/** The adapter folder, byte for byte as src/formats/adapterfile.ts writes it: all but the numbers was packed with the program. */
import { Section } from '../../assembly/abi/program';
import { Rates } from '../../assembly/abi/rates';
import { pathIn } from './path';
import { arena, countRecords, section, sectionBytes, Tensor, tensorOf } from './program';
import { putRates } from './rates';
import { create, makeFolder, place, put, seal, syncFolder } from './write';

const weightsPath = memory.data(1024);
const configPath = memory.data(1024);
const CAPACITY: usize = 4096;
const buffer = memory.data(4096);

/** Writes both files; both are on disk before either has its name, so a full disk stops the pair, not half of it. */
export function writeAdapter(folder: usize): void {
  makeFolder(folder);
  pathIn(weightsPath, folder, 'adapter_model.safetensors');
  pathIn(configPath, folder, 'adapter_config.json');
  create(configPath);
  put(section(Section.AdapterConfig), sectionBytes(Section.AdapterConfig));
  seal();
  create(weightsPath);
  put(section(Section.AdapterHead), sectionBytes(Section.AdapterHead));
  const order = section(Section.AdapterOrder);
  const parameters = countRecords(Section.Parameters);
  for (let i: u32 = 0, n = sectionBytes(Section.AdapterOrder) >> 2; i < n; i++) {
    const k = load<u32>(order + (i << 2));
    if (k < parameters) putParameter(tensorOf(Section.Parameters, k));
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
function putParameter(t: Tensor): void {
  let filled: usize = 0;
  for (let i0: u32 = 0; i0 < t.d0; i0++)
    for (let i1: u32 = 0; i1 < t.d1; i1++)
      for (let i2: u32 = 0; i2 < t.d2; i2++) {
        store<f32>(buffer + filled, load<f32>(arena + t.offset + ((<usize>(i0 * t.s0 + i1 * t.s1 + i2 * t.s2)) << 2)));
        filled += 4;
        if (filled == CAPACITY) {
          put(buffer, filled);
          filled = 0;
        }
      }
  put(buffer, filled);
}
