import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import type { ImageAnnotation } from '../../src/ai/offline/image/analyze-image.js';
import type { BatchView } from '../../src/batches/batch.view.js';
import type { OutcomeView } from '../../src/batches/item.view.js';
import { Config } from '../../src/config.js';
import type { RecordView } from '../../src/records/record.view.js';
import { Api, type Problem } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { grainyJpeg, ImageStore, plainPng } from '../support/pictures.js';
import { startTestService, type TestService } from '../support/service.js';

type Reply<Data> = { data: Data };

const ACME = { 'x-api-key': 'acme-key-0123456789' };
const GLOBEX = { 'x-api-key': 'globex-key-0123456789' };

/** A PNG whose head says another size than it has. */
const withSize = (png: Buffer, width: number, height: number): Buffer => {
  const lying = Buffer.from(png);
  lying.writeUInt32BE(width, 16);
  lying.writeUInt32BE(height, 20);
  lying.writeUInt32BE(crc32(lying.subarray(12, 29)), 29);
  return lying;
};

describe('annotating images', () => {
  let service: TestService;
  let api: Api;
  let images: ImageStore;

  beforeAll(async () => {
    service = await startTestService({ API_KEYS: `acme:${ACME['x-api-key']},globex:${GLOBEX['x-api-key']}` });
    api = new Api(service.url, ACME);
    images = new ImageStore(service.url, ACME);
  });

  afterAll(() => service.close());

  /** Works the images and gives back the batch and its outcomes in the order of the keys. */
  const work = async (keys: string[], { by = api, collection = 'images', options = {} } = {}) => {
    const created = await by.post<Reply<BatchView>>('/api/batches', {
      operation: 'annotate-image',
      items: keys,
      parameters: { collection },
      options: { retryDelay: 0, retryJitter: false, ...options },
    });
    expect(created.status).toBe(201);
    const path = `/api/batches/${created.body.data.id}`;
    const ended = await eventually(
      () => by.get<Reply<BatchView>>(path),
      ({ body }) => body.data.endedAt !== null,
      30_000,
    );
    return { batch: ended.body.data, outcomes: (await by.get<Reply<OutcomeView[]>>(`${path}/results`)).body.data };
  };

  /** What is found in a picture that is a file alone. */
  const annotate = async (bytes: Buffer): Promise<ImageAnnotation> => {
    const { outcomes } = await work([await images.upload(bytes)]);
    expect(outcomes[0]).toMatchObject({ status: 'succeeded' });
    return outcomes[0]!.output as ImageAnnotation;
  };

  /** Why a file is no image. */
  const refusal = async (bytes: Buffer) => {
    const { outcomes } = await work([await images.upload(bytes)]);
    expect(outcomes).toMatchObject([{ status: 'failed', attempts: 1, error: { kind: 'permanent' } }]);
    return outcomes[0]!.error!.message;
  };

  test('a plain PNG: its size, its one colour, and no more detail than it has', async () => {
    expect(await annotate(await plainPng('#c81e1e', 640, 480))).toEqual({
      description: 'A landscape PNG picture of 640 x 480 pixels, mostly red: dark, low-contrast, colorful, plain, soft.',
      tags: ['png', 'landscape', 'red', 'dark', 'low-contrast', 'colorful', 'plain', 'soft'],
      format: 'png',
      width: 640,
      height: 480,
      megapixels: 0.307,
      aspectRatio: 1.333,
      orientation: 'landscape',
      hasAlpha: false,
      frames: 1,
      dominantColor: { name: 'red', hex: '#c81e1e' },
      brightness: 0.259,
      contrast: 0,
      colorfulness: 0.667,
      entropy: 0,
      sharpness: 0,
      qualityScore: 0.29,
      analyzer: 'offline',
    });
  });

  test('a grainy JPEG is sharper, has more detail and is worth more than the same in one grey', async () => {
    const grainy = await annotate(await grainyJpeg(1600, 1200));
    const grey = await annotate(await plainPng('#808080', 1600, 1200));
    expect(grainy).toMatchObject({ format: 'jpeg', width: 1600, height: 1200, megapixels: 1.92 });
    expect(grainy.sharpness).toBeGreaterThan(grey.sharpness);
    expect(grainy.entropy).toBeGreaterThan(grey.entropy);
    expect(grainy.qualityScore).toBeGreaterThan(grey.qualityScore + 0.2);
    expect(grey.tags).toContain('monochrome');
  });

  test('a transparent WebP', async () => {
    const half = { r: 0, g: 0, b: 200, alpha: 0.5 };
    const bytes = await sharp({ create: { width: 300, height: 300, channels: 4, background: half } })
      .webp({ lossless: true })
      .toBuffer();
    const found = await annotate(bytes);
    expect(found).toMatchObject({ format: 'webp', orientation: 'square', hasAlpha: true, dominantColor: { name: 'blue' } });
    expect(found.tags).toContain('transparent');
  });

  test('one channel of grey, sixteen bits, AVIF, TIFF and a moving GIF are read as well', async () => {
    const base = sharp(await grainyJpeg(200, 120));
    const grey = await annotate(await base.clone().greyscale().png().toBuffer());
    expect(grey).toMatchObject({ format: 'png', colorfulness: 0 });
    const deep = await annotate(await base.clone().toColourspace('rgb16').png().toBuffer());
    expect(deep).toMatchObject({ format: 'png', width: 200, dominantColor: { hex: expect.stringMatching(/^#[0-9a-f]{6}$/) } });
    expect(await annotate(await base.clone().avif().toBuffer())).toMatchObject({ format: 'avif', width: 200, height: 120 });
    expect(await annotate(await base.clone().tiff().toBuffer())).toMatchObject({ format: 'tiff' });
    const frames = await Promise.all(['red', 'blue', 'green'].map((color) => plainPng(color, 20, 30)));
    const moving = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    expect(await annotate(moving)).toMatchObject({
      format: 'gif',
      width: 20,
      height: 30,
      frames: 3,
      orientation: 'portrait',
      dominantColor: { name: 'red' },
    });
  });

  test('a photograph that its camera held upright is portrait', async () => {
    const turned = await sharp(await grainyJpeg(400, 300))
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    expect(await annotate(turned)).toMatchObject({ width: 300, height: 400, orientation: 'portrait' });
  });

  test('the same picture always gives the same annotation', async () => {
    const bytes = await grainyJpeg(320, 240);
    expect(await annotate(bytes)).toEqual(await annotate(bytes));
  });

  test('what is found is written into the image’s record, beside its own fields', async () => {
    const fileId = await images.upload(await plainPng('gold'));
    await images.put('shop/7', fileId, { title: 'Bar', annotation_status: 'pending' });
    const { batch, outcomes } = await work(['shop/7']);
    expect(batch).toMatchObject({ status: 'completed', progress: 100 });
    expect(outcomes[0]!.quality).toBeCloseTo((outcomes[0]!.output as ImageAnnotation).qualityScore);
    const record = (await api.get<Reply<RecordView>>('/api/records/images/shop%2F7')).body.data;
    expect(record.fields).toEqual({ title: 'Bar', annotation_status: 'done', annotation: outcomes[0]!.output });
    expect(record.fields.annotation).toMatchObject({ dominantColor: { name: 'yellow' }, analyzer: 'offline' });
  });

  test('an id that comes twice is worked twice, and its record is whole', async () => {
    await images.put('twice', await images.upload(await plainPng('purple')));
    const { batch } = await work(['twice', 'twice', 'twice', 'twice']);
    expect(batch.counts).toMatchObject({ total: 4, failed: 0 });
    expect((await api.get<Reply<RecordView>>('/api/records/images/twice')).body.data.fields.annotation_status).toBe('done');
  });

  test('an image whose record changes while it is looked at is looked at again, and no change is lost', async () => {
    await images.put('busy', await images.upload(await plainPng('maroon')), { title: 'old' });
    const editor = await service.database.pool.connect();
    await editor.query('BEGIN');
    await editor.query(`UPDATE record SET fields = '{"title":"new"}', updated_at = clock_timestamp() WHERE key = 'busy'`);
    const worked = work(['busy']);
    await eventually(async () => {
      const waiting = await service.database.pool.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return waiting.rowCount;
    }, Boolean);
    await editor.query('COMMIT');
    editor.release();
    expect((await worked).outcomes).toMatchObject([{ status: 'succeeded', attempts: 2 }]);
    const { fields } = (await api.get<Reply<RecordView>>('/api/records/images/busy')).body.data;
    expect(fields).toMatchObject({ title: 'new', annotation_status: 'done', annotation: { dominantColor: { name: 'red' } } });
  });

  test('an unknown id fails alone and for good', async () => {
    await images.put('known', await images.upload(await plainPng('navy')));
    const file = randomUUID();
    const { batch, outcomes } = await work(['known', 'img-404', file]);
    expect(batch).toMatchObject({ status: 'completed', counts: { succeeded: 1, failed: 2 } });
    expect(outcomes).toMatchObject([
      { key: 'known', status: 'succeeded' },
      { key: 'img-404', attempts: 1, error: { kind: 'permanent', message: 'Image not found' } },
      { key: file, attempts: 1, error: { kind: 'permanent', message: 'Image not found' } },
    ]);
  });

  test('a record without a file, and one whose file is gone', async () => {
    await images.put('bare', undefined, { title: 'no picture' });
    const fileId = await images.upload(await plainPng('black'));
    await images.put('lost', fileId);
    await rm(join(service.app.get(Config).dataDir, 'files', fileId.slice(0, 2), fileId));
    const { batch, outcomes } = await work(['bare', 'lost']);
    expect(batch).toMatchObject({ status: 'failed', reason: 'every item failed' });
    expect(outcomes.map(({ error }) => error!.message)).toEqual([
      'Invalid image: the record in collection images has no file',
      `Image not found: file ${fileId} cannot be used: its bytes are gone from the service's disk (DATA_DIR); store it again with POST /api/files`,
    ]);
    expect((await api.get<Reply<RecordView>>('/api/records/images/bare')).body.data.fields).toEqual({ title: 'no picture' });
  });

  test('what is no picture is told apart from one that is broken', async () => {
    expect(await refusal(Buffer.from('Dear Mrs Keller'))).toMatch(/^Invalid image: the file is not in a known picture format/);
    expect(await refusal(Buffer.from('%PDF-1.7\n1 0 obj'))).toMatch(/^Invalid image: the file is application\/pdf/);
    expect(await refusal(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'))).toMatch(
      /^Invalid image: the file is/,
    );
    expect(await refusal(Buffer.alloc(0))).toBe('Invalid image: the file is empty');
    const jpeg = await grainyJpeg(640, 480);
    expect(await refusal(jpeg.subarray(0, jpeg.length / 2))).toMatch(/^Invalid image: it cannot be decoded \(/);
    const png = await plainPng('red');
    expect(await refusal(png.subarray(0, 60))).toMatch(/^Invalid image: it cannot be decoded \(/);
  });

  test('a picture that would unfold to more pixels or bytes than are read is refused by its head', async () => {
    const wide = withSize(await plainPng('red'), 12_000, 9_000);
    expect(await refusal(wide)).toBe('Invalid image: it has 12000 x 9000 pixels; at most 100 megapixels are read');
    const heavy = Buffer.concat([await plainPng('red'), Buffer.alloc(20_000_000)]);
    expect(await refusal(heavy)).toBe(`Invalid image: it has ${heavy.length} bytes; at most 20000000 are read`);
  });

  test('images of another tenant do not exist', async () => {
    const fileId = await images.upload(await plainPng('green'));
    await images.put('acme-only', fileId);
    const { outcomes } = await work(['acme-only', fileId], { by: new Api(service.url, GLOBEX) });
    expect(outcomes.map(({ error }) => error!.message)).toEqual(['Image not found', 'Image not found']);
    expect((await api.get<Reply<RecordView>>('/api/records/images/acme-only')).body.data.fields).toEqual({});
  });

  test('images may be kept in another collection', async () => {
    const fileId = await images.upload(await plainPng('white'));
    await api.send('PUT', '/api/records/scans/p1', { fields: {}, fileId });
    const { outcomes } = await work(['p1'], { collection: 'scans' });
    expect(outcomes[0]!.output).toMatchObject({ dominantColor: { name: 'white' } });
    const refused = await api.post<Problem>('/api/batches', {
      operation: 'annotate-image',
      items: ['p1'],
      parameters: { collection: '../etc' },
    });
    expect(refused.body.details.errors[0]!.path).toBe('parameters.collection');
  });

  test('an annotated record is left as it is when the batch says so, and what is written can be taken back', async () => {
    await images.put('done', await images.upload(await plainPng('olive')), { annotation: { old: true }, annotation_status: 'done' });
    await images.put('open', await images.upload(await plainPng('olive')), { title: 'mine' });
    const skipping = await work(['done', 'open'], { options: { conflictResolution: 'skip', backupStrategy: 'auto' } });
    expect(skipping.batch.counts).toMatchObject({ succeeded: 1, skipped: 1 });
    expect(JSON.stringify(skipping.outcomes)).toContain('record done is annotated already');
    const failing = await work(['done'], { options: { conflictResolution: 'fail' } });
    expect(failing.outcomes).toMatchObject([{ status: 'failed', attempts: 1, error: { kind: 'permanent' } }]);
    const restored = await api.post(`/api/batches/${skipping.batch.id}/restore`);
    expect(restored.body).toMatchObject({ data: { restored: 1, removed: 0, leftAlone: 0 } });
    const fieldsOf = async (key: string) => (await api.get<Reply<RecordView>>(`/api/records/images/${key}`)).body.data.fields;
    expect(await fieldsOf('open')).toEqual({ title: 'mine' });
    expect(await fieldsOf('done')).toEqual({ annotation: { old: true }, annotation_status: 'done' });
  });
});
