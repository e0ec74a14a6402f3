import { z } from 'zod';
import { toStorableText } from '../../common/safe-json.js';

/** What an error's body says, in the shapes of those who call themselves OpenAI-compatible. */
export interface ProviderComplaint {
  /** `code`, `type` and `status` as they are written, in lower case. */
  codes: string[];
  message: string | undefined;
}

const code = z.union([z.string(), z.number()]).nullish().catch(undefined);
const complaint = z.object({ message: z.string().nullish().catch(undefined), code, type: code, status: code });
const NOTHING: ProviderComplaint = { codes: [], message: undefined };

/** `{ error: { message, code, type } }`, `{ error: "..." }`, `{ message, code, type }`, or a list of one of them. */
export function complaintIn(body: string | undefined): ProviderComplaint {
  const outer = firstOf(parsed(body));
  if (typeof outer !== 'object' || outer === null) return NOTHING;
  const inner: unknown = 'error' in outer ? firstOf(outer.error) : outer;
  if (typeof inner === 'string') return { codes: [], message: inner };
  const read = complaint.safeParse(inner);
  if (!read.success) return NOTHING;
  const { message, code, type, status } = read.data;
  return {
    codes: [code, type, status].flatMap((each) => (each === null || each === undefined ? [] : [String(each).toLowerCase()])),
    message: message ?? undefined,
  };
}

function firstOf(value: unknown): unknown {
  return Array.isArray(value) ? (value as unknown[])[0] : value;
}

function parsed(body: string | undefined): unknown {
  try {
    return JSON.parse(body ?? '') as unknown;
  } catch {
    return undefined;
  }
}

const MAX_WORDS = 300;
const MIN_KEY = 8;
/** Keys as providers make them, also half hidden by stars; credentials of a header; any long row of letters and digits. */
const LOOKS_SECRET = [
  /\b(?:bearer|basic)\s+[\w+/=.~*-]{6,}/gi,
  /\b(?:sk|pk|rk|gsk|xai|hf|key|pplx|nvapi|tgp|fw|csk|AIza)[-_][\w*.…-]{4,}/gi,
  /\bAIza[\w-]{6,}/g,
  /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi,
  // Not over hyphens, which names of models have.
  /(?=[\w+/=*]*\d)(?=[\w+/=*]*[a-z])[\w+/=*]{16,}/gi,
];

/** What a provider wrote, fit to be shown: short, on one line, and without the key or anything that may be one. */
export function shownWords(words: string | undefined, apiKey: string | undefined): string | undefined {
  if (words === undefined) return undefined;
  const plain = words
    .slice(0, 20 * MAX_WORDS)
    .replace(/\p{Cf}/gu, '')
    .replace(/[\p{Cc}\s]+/gu, ' ');
  const line = toStorableText(plain).trim();
  const patterns = [...(apiKey !== undefined && apiKey.length >= MIN_KEY ? keyPatterns(apiKey) : []), ...LOOKS_SECRET];
  const safe = patterns.reduce((text, pattern) => text.replace(pattern, '[hidden]'), line);
  if (safe === '') return undefined;
  return safe.length > MAX_WORDS ? `${safe.slice(0, MAX_WORDS - 1).toWellFormed()}…` : safe;
}

/** Also broken over lines, or as an address has it. */
function keyPatterns(key: string): RegExp[] {
  return [key, encodeURIComponent(key)].map(
    (each) => new RegExp([...each].map((character) => character.replace(/[\\^$.*+?()[\]{}|]/, '\\$&')).join('\\s*'), 'gi'),
  );
}
