/** What a packed program says of its classes and of how its pictures were prepared. */
import { Section } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { lineAt, lineBytes, runWord, section, sectionBytes } from './program';
import { bytes, label, line, number, text } from './text';

/** The classes by name, in the order of their labels. */
export function tellLabels(): void {
  const n = runWord(RunField.Classes);
  label('labels');
  number(n);
  text(': ');
  for (let i: u32 = 0; i < n; i++) {
    if (i > 0) text(', ');
    const length = lineBytes(Section.Labels, i);
    bytes(lineAt, length);
  }
  line();
}

const KEY = '"preprocessing":';

/** Resize, crop and the rest, as the adapter's configuration has them: JSON, on one line. */
export function tellPrepared(): void {
  let p = find(section(Section.AdapterConfig), sectionBytes(Section.AdapterConfig));
  if (p == 0) return;
  const end = section(Section.AdapterConfig) + sectionBytes(Section.AdapterConfig);
  label('prepared by');
  let depth = 0;
  for (; p < end; p++) {
    const byte = load<u8>(p);
    if (byte <= 0x20) continue;
    bytes(p, 1);
    if (byte == 0x7b) depth++;
    if (byte == 0x7d && --depth == 0) break;
  }
  line();
}

/** Where the object behind the key begins; 0 where there is none. */
function find(p: usize, n: usize): usize {
  const length = <usize>KEY.length;
  for (let i: usize = 0; i + length < n; i++) {
    let k: usize = 0;
    while (k < length && <u16>load<u8>(p + i + k) == load<u16>(changetype<usize>(KEY) + (k << 1))) k++;
    if (k < length) continue;
    let at = p + i + length;
    while (at < p + n && load<u8>(at) <= 0x20) at++;
    return at < p + n && load<u8>(at) == 0x7b ? at : 0;
  }
  return 0;
}
