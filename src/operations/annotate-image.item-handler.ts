import { IsOptional } from 'class-validator';
import { bulkhead } from 'cockatiel';
import { analyzeImage, type ImageAnnotation } from '../ai/offline/image/analyze-image.js';
import { InvalidImage } from '../ai/offline/image/read-image.js';
import { AppError } from '../common/app-error.js';
import { IsCollectionName } from '../records/collection-name.js';
import type { FileEntity } from '../records/entities/file.entity.js';
import { FileStore } from '../records/file-store.js';
import { RecordStore } from '../records/record-store.js';
import type { StoredRecord } from '../records/store/select-records-by-keys.js';
import { annotationConflict } from './annotation-conflict.js';
import { type Item, type ItemContext, ItemHandler, type ItemHandlerClass, type ItemResult, PermanentError } from './item-handler.js';

export class AnnotateImageParameters {
  /** Whose records are the images. */
  @IsOptional() @IsCollectionName() collection: string = 'images';
}

/** Providers of vision models draw the line here as well. */
const MAX_BYTES = 20_000_000;

/** Pictures in memory at a time, over all batches of the process: as many as are decoded at once. */
const PICTURES_AT_A_TIME = 4;

interface Image {
  key: string;
  file: FileEntity;
  /** Unset for an image that is a file alone. */
  record?: StoredRecord;
}

/**
 * Looks at images. An item's key is the image's id: the key of a record whose file is the picture, or else the id of a stored file.
 * What was found is the item's output; a record gets it as `annotation` too, with `annotation_status: "done"`.
 */
@ItemHandler('annotate-image', { parameters: AnnotateImageParameters, concurrency: 5 })
export class AnnotateImageItemHandler implements ItemHandlerClass<unknown, AnnotateImageParameters> {
  private readonly places = bulkhead(PICTURES_AT_A_TIME, Infinity);

  constructor(
    private readonly records: RecordStore,
    private readonly files: FileStore,
  ) {}

  async run({ key }: Item, context: ItemContext<AnnotateImageParameters>): Promise<ItemResult> {
    const image = await this.find(key, context);
    const conflict = image.record && annotationConflict(image.record, context);
    if (conflict && 'error' in conflict) throw conflict.error;
    if (conflict) return conflict;
    context.progress(10);
    const annotation = await this.places.execute(() => this.look(image, context), context.signal);
    context.progress(90);
    await this.write(image, annotation, context);
    return { output: annotation, quality: annotation.qualityScore };
  }

  private async find(key: string, { tenant, parameters: { collection } }: ItemContext<AnnotateImageParameters>): Promise<Image> {
    const record = (await this.records.byKeys({ tenant, collection }, [key])).get(key);
    if (record && !record.fileId) throw new PermanentError(`Invalid image: the record in collection ${collection} has no file`);
    try {
      return { key, record, file: await this.files.find(tenant, record?.fileId ?? key) };
    } catch (error) {
      if (error instanceof AppError && error.code === 'NOT_FOUND') throw new PermanentError('Image not found');
      throw error;
    }
  }

  private async look(image: Image, context: ItemContext): Promise<ImageAnnotation> {
    try {
      const bytes = await this.read(image, context.signal);
      context.progress(40);
      return await analyzeImage(bytes, context.signal);
    } catch (error) {
      if (error instanceof InvalidImage) throw new PermanentError(`Invalid image: ${error.message}`);
      throw error;
    }
  }

  private async read({ file }: Image, signal: AbortSignal): Promise<Buffer> {
    const size = Number(file.size);
    if (size > MAX_BYTES) throw new InvalidImage(`it has ${size} bytes; at most ${MAX_BYTES} are read`);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of this.files.read(file)) {
        signal.throwIfAborted();
        chunks.push(chunk);
      }
    } catch (error) {
      if (error instanceof AppError && error.code === 'CONFLICT') throw new PermanentError(`Image not found: ${error.message}`);
      throw error;
    }
    return Buffer.concat(chunks);
  }

  private async write({ key, record }: Image, annotation: ImageAnnotation, context: ItemContext<AnnotateImageParameters>): Promise<void> {
    if (!record) return;
    const place = { tenant: context.tenant, collection: context.parameters.collection };
    const patch = { key, version: record.version, patch: { annotation, annotation_status: 'done' } };
    const anyVersion = context.conflictResolution === 'overwrite';
    const written = await this.records.merge(place, [patch], { anyVersion, batch: context });
    if (!written.has(key)) throw new Error(`record ${key} changed while its image was being read`);
  }
}
