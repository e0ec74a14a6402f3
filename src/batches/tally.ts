/** Ratio between neighbouring duration buckets: a percentile read from them is at most 1 % off. */
const GAMMA = 1.02;
const LOG_GAMMA = Math.log(GAMMA);
const QUALITY_BUCKETS = 20;
/** Distinct error messages kept apart; the rest is counted under one name, so that a tally cannot grow with the batch. */
const MAX_ERRORS = 100;
export const OTHER_ERRORS = 'other errors';

/** A tally as stored: sparse duration buckets (index, count), a quality histogram, errors as [kind, message, count]. */
export interface TallyJson {
  durations: { count: number; sum: number; buckets: [number, number][] };
  quality: { count: number; sum: number; histogram: number[] };
  errors: [string, string, number][];
}

/** What an outcome's row tells to a tally. */
export interface StoredFigures {
  duration_ms: number | null;
  quality: number | null;
  error_kind: string | null;
  error: string | null;
}

/** Running figures over outcomes: duration percentiles, quality histogram, errors by message. Mergeable; its size is bounded. */
export class Tally {
  private durationCount = 0;
  private durationSum = 0;
  private readonly buckets = new Map<number, number>();
  private qualityCount = 0;
  private qualitySum = 0;
  private readonly histogram = new Array<number>(QUALITY_BUCKETS).fill(0);
  private readonly errorCounts = new Map<string, { kind: string; message: string; count: number }>();

  static from(stored: TallyJson | null | undefined): Tally {
    const tally = new Tally();
    if (stored) tally.merge(stored);
    return tally;
  }

  addDuration(ms: number): void {
    this.durationCount += 1;
    this.durationSum += ms;
    const index = durationBucket(ms);
    this.buckets.set(index, (this.buckets.get(index) ?? 0) + 1);
  }

  /** @param quality 0 to 1 */
  addQuality(quality: number): void {
    this.qualityCount += 1;
    this.qualitySum += quality;
    const bucket = qualityBucket(quality);
    this.histogram[bucket] = (this.histogram[bucket] ?? 0) + 1;
  }

  addError(kind: string, message: string, count = 1): void {
    const key = `${kind}\n${message}`;
    const known = this.errorCounts.get(key);
    if (known) known.count += count;
    else if (this.errorCounts.size < MAX_ERRORS || message === OTHER_ERRORS) this.errorCounts.set(key, { kind, message, count });
    else this.addError('other', OTHER_ERRORS, count);
  }

  /**
   * Takes out an outcome that was added before, as it is stored: with the precision of its column, so that its duration may rarely
   * be looked for in the neighbouring bucket and stay where it is.
   */
  remove({ duration_ms: ms, quality, error_kind: kind, error }: StoredFigures): void {
    if (ms !== null) {
      const index = durationBucket(ms);
      this.durationCount -= 1;
      this.durationSum = this.durationCount === 0 ? 0 : this.durationSum - ms;
      this.buckets.set(index, Math.max(0, (this.buckets.get(index) ?? 0) - 1));
    }
    if (quality !== null) {
      const bucket = qualityBucket(quality);
      this.qualityCount -= 1;
      this.qualitySum = this.qualityCount === 0 ? 0 : this.qualitySum - quality;
      this.histogram[bucket] = Math.max(0, this.histogram[bucket]! - 1);
    }
    if (error !== null) this.removeError(kind!, error);
  }

  merge(other: TallyJson): void {
    this.durationCount += other.durations.count;
    this.durationSum += other.durations.sum;
    for (const [index, count] of other.durations.buckets) this.buckets.set(index, (this.buckets.get(index) ?? 0) + count);
    this.qualityCount += other.quality.count;
    this.qualitySum += other.quality.sum;
    other.quality.histogram.forEach((count, bucket) => (this.histogram[bucket] = (this.histogram[bucket] ?? 0) + count));
    for (const [kind, message, count] of other.errors) this.addError(kind, message, count);
  }

  /** What is not there by its name was counted with the other errors. */
  private removeError(kind: string, message: string): void {
    const named = `${kind}\n${message}`;
    const key = this.errorCounts.has(named) ? named : `other\n${OTHER_ERRORS}`;
    const counted = this.errorCounts.get(key);
    if (!counted) return;
    counted.count -= 1;
    if (counted.count === 0) this.errorCounts.delete(key);
  }

  toJSON(): TallyJson {
    return {
      durations: { count: this.durationCount, sum: this.durationSum, buckets: [...this.buckets] },
      quality: { count: this.qualityCount, sum: this.qualitySum, histogram: this.histogram },
      errors: [...this.errorCounts.values()].map(({ kind, message, count }) => [kind, message, count]),
    };
  }

  get durations(): { count: number; sum: number } {
    return { count: this.durationCount, sum: this.durationSum };
  }

  get quality(): { count: number; sum: number; histogram: readonly number[] } {
    return { count: this.qualityCount, sum: this.qualitySum, histogram: this.histogram };
  }

  /** Most frequent first. */
  get errors(): { kind: string; message: string; count: number }[] {
    return [...this.errorCounts.values()].sort((a, b) => b.count - a.count || a.message.localeCompare(b.message));
  }

  /** @param fraction 0 to 1; @returns milliseconds, 0 when nothing was added */
  percentile(fraction: number): number {
    const rank = Math.max(1, Math.ceil(fraction * this.durationCount));
    let seen = 0;
    for (const [index, count] of [...this.buckets].sort((a, b) => a[0] - b[0])) {
      seen += count;
      // The bucket's middle in the sense of relative error.
      if (seen >= rank) return index === 0 ? 0 : (2 * GAMMA ** index) / (GAMMA + 1) / 1000;
    }
    return 0;
  }
}

/** Bucket 0 holds everything up to a microsecond. */
function durationBucket(ms: number): number {
  return ms <= 0.001 ? 0 : Math.ceil(Math.log(ms * 1000) / LOG_GAMMA);
}

function qualityBucket(quality: number): number {
  return Math.min(QUALITY_BUCKETS - 1, Math.floor(quality * QUALITY_BUCKETS + 1e-9));
}
