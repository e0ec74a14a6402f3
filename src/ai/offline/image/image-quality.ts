import type { Measures } from './measure.js';

/** How well a picture can be used, each part 0 to 1. */
interface QualityParts {
  resolution: number;
  sharpness: number;
  exposure: number;
  contrast: number;
  detail: number;
}

/** What each part counts; they add up to 1. */
const WEIGHTS: QualityParts = { resolution: 0.3, sharpness: 0.25, exposure: 0.2, contrast: 0.15, detail: 0.1 };

const ENOUGH_MEGAPIXELS = 2;
const ENOUGH_SHARPNESS = 15;
const ENOUGH_CONTRAST = 0.2;
const ENOUGH_ENTROPY = 7;
/** Brightness this near to the middle is well exposed; from there to black and white it falls to 0. */
const WELL_EXPOSED = 0.2;

/**
 * 0 to 1, the weighted sum of
 * - resolution (0.30): the square root of its share of 2 megapixels;
 * - sharpness (0.25): its share of 15;
 * - exposure (0.20): 1 for a brightness of 0.3 to 0.7, falling to 0 at black and at white;
 * - contrast (0.15): its share of 0.2;
 * - detail (0.10): its entropy's share of 7 bits.
 */
export function imageQuality(megapixels: number, { brightness, contrast, entropy, sharpness }: Measures): number {
  const parts: QualityParts = {
    resolution: Math.min(1, Math.sqrt(megapixels / ENOUGH_MEGAPIXELS)),
    sharpness: Math.min(1, sharpness / ENOUGH_SHARPNESS),
    exposure: 1 - Math.max(0, Math.abs(brightness - 0.5) - WELL_EXPOSED) / (0.5 - WELL_EXPOSED),
    contrast: Math.min(1, contrast / ENOUGH_CONTRAST),
    detail: Math.min(1, entropy / ENOUGH_ENTROPY),
  };
  const sum = (Object.keys(WEIGHTS) as (keyof QualityParts)[]).reduce((total, part) => total + WEIGHTS[part] * parts[part], 0);
  return Math.round(sum * 1_000) / 1_000;
}
