/** A task as an adapter and a run hold it: plain JSON, read as anything from outside is. What it means: src/task. */
import { isRecord } from '../base/json.ts';

/** A task as it was chosen for a run. */
export interface TaskSettings {
  name: string;
  /** Which of its losses, where it has several. */
  loss?: string;
  /** Numbers that its loss reads, f32, one for each output under each name: thresholds, or means and standard deviations. */
  constants?: Readonly<Record<string, readonly number[]>>;
}

/** Whether a value has the shape of one, with so many numbers under each name. */
export function isTaskSettings(value: unknown, outputs: number): value is TaskSettings {
  if (!isRecord(value)) return false;
  const { name, loss, constants = {}, ...others } = value;
  const isText = (text: unknown): boolean => typeof text === 'string' && text !== '';
  const isList = (list: unknown): boolean => Array.isArray(list) && list.length === outputs && list.every(Number.isFinite);
  return (
    isText(name) &&
    (loss === undefined || isText(loss)) &&
    Object.keys(others).length === 0 &&
    isRecord(constants) &&
    Object.values(constants).every(isList)
  );
}
