/** The engine of several threads: one instance in each, over one shared memory. */
export * from './index';
export { attend } from './engine/run';
