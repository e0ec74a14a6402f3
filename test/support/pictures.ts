import sharp from 'sharp';
import { Api } from '../contracts/api.js';

type Data<T> = { data: T };

/** A PNG of one colour. */
export function plainPng(background: string, width = 64, height = 48): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();
}

/** A JPEG full of grain. */
export function grainyJpeg(width: number, height: number): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 128, sigma: 60 } as const;
  return sharp({ create: { width, height, channels: 3, background: 'white', noise } })
    .jpeg()
    .toBuffer();
}

/** Stores files and images of a service over HTTP. */
export class ImageStore {
  private readonly api: Api;

  constructor(
    private readonly url: string,
    private readonly headers: Record<string, string> = {},
  ) {
    this.api = new Api(url, headers);
  }

  /** @returns the file's id */
  async upload(bytes: Buffer, name = 'picture.png'): Promise<string> {
    const form = new FormData();
    form.append('file', new Blob([new Uint8Array(bytes)]), name);
    const response = await fetch(`${this.url}/api/files`, { method: 'POST', body: form, headers: this.headers });
    return ((await response.json()) as Data<{ id: string }>).data.id;
  }

  /** Makes the record of an image, or gives it another file. */
  async put(key: string, fileId: string | undefined, fields: object = {}): Promise<void> {
    const { status } = await this.api.send('PUT', `/api/records/images/${encodeURIComponent(key)}`, { fields, fileId });
    if (status !== 200) throw new Error(`the record ${key} was answered with ${status}`);
  }

  /** Records with these keys that all show the same picture. */
  async putAll(keys: string[], bytes?: Buffer): Promise<void> {
    const fileId = await this.upload(bytes ?? (await plainPng('teal')));
    for (const key of keys) await this.put(key, fileId);
  }
}

export const imageIds = (count: number): string[] => Array.from({ length: count }, (_, index) => `img${index}`);
