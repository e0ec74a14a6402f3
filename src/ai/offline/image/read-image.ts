import { bulkhead } from 'cockatiel';
import { fileTypeFromBuffer } from 'file-type';
import sharp, { type Metadata } from 'sharp';

/** The bytes are no picture that can be read: trying again cannot help. */
export class InvalidImage extends Error {
  override readonly name = 'InvalidImage';
}

/** A picture as it is shown: turned as its camera noted, its first frame if it moves. */
export interface Picture {
  /** jpeg, png, webp, gif, tiff or avif */
  format: string;
  width: number;
  height: number;
  hasAlpha: boolean;
  /** 1 for a still picture. */
  frames: number;
  pixels: Pixels;
}

/** What is left to measure: at most 512 on the longer side, transparent parts white. */
export interface Pixels {
  /** Red, green and blue of each, 0 to 255, row by row. */
  rgb: Uint8Array;
  width: number;
  height: number;
}

/** Told by the first bytes, before any decoder sees the rest. SVG is not among them: it is a program that draws, not a picture. */
const FORMATS: Record<string, string> = {
  'image/jpeg': 'jpeg',
  'image/png': 'png',
  'image/apng': 'png',
  'image/webp': 'webp',
  'image/gif': 'gif',
  'image/tiff': 'tiff',
  'image/avif': 'avif',
};
const READ = 'JPEG, PNG, WebP, GIF, TIFF and AVIF are read';

/** A small file may unfold to gigabytes; this many pixels take some 300 MB at worst. */
const MAX_PIXELS = 100_000_000;
/** Decoders that need a picture as a whole take 4 bytes a pixel, some more: above this one is decoded at a time, in a process. */
const LARGE_PIXELS = 25_000_000;
const MEASURED_SIDE = 512;
const DECODE_SECONDS = 25;

// One thread a picture: several pictures are decoded side by side. None comes twice, so what was decoded is not kept.
sharp.concurrency(1);
sharp.cache(false);
const largeOne = bulkhead(1, Infinity);

/**
 * Decodes a picture.
 * @throws InvalidImage for anything but a whole picture in a known format; the signal's reason when it is aborted
 */
export async function readImage(bytes: Buffer, signal: AbortSignal): Promise<Picture> {
  const format = await formatOf(bytes);
  const options = { failOn: 'error', limitInputPixels: MAX_PIXELS, sequentialRead: true } as const;
  const metadata = await decoding(sharp(bytes, { ...options, limitInputPixels: false }).metadata());
  assertSize(metadata);
  signal.throwIfAborted();
  const decode = () =>
    decoding(
      sharp(bytes, options)
        .timeout({ seconds: DECODE_SECONDS })
        .resize({ width: MEASURED_SIDE, height: MEASURED_SIDE, fit: 'inside', withoutEnlargement: true })
        .flatten({ background: 'white' })
        .toColourspace('srgb')
        .raw({ depth: 'uchar' })
        .toBuffer({ resolveWithObject: true }),
    );
  const isLarge = metadata.width * metadata.height > LARGE_PIXELS;
  const { data, info } = await (isLarge ? largeOne.execute(decode, signal) : decode());
  signal.throwIfAborted();
  return {
    format,
    ...metadata.autoOrient,
    hasAlpha: metadata.hasAlpha,
    frames: metadata.pages ?? 1,
    pixels: { rgb: toRgb(data, info.channels), width: info.width, height: info.height },
  };
}

async function formatOf(bytes: Buffer): Promise<string> {
  if (bytes.length === 0) throw new InvalidImage('the file is empty');
  const type = await fileTypeFromBuffer(bytes);
  const format = type && FORMATS[type.mime];
  if (!format) throw new InvalidImage(`the file is ${type ? type.mime : 'not in a known picture format'}; ${READ}`);
  return format;
}

/** By what its head says. The decoder has the same limit, should the head lie. */
function assertSize({ width, height }: Metadata): void {
  if (width * height <= MAX_PIXELS) return;
  throw new InvalidImage(`it has ${width} x ${height} pixels; at most ${MAX_PIXELS / 1e6} megapixels are read`);
}

/** sharp tells a broken file by its decoder's words, in several lines; only its time limit is no fault of the file. */
async function decoding<T>(result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (cause) {
    const [line = ''] = (cause as Error).message.split('\n');
    if (line.startsWith('timeout')) throw new Error(`decoding took longer than ${DECODE_SECONDS} s`, { cause });
    throw new InvalidImage(`it cannot be decoded (${line})`, { cause });
  }
}

/** A grey picture comes with one channel, any other with three. */
function toRgb(data: Buffer, channels: number): Uint8Array {
  if (channels === 3) return data;
  return Uint8Array.from({ length: (data.length / channels) * 3 }, (_, index) => data[Math.floor(index / 3) * channels]!);
}
