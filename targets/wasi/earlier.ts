/** What an earlier run left in the folder of one that begins anew, as src/training/earlier.ts has it: a finished one is replaced, an interrupted one only on request. */
import { Checkpoint, CheckpointHead } from '../../assembly/abi/checkpoint';
import { isFinished, settingOf, settingsStart } from '../../assembly/formats/checkpoint';
import { stage, stageBytes } from './arena';
import { openNewest } from './checkpoint';
import { closeFile, opened, openFile, readAt } from './files';
import { pathIn } from './path';
import { refuse } from './refuse';
import { words } from './words';

const head = memory.data(128);
const path = memory.data(1024);

/** Ends the program where `out` holds a run that would be thrown away. */
export function guardEarlier(out: usize, runFolder: usize): void {
  const step = openNewest(runFolder);
  // One that went astray has been put back to its start.
  if (step <= 0) return;
  if (isDone() && hasAdapter(out)) return;
  refuse(
    runFolder,
    'holds a run that was interrupted, got step #, # epochs done',
    '--resume goes on with it, --overwrite throws it away and starts anew',
    <f64>step,
    load<u32>(head, CheckpointHead.Epoch),
  );
}

/** Whether nothing is left to learn for the run of the checkpoint that is open: all epochs are done, or patience has ended. */
function isDone(): bool {
  const file = opened;
  memory.fill(head, 0, CheckpointHead.Bytes);
  const failed = readAt(file, 0, head, CheckpointHead.Bytes);
  const bytes = load<u32>(head, CheckpointHead.SettingsBytes);
  const at = <u64>settingsStart(words, head);
  const isRead =
    failed == 0 && bytes <= <u32>Checkpoint.MostSettings && <usize>bytes <= stageBytes() && readAt(file, at, stage(), bytes) == 0;
  closeFile(file);
  if (!isRead) return false;
  const epochs = settingOf(words, stage(), bytes, '"epochs":');
  const patience = settingOf(words, stage(), bytes, '"patience":');
  const best = load<u32>(head, CheckpointHead.BestEpoch);
  return epochs > 0 && isFinished(load<u32>(head, CheckpointHead.Epoch), best, epochs, patience);
}

function hasAdapter(out: usize): bool {
  pathIn(path, out, 'adapter_model.safetensors');
  if (openFile(path) != 0) return false;
  closeFile(opened);
  return true;
}
