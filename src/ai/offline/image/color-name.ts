import type { Color } from './measure.js';

/** Where each colour of the wheel begins, in degrees. */
const WHEEL: [from: number, name: string][] = [
  [345, 'red'],
  [305, 'pink'],
  [255, 'purple'],
  [195, 'blue'],
  [165, 'cyan'],
  [70, 'green'],
  [45, 'yellow'],
  [15, 'orange'],
  [0, 'red'],
];

/** One of eleven plain words for a colour. */
export function colorName({ r, g, b }: Color): string {
  const [most, least] = [Math.max(r, g, b), Math.min(r, g, b)];
  const lightness = (most + least) / 510;
  const saturation = most === 0 ? 0 : (most - least) / most;
  if (most < 45) return 'black';
  if (saturation < 0.15) return lightness > 0.85 ? 'white' : lightness < 0.2 ? 'black' : 'grey';
  const name = WHEEL.find(([from]) => hueOf({ r, g, b }) >= from)![1];
  // A dark orange is what people call brown, a pale red pink.
  if (name === 'orange' && lightness < 0.4) return 'brown';
  return name === 'red' && lightness > 0.75 ? 'pink' : name;
}

export function toHex({ r, g, b }: Color): string {
  return `#${[r, g, b].map((value) => value.toString(16).padStart(2, '0')).join('')}`;
}

/** Degrees on the colour wheel, 0 to 360, of a colour that is not grey. */
function hueOf({ r, g, b }: Color): number {
  const most = Math.max(r, g, b);
  const range = most - Math.min(r, g, b);
  if (most === r) return (60 * ((g - b) / range) + 360) % 360;
  return most === g ? 60 * ((b - r) / range) + 120 : 60 * ((r - g) / range) + 240;
}
