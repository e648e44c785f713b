/** A fleet that never was, for the page's tests and for looking at the page. */
import type { FleetStatus, NodeRound } from '../../src/fleet/status.ts';

const [NODES, ROUNDS] = [8, 10];
const LABELS = ['blackbird', 'finch', 'heron', 'swift', 'a label with a very long name that goes on'];
const rise = (round: number, from: number, to: number): number => to - (to - from) * Math.exp(-round / 3);

export function fleetSample(): FleetStatus {
  const nodes = Array.from({ length: NODES }, (_, i) => {
    const held = 5 + 3 * i;
    const rounds = Array.from({ length: ROUNDS + 1 }, (_, round): NodeRound => {
      const accuracy = Math.round(held * rise(round, 0.5 + 0.03 * i, 0.95 - 0.01 * i)) / held;
      const isIn = round > 0;
      return {
        round,
        learnt: isIn ? rise(round, 0.7, 0.99) : null,
        accuracy,
        down: isIn ? 49_800 + 10 * i : 51_200,
        up: isIn ? 50_300 : 1000,
        seconds: isIn ? 9 + i : null,
      };
    });
    const sum = (key: 'down' | 'up'): number => rounds.reduce((n, one) => n + one[key], 0);
    const name = i === 7 ? 'a board with the longest name that a fleet takes, of 64 letters' : `board-${i + 1}`;
    return {
      name,
      round: ROUNDS,
      pictures: 20 + 11 * i,
      accuracy: rounds.at(-1)!.accuracy,
      judged: held,
      down: sum('down'),
      up: sum('up'),
      rounds,
    };
  });
  const judged = nodes.reduce((n, node) => n + node.judged, 0);
  const rounds = Array.from({ length: ROUNDS + 1 }, (_, round) => {
    const here = nodes.map((node) => node.rounds[round]!);
    const right = nodes.reduce((n, node) => n + node.judged * node.rounds[round]!.accuracy!, 0);
    return {
      ...{
        round,
        asked: round === 0 ? 0 : NODES,
        nodes: round === 0 ? 0 : NODES - (round >= 4 && round <= 7 ? 1 : 0),
        accuracy: right / judged,
        judged,
      },
      ...{ loss: round === 0 ? null : rise(round, 1.4, 0.1), learnt: round === 0 ? null : rise(round, 0.7, 0.99) },
      ...{ down: here.reduce((n, { down }) => n + down, 0), up: here.reduce((n, { up }) => n + up, 0), seconds: 12.5 + round },
      fell: round >= 4 && round <= 6 ? [{ name: 'board-3', why: 'no answer within 600 s' }] : [],
      refused: round === 7 ? [{ name: 'board-5', why: 'board-5: array adapter has NaN or infinite numbers; its update is left out' }] : [],
    };
  });
  return {
    options: {
      fleet: '<birds>',
      out: '/home/me/fleet/birds',
      strategy: 'fedprox',
      rounds: ROUNDS,
      epochs: 2,
      rate: '0.4x',
      prox: 0.01,
      'keep-rounds': true,
    },
    ...{ rounds, nodes },
    labels: LABELS.map((label, i) => ({ label, right: 20 - 2 * i, count: 24 - i })),
  };
}
