/** Families of convolutions that are no chains of inverted residuals, and by which names they are read. */
import type { Family } from './family.ts';
import { checkInception, type Inception, inception, isTimmInception, timmInception, tvInception } from './inception.ts';
import { timm, torchvision } from './readers.ts';
import { SQUEEZENETS, type SqueezeNet, squeezeNet, tvSqueezeNet } from './squeezenet.ts';

const SQUEEZENET: Family<SqueezeNet> = {
  title: 'SqueezeNet',
  readers: [torchvision(SQUEEZENETS, ['squeezenet-torchvision', 'squeezenet-torchvision-1_0'], tvSqueezeNet)],
  build: squeezeNet,
  heads: () => ['classifier.1'],
  ownHead: 'a ReLU stands behind the classifier that torchvision has, and none behind the one that was learnt',
};

/** A second classifier, of an earlier block, which training alone had. */
const AUXILIARY = /^AuxLogits\./;

const INCEPTION: Family<Inception> = {
  title: 'Inception-v3',
  readers: [
    timm(isTimmInception, ['inception_v3'], ['inception-timm'], timmInception),
    torchvision(['inception_v3'], ['inception-torchvision'], tvInception),
  ],
  build: inception,
  heads: () => ['fc'],
  check: checkInception,
  unread: [AUXILIARY],
  ofClasses: [AUXILIARY],
};

/** In the order in which a name is offered to them. */
export const CONVOLUTIONAL: readonly Family[] = [SQUEEZENET, INCEPTION];
