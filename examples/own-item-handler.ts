import { Module } from '@nestjs/common';
import { IsInt, IsOptional, IsString, IsUrl, Max, Min } from 'class-validator';
import {
  type BatchContext,
  type Item,
  type ItemContext,
  ItemHandler,
  type ItemHandlerClass,
  type ItemResult,
  type NewItem,
  PermanentError,
  RetryLaterError,
} from '../src/operations/item-handler.js';

/** What an item holds. Checked when the item runs: an item with a wrong payload fails for good, and the others go on. */
class PagePayload {
  @IsUrl({ require_tld: false }) url: string;
}

/** What the batch as a whole is told. Checked when it is created: wrong parameters are answered with 400. */
class PageParameters {
  @IsOptional() @IsInt() @Min(0) @Max(10_000_000) maxBytes: number = 1_000_000;
}

/** How a batch chooses its items when it is given filters instead of a list. */
class PageFilters {
  @IsString() siteUrl: string;
  @IsInt() @Min(1) @Max(10_000) pages: number;
}

/** Fetches pages and tells how long they are. */
@ItemHandler('measure-page', { payload: PagePayload, parameters: PageParameters, filters: PageFilters, concurrency: 20 })
export class MeasurePageItemHandler implements ItemHandlerClass<PagePayload, PageParameters, PageFilters> {
  async run({ payload }: Item<PagePayload>, context: ItemContext<PageParameters>): Promise<ItemResult> {
    const { signal, idempotencyKey, parameters } = context;
    // The signal ends the request at the item's time limit, and when the batch is cancelled.
    const response = await fetch(payload.url, { signal, headers: { 'idempotency-key': idempotencyKey } });
    if (response.status === 429) throw new RetryLaterError('the site is busy', secondsToWait(response) * 1_000);
    if (response.status === 404) throw new PermanentError(`${payload.url} does not exist`);
    if (!response.ok) throw new Error(`${payload.url} answered ${response.status}`);
    const bytes = (await response.arrayBuffer()).byteLength;
    if (bytes === 0) return { skipped: 'the page is empty' };
    return { output: { bytes }, quality: Math.min(1, bytes / parameters.maxBytes) };
  }

  async *selectItems({ siteUrl, pages }: PageFilters, { logger }: BatchContext<PageParameters>): AsyncGenerator<NewItem> {
    logger.info('choosing pages', { siteUrl, pages });
    for (let page = 1; page <= pages; page += 1) yield { key: `page-${page}`, payload: { url: `${siteUrl}/pages/${page}` } };
  }
}

function secondsToWait(response: Response): number {
  return Number(response.headers.get('retry-after')) || 1;
}

/** Hand it to the service: `startService(config, { modules: [PagesModule] })`. */
@Module({ providers: [MeasurePageItemHandler] })
export class PagesModule {}
