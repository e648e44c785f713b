/** Dropout and drop-path rates: what a configuration states, what a job does. */

/** Shares of elements left out in training: of embeddings, of what a block's layers put out, of what the head reads. */
export interface DropoutRates {
  embeddings: number;
  layers: number;
  head: number;
}

export interface DropRates {
  dropout: DropoutRates;
  /** Share of pictures without the last block's branch. */
  path: number;
  /** Who says so, for a sentence. */
  pathFrom: string;
  /** Rates stated that nothing here applies, as `key value`. */
  unused: readonly string[];
}

export const everywhere = (rate: number): DropoutRates => ({ embeddings: rate, layers: rate, head: rate });

export const NO_DROP: DropRates = { dropout: everywhere(0), path: 0, pathFrom: '', unused: [] };

/** What a job drops: what it says itself, else what the configuration says. */
export const chosenDrop = (drop: DropRates, given: { dropout?: number | undefined; dropPath?: number | undefined }) => ({
  dropout: given.dropout === undefined ? drop.dropout : everywhere(given.dropout),
  dropPath: given.dropPath ?? drop.path,
});

/** One sentence for each rate of the configuration that acts, or that does not. */
export function dropNotes(drop: DropRates, given: { dropout?: number | undefined; dropPath?: number | undefined }): string[] {
  const { embeddings, layers, head } = drop.dropout;
  const parts = [
    ...(layers > 0 ? [`${layers} of what embeddings and layers put out`] : embeddings > 0 ? [`${embeddings} of the embeddings`] : []),
    ...(head > 0 ? [`${head} of what the head reads`] : []),
  ];
  const notes: string[] = [];
  if (parts.length > 0 && given.dropout === undefined)
    notes.push(`config.json: dropout ${parts.join(' and ')} in training; --dropout 0 turns it off`);
  if (drop.path > 0 && given.dropPath === undefined)
    notes.push(`${drop.pathFrom}: drop-path ${drop.path} in training; --drop-path 0 turns it off`);
  if (drop.unused.length > 0) notes.push(`config.json: ${drop.unused.join(' and ')} not applied: no such mask is made here`);
  return notes;
}
