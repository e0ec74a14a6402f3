import type { AnalysisType, Findings } from '../../document/analysis.js';
import type { SourceDocument } from '../../document/source-document.js';
import { analyzeDocument } from './analyze-document.js';

/** Analyzes a document in a thread: a long one takes the rules some seconds. */
export function run({ document, type }: { document: SourceDocument; type: AnalysisType }): Findings<AnalysisType> {
  return analyzeDocument(document, type);
}
