/** What a node tells on its way: for a terminal, or a line of JSON each. */

/** One thing that happened. */
export type FleetEvent =
  /** The node is known to the server, under a number and with its key. */
  | { event: 'joined'; server: string; node: string; key: string }
  /** The server or the network is gone; another try follows after so many seconds. */
  | { event: 'lost'; why: string; seconds: number }
  | { event: 'back' }
  /** A message has come, or is in the journal of an earlier process. */
  | { event: 'asked'; type: string; round: number; run: string; resumed: boolean }
  /** Its answer has been taken. Bytes of bodies since the message came. */
  | { event: 'answered'; type: string; round: number; seconds: number; up: number; down: number; error?: string }
  /** An answer, or a message, that nobody waits for any more. */
  | { event: 'late'; why: string }
  /** A round's own words: epochs, figures, what a person should know. */
  | { event: 'epoch'; epoch: number; loss: number; accuracy: number; count: number }
  | { event: 'judged'; round: number; loss: number; accuracy: number; count: number }
  | { event: 'adapter'; round: number; path: string }
  /** Of a gateway's board: its order lies there, the folder is away, an answer is not whole yet or of another order, or it was taken. */
  | { event: 'order'; state: 'laid' | 'away' | 'partial' | 'other' | 'answered'; title: string; why: string }
  | { event: 'warning'; text: string }
  /** The run is over, and the node has left. */
  | { event: 'left'; run: string; up: number; down: number };
