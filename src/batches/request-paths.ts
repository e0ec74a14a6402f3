import type { Dialect } from '../common/procedure.js';

/** Fields of CreateBatch, or the beginnings of their paths, by what a dialect's requests call them. */
const WORDS: Record<Dialect, Record<string, string>> = {
  native: {},
  erp: { totalItems: 'total_items', external: 'options.externalResults', parameters: 'options' },
  annotations: { items: 'imageIds', 'options.concurrency': 'concurrency', 'options.rateLimitPerMinute': 'rateLimitPerMinute' },
  uploads: { 'options.priority': 'priority' },
  'batch-service': {
    operation: 'type',
    items: 'data',
    parameters: 'config.parameters',
    options: 'config',
    'options.priority': 'priority',
    'options.concurrency': 'config.maxConcurrentJobs',
    'options.timeout': 'config.timeoutPerTemplate',
    'options.batchTimeout': 'config.resourceLimits.timeout',
    'options.resourceLimits.maxMemoryMb': 'config.resourceLimits.maxMemory',
    'options.resourceLimits.maxCpuPercent': 'config.resourceLimits.maxCpu',
  },
  documents: { items: 'documentIds', 'options.concurrency': 'options.maxConcurrent', 'options.batchTimeout': 'options.timeout' },
};

/** A path of CreateBatch's input as the dialect's requests have it: `options.concurrency` is `config.maxConcurrentJobs` of a batch of data. */
export function requestPath(dialect: Dialect, path: string): string {
  const words = WORDS[dialect];
  const [first, ...rest] = path.split('.') as [string, ...string[]];
  return words[path] ?? [words[first] ?? first, ...rest].join('.');
}
