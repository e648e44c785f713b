/** Windows of maps: exact, larger, smaller than the map; rolled before and after padding; one window; patch merging. */
import type { Windows } from '../../../src/ops/window.ts';
import { partition, reverse } from '../../oracle/window.ts';
import { type Forward, x } from '../table.ts';

type Pair = readonly [number, number];

function both(batch: number, [h, w]: Pair, c: number, [wh, ww]: Pair, [sy, sx]: Pair, padFirst: boolean, merge = 0): Forward[] {
  const [rows, columns] = [Math.ceil(h / wh), Math.ceil(w / ww)];
  const [modh, modw] = padFirst ? [rows * wh, columns * ww] : [h, w];
  const size: Windows = { h, w, c, wh, ww, rows, columns, sy, sx, modh, modw, merge };
  const windows = merge ? [batch, rows, columns, wh * ww * c] : [batch * rows * columns, wh * ww, c];
  const name = `${batch}×${h}×${w}×${c}, windows of ${wh}×${ww}, ${padFirst ? 'padded, rolled' : 'rolled, padded'} by ${sy}, ${sx}${merge ? ', merged' : ''}`;
  return [
    {
      op: 'WindowPartition',
      name: `WindowPartition ${name}`,
      inputs: [x([batch, h, w, c])],
      attributes: size,
      shape: windows,
      f: (v) => partition(v[0]!, batch, size),
      kept: [0, 0],
    },
    {
      op: 'WindowReverse',
      name: `WindowReverse ${name}`,
      inputs: [x(windows)],
      attributes: size,
      shape: [batch, h, w, c],
      f: (v) => reverse(v[0]!, batch, size),
      kept: [0, 0],
    },
  ];
}

export const windowCases: readonly Forward[] = [
  ...both(2, [4, 6], 3, [2, 3], [0, 0], true),
  ...both(2, [4, 6], 4, [2, 3], [1, 1], true),
  ...both(2, [5, 7], 5, [4, 4], [2, 2], true),
  ...both(2, [5, 7], 5, [4, 4], [2, 2], false),
  ...both(1, [3, 9], 1, [3, 4], [0, 2], false),
  ...both(1, [2, 3], 2, [7, 7], [3, 3], true),
  ...both(3, [1, 1], 1, [1, 1], [0, 0], false),
  ...both(2, [5, 4], 3, [2, 2], [0, 0], true, 1),
  ...both(1, [1, 3], 4, [2, 2], [0, 0], false, 1),
];
