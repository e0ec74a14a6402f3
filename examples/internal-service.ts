import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventsHandler, type IEventHandler } from '@nestjs/cqrs';
import { IsString } from 'class-validator';
import { filter, firstValueFrom, Subject } from 'rxjs';
import {
  BatchCancelled,
  BatchCompleted,
  type BatchEvent,
  type BatchEventRecord,
  BatchFailed,
  BatchProcessingFacade,
  BatchwiseModule,
  type Caller,
  CreateBatch,
  type Item,
  ItemHandler,
  type ItemHandlerClass,
  type ItemResult,
  ListOutcomes,
  Procedures,
  StartBatch,
} from '../src/index.js';

class LetterPayload {
  @IsString() text: string;
}

/** Work of this application's own. */
@ItemHandler('count-words', { payload: LetterPayload })
class CountWordsItemHandler implements ItemHandlerClass<LetterPayload> {
  async run({ payload }: Item<LetterPayload>): Promise<ItemResult> {
    return { output: { words: payload.text.split(/\s+/).length } };
  }
}

/** Hears the end of every batch, and tells who waits for it. */
@EventsHandler(BatchCompleted, BatchFailed, BatchCancelled)
class BatchEnds implements IEventHandler<BatchEvent> {
  private readonly heard = new Subject<BatchEventRecord>();

  handle({ record }: BatchEvent): void {
    this.heard.next(record);
  }

  /** Subscribe before the batch can end. */
  of(batchId: string): Promise<BatchEventRecord> {
    return firstValueFrom(this.heard.pipe(filter((record) => record.batchId === batchId)));
  }
}

/** A service of this application that has its work done in batches. */
@Injectable()
class Letters {
  private readonly caller: Caller = { tenant: 'letters', subject: 'internal-service' };

  constructor(
    private readonly procedures: Procedures,
    private readonly erp: BatchProcessingFacade,
    private readonly ends: BatchEnds,
  ) {}

  /** Through a command: its items are worked by the handler above. */
  async countWords(letters: Record<string, string>): Promise<void> {
    const items = Object.entries(letters).map(([key, text]) => ({ key, payload: { text } }));
    const input = { operation: 'count-words', name: 'Words', items, start: false };
    const batch = await this.procedures.call(CreateBatch, input, this.caller);
    const end = this.ends.of(batch.id);
    await this.procedures.call(StartBatch, { batchId: batch.id }, this.caller);
    const { type, data } = await end;
    console.log(`${type}: ${data.counts.succeeded} of ${data.counts.total} letters counted`);
    const outcomes = await this.procedures.call(ListOutcomes, { batchId: batch.id }, this.caller);
    for (const { key, output } of outcomes.rows) console.log(`${key}: ${JSON.stringify(output)}`);
  }

  /** Through a documented service: the results are this application's to record. */
  async reportReviews(reviews: Record<string, boolean>): Promise<void> {
    const batches = this.erp.forTenant('letters');
    const batch = await batches.createBatch({ operation: 'report', name: 'Reviews', total_items: Object.keys(reviews).length });
    const end = this.ends.of(batch.id);
    for (const [letter, isGood] of Object.entries(reviews)) {
      await batches.recordResult(batch.id, letter, isGood, undefined, isGood ? undefined : 'illegible');
    }
    const { type } = await end;
    const { overview, errorDistribution } = (await batches.getBatchVisualization(batch.id))!;
    console.log(`${type}: ${overview.successful} of ${overview.total} letters are good`);
    for (const { error, count } of errorDistribution) console.log(`${error}: ${count}`);
  }
}

/** This application. Without DATABASE_URL it has a PostgreSQL of its own, in the data folder. */
@Module({
  imports: [BatchwiseModule.forRoot({ DATA_DIR: process.argv[2] ?? '.data/internal-service' })],
  providers: [CountWordsItemHandler, BatchEnds, Letters],
})
class ApplicationModule {}

const application = await NestFactory.createApplicationContext(ApplicationModule, { logger: ['warn', 'error'] });
const letters = application.get(Letters);
await letters.countWords({ first: 'Dear Sir or Madam', second: 'All is well' });
await letters.reportReviews({ first: true, second: true, third: false });
// Lets work in flight finish, then stops the database.
await application.close();
console.log('closed');
