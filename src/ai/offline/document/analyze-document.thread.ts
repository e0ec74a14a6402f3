import type { AnalysisType, Findings } from '../../document/analysis.js';
import type { SourceDocument } from '../../document/source-document.js';
import { analyzeDocument } from './analyze-document.js';
import { extractionWarnings } from './extract.js';

export interface OfflineAnalysis {
  findings: Findings<AnalysisType>;
  warnings: string[];
}

/** Analyzes a document in a thread: a long one takes the rules some seconds. */
export function run({ document, type }: { document: SourceDocument; type: AnalysisType }): OfflineAnalysis {
  const findings = analyzeDocument(document, type);
  return { findings, warnings: 'extraction' in findings ? extractionWarnings(document) : [] };
}
