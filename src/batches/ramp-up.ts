import type { BatchOptions } from './batch.options.js';
import { laneWidths } from './dialects.js';

/** Items that a lane may work side by side at the moment, of a run whose concurrency grows. Without a ramp it is all of the lane's width. */
export function rampedWidth(options: BatchOptions, laneNo: number, elapsedMs: number): number {
  const [before, width] = placeOf(options, laneNo);
  return Math.min(width, Math.max(0, concurrencyAt(options, elapsedMs) - before));
}

/** Milliseconds until the lane may work its first item. */
export function rampWaitMs(options: BatchOptions, laneNo: number, elapsedMs: number): number {
  const { rampUp, concurrency } = options;
  const [before] = placeOf(options, laneNo);
  if (!rampUp || concurrencyAt(options, elapsedMs) > before) return 0;
  const from = Math.min(rampUp.from ?? 1, concurrency);
  return (rampUp.overMs * (before + 1 - from)) / (concurrency - from) - elapsedMs;
}

/** Items side by side that the ramp allows so long after the run's start. */
export function concurrencyAt({ rampUp, concurrency }: BatchOptions, elapsedMs: number): number {
  if (!rampUp || elapsedMs >= rampUp.overMs) return concurrency;
  const from = Math.min(rampUp.from ?? 1, concurrency);
  return Math.floor(from + ((concurrency - from) * elapsedMs) / rampUp.overMs);
}

/** Milliseconds until the ramp allows one more. */
export function nextStepMs(options: BatchOptions, elapsedMs: number): number {
  const { rampUp, concurrency } = options;
  const allowed = concurrencyAt(options, elapsedMs);
  if (!rampUp || allowed >= concurrency) return 0;
  const from = Math.min(rampUp.from ?? 1, concurrency);
  return (rampUp.overMs * (allowed + 1 - from)) / (concurrency - from) - elapsedMs;
}

/** How many items the lanes before it have room for, and how many it has itself. */
function placeOf(options: BatchOptions, laneNo: number): [before: number, width: number] {
  const widths = laneWidths(options);
  return [widths.slice(0, laneNo).reduce((sum, width) => sum + width, 0), widths[laneNo] ?? 0];
}
