import sharp from 'sharp';
import { colorName, toHex } from '../../src/ai/offline/image/color-name.js';
import { analyzeImage } from '../../src/ai/offline/image/analyze-image.js';
import { imageQuality } from '../../src/ai/offline/image/image-quality.js';
import { measure } from '../../src/ai/offline/image/measure.js';

const color = (hex: string) => ({ r: parseInt(hex.slice(1, 3), 16), g: parseInt(hex.slice(3, 5), 16), b: parseInt(hex.slice(5, 7), 16) });

/** Grey pixels from their lightness. */
const greys = (width: number, values: number[]) => ({
  rgb: Uint8Array.from(values.flatMap((value) => [value, value, value])),
  width,
  height: values.length / width,
});

test.each([
  ['#000000', 'black'],
  ['#1a1a1a', 'black'],
  ['#ffffff', 'white'],
  ['#808080', 'grey'],
  ['#ff0000', 'red'],
  ['#e6194b', 'red'],
  ['#ffc0cb', 'pink'],
  ['#ff1493', 'pink'],
  ['#ff8c00', 'orange'],
  ['#8b4513', 'brown'],
  ['#ffd700', 'yellow'],
  ['#228b22', 'green'],
  ['#00ced1', 'cyan'],
  ['#1e40af', 'blue'],
  ['#800080', 'purple'],
])('%s is called %s', (hex, name) => {
  expect(colorName(color(hex))).toBe(name);
  expect(toHex(color(hex))).toBe(hex);
});

test('a chessboard of black and white has the strongest contrast, two tones and nothing but edges', () => {
  const board = greys(
    8,
    Array.from({ length: 64 }, (_, at) => ((at + Math.floor(at / 8)) % 2) * 255),
  );
  const measures = measure(board);
  expect(measures.brightness).toBeCloseTo(0.5);
  expect(measures.contrast).toBeCloseTo(0.5);
  expect(measures.entropy).toBeCloseTo(1);
  expect(measures.sharpness).toBeCloseTo(1020);
  expect(measures.colorfulness).toBe(0);
});

test('one tone has no contrast, no detail and no edge', () => {
  expect(measure(greys(4, new Array<number>(16).fill(51)))).toMatchObject({
    brightness: expect.closeTo(0.2),
    contrast: 0,
    entropy: 0,
    sharpness: 0,
    dominant: { r: 51, g: 51, b: 51 },
  });
});

test('a picture of one pixel, or one line, has no edges to measure', () => {
  expect(measure(greys(1, [200])).sharpness).toBe(0);
  expect(measure(greys(3, [0, 255, 0])).sharpness).toBe(0);
});

test('the dominant colour is that of the most pixels, not the mean of all', () => {
  const rgb = Uint8Array.from([...[0, 0, 250], ...[0, 0, 246], ...[250, 0, 0]]);
  expect(measure({ rgb, width: 3, height: 1 }).dominant).toEqual({ r: 0, g: 0, b: 248 });
});

describe('quality', () => {
  const best = { brightness: 0.5, contrast: 0.25, colorfulness: 0.3, entropy: 7.5, sharpness: 20, dominant: color('#808080') };

  test('is 1 when every part has enough, and the weights of its parts say what is lost', () => {
    expect(imageQuality(2, best)).toBe(1);
    expect(imageQuality(0.5, best)).toBeCloseTo(0.85);
    expect(imageQuality(2, { ...best, sharpness: 0 })).toBeCloseTo(0.75);
    expect(imageQuality(2, { ...best, brightness: 0 })).toBeCloseTo(0.8);
    expect(imageQuality(2, { ...best, brightness: 0.85 })).toBeCloseTo(0.9);
    expect(imageQuality(2, { ...best, contrast: 0.1 })).toBeCloseTo(0.925);
    expect(imageQuality(2, { ...best, entropy: 3.5 })).toBeCloseTo(0.95);
  });
});

describe('pictures read at the same time', () => {
  /** Decoders at work at once, at most, while four of them are read. */
  async function decodersAt(side: number): Promise<number> {
    const bytes = await sharp({ create: { width: side, height: side, channels: 3, background: 'teal' } })
      .png()
      .toBuffer();
    let most = 0;
    const looking = setInterval(() => (most = Math.max(most, sharp.counters().process)), 1);
    await Promise.all([1, 2, 3, 4].map(() => analyzeImage(bytes, new AbortController().signal)));
    clearInterval(looking);
    return most;
  }

  it('are decoded side by side, but of those above 25 megapixels one at a time', async () => {
    expect(await decodersAt(5_100)).toBe(1);
    expect(await decodersAt(4_900)).toBeGreaterThan(1);
  });
});
