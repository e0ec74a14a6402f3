import type { Annotation } from '../ai/offline/analyze.js';
import type { BatchAnalytics } from '../batches/batch.view.js';
import type { OutcomeView } from '../batches/item.view.js';
import { bar } from './progress-line.js';

const WIDTH = 98;
const BAR = 40;

/** What came of a batch, as lines of at most a hundred characters. */
export function summarize(title: string, { counts, durations, errors }: BatchAnalytics): string[] {
  const parts = [
    `${counts.succeeded} succeeded`,
    counts.failed && `${counts.failed} failed`,
    counts.skipped && `${counts.skipped} skipped`,
  ];
  return [
    '',
    `  ${title}`,
    `    outcomes   ${counts.total} items: ${parts.filter(Boolean).join(', ')}`,
    `    durations  ${['p50', 'p95', 'p99'].map((name) => `${name} ${ms(durations[name as 'p50'])}`).join('   ')}`,
    ...errors.map(({ kind, message, count }) => cut(`    error      ${count} x ${kind}: ${message}`)),
  ];
}

/** The quality histogram, best first, in ten buckets. */
export function qualityBars({ quality }: BatchAnalytics): string[] {
  const buckets = Array.from({ length: 10 }, (_, index) => (quality.histogram[2 * index] ?? 0) + (quality.histogram[2 * index + 1] ?? 0));
  const most = Math.max(1, ...buckets);
  const lines = buckets.map((count, index) => {
    const range = `${(index / 10).toFixed(1)}-${((index + 1) / 10).toFixed(1)}`;
    return count === 0 ? '' : `    ${range}    ${bar(count / most, BAR).replaceAll('░', ' ')} ${count}`;
  });
  return ['', `  Quality (mean ${quality.average?.toFixed(2) ?? 'none'})`, ...lines.filter(Boolean).reverse()];
}

/** The best, the middle and the poorest of the annotated records. */
export function samples(outcomes: OutcomeView[]): string[] {
  const sorted = outcomes.filter(({ output }) => output !== null).sort((a, b) => (b.quality ?? 0) - (a.quality ?? 0));
  const chosen = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)].filter((outcome) => outcome !== undefined);
  return ['', '  Annotated records: the best, the middle, the poorest', ...[...new Set(chosen)].flatMap(sample)];
}

function sample({ key, quality, output }: OutcomeView): string[] {
  const { category, language, tags, description, entities } = output as Annotation;
  const named = [...entities.people, ...entities.organizations, ...entities.places].slice(0, 5);
  return [
    '',
    `    ${key}   quality ${quality?.toFixed(2)}   ${category}   ${language}`,
    cut(`      ${description.replace(/\s+/g, ' ')}`),
    cut(`      tags: ${tags.join(', ') || 'none'}`),
    ...(named.length > 0 ? [cut(`      names: ${named.join(', ')}`)] : []),
  ];
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

function cut(line: string): string {
  return line.length <= WIDTH ? line : `${line.slice(0, WIDTH - 1)}…`;
}
