// On which side of its kinks every unit stands in the engine (tools/parity/kinks.py): the evaluation phase is walked from one activation to the
// next, and what lies in the arena before each is compared with the kinks.

/** Where the slope of each kind jumps; smooth kinds have none. */
const kinksOf = (Kind) => ({
  [Kind.Relu]: [0],
  [Kind.Relu6]: [0, 6],
  [Kind.HardSwish]: [-3, 3],
  [Kind.HardSigmoid]: [-3, 3],
});

/** In the order of the network: {shape, data}, u8 by unit; of a max-pool the tap that each output is. */
export function sidesOf(engine, { Op, Kind, Instruction, ActivationArg, MaxPoolArg }, batch) {
  const { program, memory } = engine;
  const [words, floats] = [new Int32Array(memory.buffer), new Float32Array(memory.buffer)];
  const { start, end } = program.entries.eval;
  const kinks = kinksOf(Kind);
  const found = [];
  let from = start;
  for (let at = start; at < end; at += 4 * words[at / 4 + 1]) {
    const argument = (i) => words[at / 4 + Instruction.Arguments + i];
    const isActivation = words[at / 4] === Op.Activation && kinks[argument(ActivationArg.KIND)] !== undefined;
    if (!isActivation && words[at / 4] !== Op.MaxPool) continue;
    engine.walk(from, at);
    from = at;
    found.push(isActivation ? activation() : maxPool());

    function activation() {
      const [n, [low, high = Infinity]] = [argument(ActivationArg.N), kinks[argument(ActivationArg.KIND)]];
      const x = floats.subarray(argument(ActivationArg.X) / 4).subarray(0, n);
      return { shape: [batch, n / batch], data: Uint8Array.from(x, (v) => (v > low ? 1 : 0) + (v >= high ? 1 : 0)) };
    }

    function maxPool() {
      const names = ['X', 'H', 'WIDTH', 'C', 'OH', 'OW', 'R', 'S', 'STRIDE', 'TOP', 'LEFT'];
      const [x, h, w, c, oh, ow, r, s, stride, top, left] = names.map((name) => argument(MaxPoolArg[name]));
      const data = new Uint8Array(batch * oh * ow * c);
      for (let i = 0; i < data.length; i++) {
        const [channel, ox, oy, b] = [i % c, Math.floor(i / c) % ow, Math.floor(i / c / ow) % oh, Math.floor(i / c / ow / oh)];
        let largest = Number.NEGATIVE_INFINITY;
        for (let tap = 0; tap < r * s; tap++) {
          const [iy, ix] = [oy * stride - top + Math.floor(tap / s), ox * stride - left + (tap % s)];
          if (iy < 0 || ix < 0 || iy >= h || ix >= w) continue;
          const value = floats[x / 4 + ((b * h + iy) * w + ix) * c + channel];
          if (value > largest) [largest, data[i]] = [value, tap];
        }
      }
      return { shape: [batch, oh * ow * c], data };
    }
  }
  engine.walk(from, end);
  return found;
}
