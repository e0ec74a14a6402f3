import type { Pixels } from './read-image.js';

/** A picture in numbers, measured on at most 512 pixels of its longer side. */
export interface Measures {
  /** Mean lightness, 0 (black) to 1 (white). */
  brightness: number;
  /** Standard deviation of lightness, 0 to 0.5. */
  contrast: number;
  /** Mean difference between the strongest and the weakest of red, green and blue, 0 to 1. */
  colorfulness: number;
  /** Bits that the lightness of a pixel tells, 0 (one tone) to 8 (all tones equally often). */
  entropy: number;
  /** Standard deviation of the lightness' second derivative (Laplacian), 0 to about 255: 0 without any edge. */
  sharpness: number;
  /** The most frequent colour: the mean of the pixels in the fullest of 4,096 equal cubes. */
  dominant: Color;
}

export interface Color {
  r: number;
  g: number;
  b: number;
}

/** 16 steps of each of red, green and blue. */
const CUBES = 4_096;

export function measure({ rgb, width, height }: Pixels): Measures {
  const lightness = lightnessOf(rgb);
  const { mean, deviation } = spreadOf(lightness);
  return {
    brightness: mean / 255,
    contrast: deviation / 255,
    colorfulness: colorfulnessOf(rgb),
    entropy: entropyOf(lightness),
    sharpness: spreadOf(edgesOf(lightness, width, height)).deviation,
    dominant: dominantOf(rgb),
  };
}

/** By the weights of red, green and blue in Rec. 709. */
function lightnessOf(rgb: Uint8Array): Float32Array {
  const lightness = new Float32Array(rgb.length / 3);
  for (let at = 0; at < lightness.length; at += 1) {
    lightness[at] = 0.2126 * rgb[3 * at]! + 0.7152 * rgb[3 * at + 1]! + 0.0722 * rgb[3 * at + 2]!;
  }
  return lightness;
}

function spreadOf(values: Float32Array): { mean: number; deviation: number } {
  if (values.length === 0) return { mean: 0, deviation: 0 };
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / values.length) };
}

function colorfulnessOf(rgb: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < rgb.length; at += 3) {
    const [r, g, b] = [rgb[at]!, rgb[at + 1]!, rgb[at + 2]!];
    sum += Math.max(r, g, b) - Math.min(r, g, b);
  }
  return sum / (rgb.length / 3) / 255;
}

function entropyOf(lightness: Float32Array): number {
  const tones = new Uint32Array(256);
  for (const value of lightness) tones[Math.round(value)]! += 1;
  let bits = 0;
  for (const count of tones) if (count > 0) bits -= (count / lightness.length) * Math.log2(count / lightness.length);
  return bits;
}

/** The Laplacian of every pixel that is not at the border. */
function edgesOf(lightness: Float32Array, width: number, height: number): Float32Array {
  const edges = new Float32Array(Math.max(0, width - 2) * Math.max(0, height - 2));
  let next = 0;
  for (let y = 1; y < height - 1; y += 1) {
    for (let x = 1; x < width - 1; x += 1) {
      const at = y * width + x;
      const around = lightness[at - 1]! + lightness[at + 1]! + lightness[at - width]! + lightness[at + width]!;
      edges[(next += 1) - 1] = around - 4 * lightness[at]!;
    }
  }
  return edges;
}

function dominantOf(rgb: Uint8Array): Color {
  const counts = new Uint32Array(CUBES);
  const sums = new Float64Array(3 * CUBES);
  for (let at = 0; at < rgb.length; at += 3) {
    const [r, g, b] = [rgb[at]!, rgb[at + 1]!, rgb[at + 2]!];
    const cube = ((r >> 4) << 8) | ((g >> 4) << 4) | (b >> 4);
    counts[cube]! += 1;
    sums[3 * cube]! += r;
    sums[3 * cube + 1]! += g;
    sums[3 * cube + 2]! += b;
  }
  const fullest = counts.indexOf(counts.reduce((most, count) => Math.max(most, count), 0));
  const mean = (channel: number): number => Math.round(sums[3 * fullest + channel]! / counts[fullest]!);
  return { r: mean(0), g: mean(1), b: mean(2) };
}
