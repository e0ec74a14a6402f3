import { IsIn } from 'class-validator';
import { ANALYSIS_TYPES, type AnalysisType, type Findings } from '../ai/document/analysis.js';
import { DocumentReader } from '../ai/document/document-reader.js';
import { AnalysisProvider } from '../ai/provider/analysis-provider.js';
import { Config } from '../config.js';
import { type Item, type ItemContext, ItemHandler, type ItemHandlerClass, type ItemResult } from './item-handler.js';
import { untilTimeLimit } from './until-time-limit.js';

export class AnalyzeDocumentParameters {
  @IsIn(ANALYSIS_TYPES) type: AnalysisType = 'FULL_ANALYSIS';
}

/** Warnings that a result tells. */
const MAX_WARNINGS = 50;

/**
 * Reads a document and tells what it is about, what data it holds, how good it is and what does not fit in it. An item's key is the
 * document's id. Nothing is written into the document: the findings are the item's output.
 */
@ItemHandler('analyze-document', { parameters: AnalyzeDocumentParameters, writesRecords: false, concurrency: 5, thread: 'own' })
export class AnalyzeDocumentItemHandler implements ItemHandlerClass<unknown, AnalyzeDocumentParameters> {
  constructor(
    private readonly documents: DocumentReader,
    private readonly provider: AnalysisProvider,
    private readonly config: Config,
  ) {}

  async run({ key }: Item, context: ItemContext<AnalyzeDocumentParameters>): Promise<ItemResult> {
    const { tenant, idempotencyKey, parameters } = context;
    const { signal, done } = untilTimeLimit(context.signal, this.config.documentTimeoutMs);
    try {
      const document = await this.documents.read(key, signal, context);
      const call = { tenant, idempotencyKey, signal, item: context };
      const { findings, analyzer, truncated, warnings } = await this.provider.analyze(document, parameters.type, call);
      return { output: { ...findings, analyzer, truncated, ...told(warnings) }, quality: qualityOf(findings) };
    } finally {
      done();
    }
  }
}

/** The field is there when there is something to tell. */
function told(warnings: string[]): { warnings?: string[] } {
  if (warnings.length === 0) return {};
  const more = warnings.length - MAX_WARNINGS;
  return { warnings: more > 0 ? [...warnings.slice(0, MAX_WARNINGS), `and ${more} more`] : warnings };
}

function qualityOf(findings: Findings<AnalysisType>): number | undefined {
  return 'quality' in findings ? findings.quality.score : undefined;
}
