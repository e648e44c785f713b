/** Extents of the operators on maps: convolutions and pools. */
import {
  AdaptivePoolArg,
  AdaptivePoolBackwardArg,
  ChannelPoolArg,
  ChannelPoolBackwardArg,
  ConvArg,
  ConvBackwardWArg,
  ConvBackwardXArg,
  DepthwiseArg,
  DepthwiseBackwardWArg,
  DepthwiseBackwardXArg,
  MaxPoolArg,
  MaxPoolBackwardArg,
  Op,
  PoolArg,
  PoolBackwardArg,
} from '../../../assembly/abi/ops.ts';
import { code4RowsBytes } from '../../groups.ts';
import { convBackwardXScratch, convScratch } from '../../scratch.ts';
import {
  between,
  demand,
  groups,
  MOST_PRODUCT,
  MOST_STEP,
  MOST_TILE,
  mayRead,
  mayWrite,
  reads,
  size,
  takesScratch,
  weightBytes,
  writes,
} from './touch.ts';

const MOST_TAPS = 16;

/** Windows of the instruction in question: BATCH … LEFT, O among them where filters mix channels. */
let batch: number = 0;
let height: number = 0;
let width: number = 0;
let channels: number = 0;
let outHeight: number = 0;
let outWidth: number = 0;
let outChannels: number = 0;
let R: number = 0;
let S: number = 0;
let stride: number = 0;
let top: number = 0;
let left: number = 0;

export function window(at: i32, mixes: boolean): void {
  batch = size(at);
  height = size(at + 1);
  width = size(at + 2);
  channels = size(at + 3);
  outHeight = size(at + 4);
  outWidth = size(at + 5);
  outChannels = mixes ? size(at + 6) : channels;
  const next = mixes ? at + 7 : at + 6;
  R = size(next);
  S = size(next + 1);
  demand(R * S * channels <= MOST_PRODUCT);
  stride = between(next + 2, 1, MOST_STEP);
  // Every window begins before the picture ends, and no tap lies wholly in the padding before it.
  top = between(next + 3, 0, R - 1);
  demand((outHeight - 1) * stride < height + top);
  left = between(next + 4, 0, S - 1);
  demand((outWidth - 1) * stride < width + left);
}
export function imageBytes(): number {
  return 4 * batch * height * width * channels;
}
export function outputBytes(): number {
  return 4 * batch * outHeight * outWidth * outChannels;
}
export function patchScratch(pixels: number): number {
  return convScratch(batch, height, width, channels, outHeight, outWidth, outChannels, R, S, stride, top, left, pixels);
}

export function conv(op: Op): void {
  if (op === Op.Conv) {
    window(ConvArg.BATCH, true);
    const pixels = between(ConvArg.PIXELS, 1, MOST_TILE);
    reads(ConvArg.X, imageBytes());
    reads(ConvArg.W, weightBytes(ConvArg.ENCODING, outChannels, R * S * channels));
    mayRead(ConvArg.B, 4 * outChannels);
    writes(ConvArg.Y, outputBytes());
    takesScratch(patchScratch(pixels));
  } else if (op === Op.ConvBackwardX) {
    window(ConvBackwardXArg.BATCH, true);
    const pixels = between(ConvBackwardXArg.PIXELS, 1, MOST_TILE);
    reads(ConvBackwardXArg.DY, outputBytes());
    reads(ConvBackwardXArg.W, weightBytes(ConvBackwardXArg.ENCODING, outChannels, R * S * channels));
    writes(ConvBackwardXArg.DX, imageBytes());
    takesScratch(convBackwardXScratch(batch, height, width, channels, outHeight, outWidth, outChannels, R, S, stride, top, left, pixels));
  } else {
    window(ConvBackwardWArg.BATCH, true);
    const pixels = between(ConvBackwardWArg.PIXELS, 1, MOST_TILE);
    reads(ConvBackwardWArg.DY, outputBytes());
    reads(ConvBackwardWArg.X, imageBytes());
    writes(ConvBackwardWArg.DW, 4 * outChannels * R * S * channels);
    takesScratch(patchScratch(pixels));
  }
}

