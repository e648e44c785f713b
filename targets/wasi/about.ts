/** What a packed program says of its classes and of how its pictures were prepared. */
import { Section } from '../../assembly/abi/program';
import { RunField } from '../../assembly/abi/run';
import { Answer } from '../../assembly/abi/task';
import { classCount } from '../../assembly/runner/classes';
import { countOf, JUDGE, LEARN } from './data';
import { endsWith } from './path';
import { runWord, section, sectionBytes, selectLine } from './program';
import { current } from './runner';
import { say, select } from './text';

/** The classes by name, in the order of their labels. */
export function tellLabels(): void {
  const n = runWord(RunField.Classes);
  say('labels          #: ', n);
  for (let i: u32 = 0; i < n; i++) {
    selectLine(Section.Labels, i);
    say(i > 0 ? ', &' : '&');
  }
  say('\n');
}

/** How many pictures each part has, and where they are of classes how many of each, in the order of the labels. */
export function tellParts(): void {
  tellPart(LEARN, 'to learn from   #');
  tellPart(JUDGE, 'to judge by     #');
}
function tellPart(part: u32, begin: string): void {
  say(begin, countOf(part));
  if (runWord(RunField.Answer) == Answer.Class)
    for (let c: u32 = 0; c < runWord(RunField.Classes); c++) say(c == 0 ? ': #' : ', #', classCount(current, part, c));
  say('\n');
}

/** Whether arrays go in, and no pictures. */
export function takesArrays(): bool {
  const start = section(Section.AdapterConfig);
  const end = start + sectionBytes(Section.AdapterConfig);
  for (let p = start; p < end; p++) if (endsWith(start, p - start, '"input": "array"')) return true;
  return false;
}

/** Resize, crop and the rest, as the adapter's configuration has them: JSON, on one line. */
export function tellPrepared(): void {
  const start = section(Section.AdapterConfig);
  const end = start + sectionBytes(Section.AdapterConfig);
  let p = start;
  while (p < end && !endsWith(start, p - start, '"preprocessing":')) p++;
  while (p < end && load<u8>(p) <= 0x20) p++;
  if (p == end || load<u8>(p) != 0x7b) return;
  say('prepared by     ');
  for (let depth = 0; p < end; p++) {
    const byte = load<u8>(p);
    if (byte <= 0x20) continue;
    select(p, 1);
    say('&');
    if (byte == 0x7b) depth++;
    if (byte == 0x7d && --depth == 0) break;
  }
  say('\n');
}
