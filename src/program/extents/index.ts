/**
 * What each instruction touches: for every operator how many bytes lie behind each of its addresses, as its kernel reads and writes them, and
 * which numbers its kernel can work with. A program from a file is held against it before it runs (check.ts; targets/wasi/program.ts), so no
 * kernel asks again: whatever the numbers say, every access stays where the plan has room for it.
 *
 *     program offset      image end        region        + state block                scratch
 *     | code and tables   | frozen weights | state block | parameters … temporaries   | one piece a thread |
 *     └── read ─────────────────────────────────────────────────────────────────────── ┘
 *                         └── written in init, but for the state block ─────────────── ┘
 *                                                        └── written in other phases ─ ┘
 *
 * The WASI program compiles this file too (src/groups.ts says how that is); a new operator needs a case here, a test sees to that.
 */
import { Op } from '../../../assembly/abi/ops.ts';
import { dense, ends, init, update } from './ends.ts';
import { elementwise, gate, groupNorm, layerNorm, quantize } from './rows.ts';
import { adaptivePool, channelPool, conv, depthwise, pool } from './spatial.ts';
import { attention, embed, windows } from './tokens.ts';
import { begin, isGood } from './touch.ts';

/** Whether an instruction keeps to what `allow` said; where not, `fault` is the argument. Operators that nobody knows do not. */
export function keepsWithin(op: Op, argument: (i: i32) => number): boolean {
  begin(argument);
  switch (op) {
    case Op.Linear:
    case Op.LinearBackwardX:
    case Op.LinearBackwardW:
    case Op.BiasBackward:
      dense(op);
      break;
    case Op.Conv:
    case Op.ConvBackwardX:
    case Op.ConvBackwardW:
      conv(op);
      break;
    case Op.Depthwise:
    case Op.DepthwiseBackwardX:
    case Op.DepthwiseBackwardW:
      depthwise(op);
      break;
    case Op.Pool:
    case Op.PoolBackward:
    case Op.MaxPool:
    case Op.MaxPoolBackward:
      pool(op);
      break;
    case Op.Activation:
    case Op.ActivationBackward:
    case Op.Add:
    case Op.BroadcastAdd:
    case Op.SumBatch:
    case Op.Drop:
      elementwise(op);
      break;
    case Op.LayerNorm:
    case Op.LayerNormBackward:
    case Op.LayerNormBackwardW:
      layerNorm(op);
      break;
    case Op.Attention:
    case Op.AttentionBackward:
      attention(op);
      break;
    case Op.Embed:
    case Op.EmbedBackward:
      embed(op);
      break;
    case Op.Pixels:
    case Op.CrossEntropy:
      ends(op);
      break;
    case Op.SumSquares:
    case Op.Schedule:
    case Op.AdamW:
    case Op.Sgd:
      update(op);
      break;
    case Op.FoldBatchNorm:
    case Op.ResizePositions:
    case Op.Normal:
      init(op);
      break;
    case Op.ChannelPool:
    case Op.ChannelPoolBackward:
      channelPool(op);
      break;
    case Op.AdaptivePool:
    case Op.AdaptivePoolBackward:
      adaptivePool(op);
      break;
    case Op.Quantize:
    case Op.Dequantize:
      quantize(op);
      break;
    case Op.WindowPartition:
    case Op.WindowReverse:
      windows(op);
      break;
    case Op.Gate:
    case Op.GateBackwardG:
      gate(op);
      break;
    case Op.GroupStats:
    case Op.GroupNorm:
    case Op.GroupSums:
    case Op.GroupNormBackward:
      groupNorm(op);
      break;
    default:
      return false;
  }
  return isGood;
}
