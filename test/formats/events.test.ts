/** Event files against TensorBoard's own bytes (tools/golden/events.py). */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eventsHead, eventsRestart, eventsScalars } from '../../src/formats/events.ts';

test('the bytes that TensorBoard writes', () => {
  const own = [
    eventsHead(1700000000.25),
    eventsRestart(1700000001.5, 3),
    eventsScalars(1700000002, 300, [
      ['train/loss', 0.75],
      ['train/rate', 1e-3],
    ]),
    eventsScalars(1700000002, 2 ** 40, [['epoch/val_accuracy', 0.1]]),
  ];
  assert.equal(Buffer.concat(own).toString('hex'), readFileSync('test/golden/events.tfevents').toString('hex'));
});

test.run();