export function depthwise(op: Op): void {
  if (op === Op.Depthwise) {
    window(DepthwiseArg.BATCH, false);
    reads(DepthwiseArg.X, imageBytes());
    reads(DepthwiseArg.W, 4 * R * S * channels);
    mayRead(DepthwiseArg.B, 4 * channels);
    writes(DepthwiseArg.Y, outputBytes());
  } else if (op === Op.DepthwiseBackwardX) {
    window(DepthwiseBackwardXArg.BATCH, false);
    reads(DepthwiseBackwardXArg.DY, outputBytes());
    reads(DepthwiseBackwardXArg.W, 4 * R * S * channels);
    writes(DepthwiseBackwardXArg.DX, imageBytes());
  } else {
    window(DepthwiseBackwardWArg.BATCH, false);
    reads(DepthwiseBackwardWArg.DY, outputBytes());
    reads(DepthwiseBackwardWArg.X, imageBytes());
    writes(DepthwiseBackwardWArg.DW, 4 * R * S * channels);
  }
}

export function pool(op: Op): void {
  if (op === Op.MaxPool) {
    window(MaxPoolArg.BATCH, false);
    demand(R * S <= MOST_TAPS);
    reads(MaxPoolArg.X, imageBytes());
    writes(MaxPoolArg.Y, outputBytes());
    mayWrite(MaxPoolArg.KEPT, code4RowsBytes(batch * outHeight * outWidth, channels));
  } else if (op === Op.MaxPoolBackward) {
    window(MaxPoolBackwardArg.BATCH, false);
    demand(R * S <= MOST_TAPS);
    reads(MaxPoolBackwardArg.DY, outputBytes());
    reads(MaxPoolBackwardArg.KEPT, code4RowsBytes(batch * outHeight * outWidth, channels));
    writes(MaxPoolBackwardArg.DX, imageBytes());
  } else if (op === Op.Pool) {
    const b = size(PoolArg.BATCH);
    const c = size(PoolArg.C);
    const p = size(PoolArg.P);
    demand(between(PoolArg.FIRST, 0, p) + size(PoolArg.COUNT) <= p);
    reads(PoolArg.X, 4 * b * p * c);
    writes(PoolArg.Y, 4 * b * c);
  } else {
    const b = size(PoolBackwardArg.BATCH);
    const c = size(PoolBackwardArg.C);
    const p = size(PoolBackwardArg.P);
    demand(between(PoolBackwardArg.FIRST, 0, p) + size(PoolBackwardArg.COUNT) <= p);
    reads(PoolBackwardArg.DY, 4 * b * c);
    mayRead(PoolBackwardArg.ACC, 4 * b * p * c);
    writes(PoolBackwardArg.DX, 4 * b * p * c);
  }
}

export function channelPool(op: Op): void {
  if (op === Op.ChannelPool) {
    const b = size(ChannelPoolArg.BATCH);
    const c = size(ChannelPoolArg.C);
    const p = size(ChannelPoolArg.P);
    const small = c / groups(ChannelPoolArg.K, c);
    const count = size(ChannelPoolArg.COUNT);
    demand(between(ChannelPoolArg.FIRST, 0, p) + count <= p);
    reads(ChannelPoolArg.X, 4 * b * p * c);
    writes(ChannelPoolArg.Y, 4 * b * count * small);
  } else {
    const b = size(ChannelPoolBackwardArg.BATCH);
    const c = size(ChannelPoolBackwardArg.C);
    const p = size(ChannelPoolBackwardArg.P);
    const small = c / groups(ChannelPoolBackwardArg.K, c);
    const count = size(ChannelPoolBackwardArg.COUNT);
    demand(between(ChannelPoolBackwardArg.FIRST, 0, p) + count <= p);
    reads(ChannelPoolBackwardArg.DY, 4 * b * count * small);
    mayRead(ChannelPoolBackwardArg.ACC, 4 * b * p * c);
    writes(ChannelPoolBackwardArg.DX, 4 * b * p * c);
  }
}

export function adaptivePool(op: Op): void {
  const at: i32 = op === Op.AdaptivePool ? AdaptivePoolArg.BATCH : AdaptivePoolBackwardArg.BATCH;
  const b = size(at);
  const h = size(at + 1);
  const w = size(at + 2);
  const c = size(at + 3);
  const oh = size(at + 4);
  demand((h + 1) * (oh + 1) <= MOST_PRODUCT);
  const ow = size(at + 5);
  demand((w + 1) * (ow + 1) <= MOST_PRODUCT);
  if (op === Op.AdaptivePool) {
    reads(AdaptivePoolArg.X, 4 * b * h * w * c);
    writes(AdaptivePoolArg.Y, 4 * b * oh * ow * c);
  } else {
    reads(AdaptivePoolBackwardArg.DY, 4 * b * oh * ow * c);
    writes(AdaptivePoolBackwardArg.DX, 4 * b * h * w * c);
  }
}
