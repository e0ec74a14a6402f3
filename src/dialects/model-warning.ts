import type { BatchView } from '../batches/batch.view.js';

/** A batch may name a model, as the documents' samples do, for work that is never done by one. */
export function modelWarnings({ operation, external, parameters }: BatchView): string[] {
  if (external || operation !== 'annotate' || parameters.model === undefined) return [];
  return [
    `the offline analyzer annotates records, whether an AI provider is configured or not: the model ${JSON.stringify(parameters.model)} has no part in it`,
  ];
}
