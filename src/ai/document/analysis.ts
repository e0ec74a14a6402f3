import { z } from 'zod';

export const ANALYSIS_TYPES = ['FULL_ANALYSIS', 'QUALITY_CHECK', 'DATA_EXTRACTION', 'BATCH_ANALYSIS'] as const;
/** What a document job asks for. */
export type AnalysisType = (typeof ANALYSIS_TYPES)[number];

// No optional fields and no free keys: providers with strict structured outputs refuse both.
const share = z.number().min(0).max(1);
const severity = z.enum(['low', 'medium', 'high']);
const finding = z.object({ kind: z.string(), severity, message: z.string() });

const extraction = z.object({
  dates: z.array(z.object({ text: z.string(), iso: z.string().nullable().describe('YYYY-MM-DD, null when it cannot be told') })),
  amounts: z.array(z.object({ text: z.string(), value: z.number().nullable(), currency: z.string().nullable().describe('ISO 4217') })),
  emails: z.array(z.string()),
  phones: z.array(z.string()),
  urls: z.array(z.string()),
  identifiers: z.array(z.object({ kind: z.string().describe('"invoice number", "IBAN", "VAT number" ...'), value: z.string() })),
  keyValues: z.array(z.object({ key: z.string(), value: z.string() })),
  tables: z.array(z.object({ name: z.string(), columns: z.array(z.string()), rows: z.array(z.array(z.string())), rowCount: z.int() })),
});

const parts = {
  summary: z.string().describe('at most 400 characters, in the language of the document'),
  classification: z.object({ category: z.string().describe('one or two words, in lower case'), confidence: share }),
  language: z.string().describe('ISO 639-1, "und" when it cannot be told'),
  entities: z.object({
    people: z.array(z.string()),
    places: z.array(z.string()),
    organizations: z.array(z.string()),
    money: z.array(z.string()),
    dates: z.array(z.string()),
  }),
  extraction,
  quality: z.object({ score: share.describe('1 is best'), issues: z.array(finding) }),
  anomalies: z.array(finding).describe('what does not fit: sums that do not add up, impossible dates, repeated or missing parts'),
  keyFacts: z.array(z.string()).describe('at most 8, "what: value"'),
};

/** What each type of job finds out about a document. */
export const ANALYSIS_SCHEMAS = {
  FULL_ANALYSIS: z.object({
    summary: parts.summary,
    classification: parts.classification,
    language: parts.language,
    entities: parts.entities,
    extraction: parts.extraction,
    quality: parts.quality,
    anomalies: parts.anomalies,
  }),
  QUALITY_CHECK: z.object({ language: parts.language, quality: parts.quality }),
  DATA_EXTRACTION: z.object({ extraction: parts.extraction }),
  BATCH_ANALYSIS: z.object({
    summary: parts.summary,
    classification: parts.classification,
    language: parts.language,
    keyFacts: parts.keyFacts,
    quality: parts.quality,
  }),
} satisfies Record<AnalysisType, z.ZodObject>;

export type Extraction = z.infer<typeof extraction>;
export type Finding = z.infer<typeof finding>;
export type Quality = z.infer<typeof parts.quality>;
export type Findings<Type extends AnalysisType> = z.infer<(typeof ANALYSIS_SCHEMAS)[Type]>;

/** What was found, and who found it. */
export interface DocumentAnalysis {
  findings: Findings<AnalysisType>;
  /** `offline`, or the provider's model. */
  analyzer: string;
  /** True when the document was longer than what is read of it. */
  truncated: boolean;
  /** What of the document was not read, or not surely, in sentences. */
  warnings: string[];
}
