import { colorName, toHex } from './color-name.js';
import { imageQuality } from './image-quality.js';
import { measure, type Measures } from './measure.js';
import { type Picture, readImage } from './read-image.js';

export type Orientation = 'landscape' | 'portrait' | 'square';

/** What is written into an image's `annotation`. */
export interface ImageAnnotation {
  /** One sentence. */
  description: string;
  /** Words for what was measured, see {@link tagsOf}. */
  tags: string[];
  /** jpeg, png, webp, gif, tiff or avif */
  format: string;
  /** Pixels, as it is shown. */
  width: number;
  height: number;
  megapixels: number;
  /** Width by height. */
  aspectRatio: number;
  orientation: Orientation;
  hasAlpha: boolean;
  /** 1 for a still picture; of one that moves the first is measured. */
  frames: number;
  dominantColor: { name: string; hex: string };
  /** The next five are explained at {@link Measures}. */
  brightness: number;
  contrast: number;
  colorfulness: number;
  entropy: number;
  sharpness: number;
  /** 0 to 1, see {@link imageQuality}. */
  qualityScore: number;
  /** Who looked at it: no model, but the arithmetic of this folder. */
  analyzer: 'offline';
}

/**
 * Looks at a picture by arithmetic: the same bytes always give the same annotation. It tells light, colour and size, not what is
 * shown in it.
 * @throws InvalidImage
 */
export async function analyzeImage(bytes: Buffer, signal: AbortSignal): Promise<ImageAnnotation> {
  const picture = await readImage(bytes, signal);
  const measures = measure(picture.pixels);
  const megapixels = (picture.width * picture.height) / 1e6;
  const color = colorName(measures.dominant);
  const tags = tagsOf(picture, measures, color);
  return {
    description: describe(picture, tags, color),
    tags,
    format: picture.format,
    width: picture.width,
    height: picture.height,
    megapixels: round(megapixels, 3),
    aspectRatio: round(picture.width / picture.height, 3),
    orientation: orientationOf(picture),
    hasAlpha: picture.hasAlpha,
    frames: picture.frames,
    dominantColor: { name: color, hex: toHex(measures.dominant) },
    brightness: round(measures.brightness, 3),
    contrast: round(measures.contrast, 3),
    colorfulness: round(measures.colorfulness, 3),
    entropy: round(measures.entropy, 2),
    sharpness: round(measures.sharpness, 2),
    qualityScore: imageQuality(megapixels, measures),
    analyzer: 'offline',
  };
}

/** Nearly square counts as square. */
function orientationOf({ width, height }: Picture): Orientation {
  if (Math.abs(width / height - 1) < 0.05) return 'square';
  return width > height ? 'landscape' : 'portrait';
}

/** Format, orientation and main colour, then what stands out, each word only beyond its threshold. */
function tagsOf(picture: Picture, measures: Measures, color: string): string[] {
  const { brightness, contrast, colorfulness, entropy, sharpness } = measures;
  const pixels = picture.width * picture.height;
  const notable: [word: string, holds: boolean][] = [
    ['bright', brightness > 0.7],
    ['dark', brightness < 0.3],
    ['high-contrast', contrast > 0.25],
    ['low-contrast', contrast < 0.08],
    ['colorful', colorfulness > 0.35],
    ['monochrome', colorfulness < 0.02],
    ['detailed', entropy > 7],
    ['plain', entropy < 2],
    ['sharp', sharpness > 15],
    ['soft', sharpness < 4],
    ['high-resolution', pixels > 8e6],
    ['low-resolution', pixels < 0.1e6],
    ['panorama', picture.width > 2 * picture.height],
    ['transparent', picture.hasAlpha],
    ['animated', picture.frames > 1],
  ];
  return [picture.format, orientationOf(picture), color, ...notable.filter(([, holds]) => holds).map(([word]) => word)];
}

function describe(picture: Picture, [format, orientation, , ...notable]: string[], color: string): string {
  const traits = notable.length > 0 ? `: ${notable.join(', ')}` : '';
  const size = `${picture.width} x ${picture.height} pixels`;
  return `A ${orientation} ${format!.toUpperCase()} picture of ${size}, mostly ${color}${traits}.`;
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
