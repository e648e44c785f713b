/**
 * The preparation of pictures as a filter of ffmpeg's, for frames that come from there instead of through our decoder: the same resize, the same
 * cut. Its resampling differs from Pillow's by a few levels of 255.
 */
import type { Resample } from '../pictures/resample.ts';
import { outputSize, type Preprocess, type Resize } from './resized.ts';

const FLAGS: Readonly<Record<Resample, string>> = {
  nearest: 'neighbor',
  bilinear: 'bilinear',
  // Pillow's cubic, a = -0.5.
  bicubic: 'bicubic:param0=0:param1=0.5',
  lanczos: 'lanczos:param0=3',
  box: 'area',
  // It has none; the nearest.
  hamming: 'bilinear',
};

/** A comma inside an expression, as a chain of filters takes it. */
const call = (name: string, ...args: (string | number)[]): string => `${name}(${args.join('\\,')})`;

/** Width and height after resizing, from those of the frame (src/input/resized.ts has the same in numbers). */
function sides(resize: Resize): [width: string, height: string] {
  if (resize.mode === 'exact') return [String(resize.width), String(resize.height)];
  if (resize.mode === 'cover') {
    const ratio = call('min', `ih/${resize.height}`, `iw/${resize.width}`);
    return [call('round', `iw/${ratio}`), call('round', `ih/${ratio}`)];
  }
  const { edge } = resize;
  const long = (a: string, b: string): string => call('trunc', `${edge}*${a}/${b}`);
  return [call('if', call('lte', 'iw', 'ih'), edge, long('iw', 'ih')), call('if', call('lte', 'iw', 'ih'), long('ih', 'iw'), edge)];
}

/** What stands behind `-vf`. */
export function ffmpegFilter(spec: Preprocess): string {
  const [width, height] = sides(spec.resize);
  const out = outputSize(spec);
  // An odd margin: the smaller half before the picture, or the even one, to which ffmpeg rounds by itself.
  const margin = (side: string, part: number): string =>
    spec.crop?.rounding === 'even' ? `(${side}-${part})/2` : call('floor', `(${side}-${part})/2`);
  const crop = spec.crop ? [`crop=${out.width}:${out.height}:${margin('iw', out.width)}:${margin('ih', out.height)}:exact=1`] : [];
  const scale = `scale=w=${width}:h=${height}:flags=${FLAGS[spec.resample].replace(':', '+accurate_rnd+full_chroma_int:')}`;
  return [`format=${format(spec)}`, scale.includes('accurate_rnd') ? scale : `${scale}+accurate_rnd+full_chroma_int`, ...crop].join(',');
}

/** What ffmpeg calls pixels of so many channels. */
const format = ({ mean }: Preprocess): string => (mean.length === 1 ? 'gray' : mean.length === 4 ? 'rgba' : 'rgb24');

/** The whole line, for one picture or a stream: raw pixels on standard output. */
export const ffmpegLine = (spec: Preprocess): string => `ffmpeg -i FILE -vf '${ffmpegFilter(spec)}' -f rawvideo -pix_fmt ${format(spec)} -`;
