/** What a rule is: how one operator of ours is written. */
import type { Node } from '../../../graph/graph.ts';
import type { Writer } from '../writer.ts';

/** Writes a node: reads its inputs' names, appends ONNX nodes, names its output. */
export type Rule = (node: Node, w: Writer) => void;
