import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsInt,
  IsNumber,
  IsOptional,
  IsString,
  Max,
  MaxLength,
  Min,
  MinLength,
  ValidateNested,
} from 'class-validator';
import { OptionalAnyJson } from '../../common/any-json.js';
import { errorOf, fieldError } from '../../common/app-error.js';
import { Opaque } from '../../common/opaque.js';
import type { Caller } from '../../common/procedure.js';
import { Database } from '../../database/sql.js';
import { BatchView } from '../batch.view.js';
import { BatchEventPublisher } from '../events/batch-event-publisher.js';
import { recordResults, toExternalOutcome } from '../record-results.js';
import { selectBatch } from '../store/lock-batch.js';
import { toBatchView } from '../store/select-batches.js';

/** The result of one item that was worked outside. */
export class ExternalResult {
  @IsString() @MinLength(1) @MaxLength(512) key: string;
  @IsBoolean() success: boolean;
  /** JSON, at most 256 kB. */
  @OptionalAnyJson() @IsOptional() @Opaque() output?: unknown;
  /** Why it failed. */
  @IsOptional() @IsString() @MaxLength(10_000) error?: string;
  /** Tries after the first. */
  @IsOptional() @IsInt() @Min(0) @Max(10_000) retries?: number;
  /** milliseconds */
  @IsOptional() @IsNumber() @Min(0) @Max(1e12) durationMs?: number;
  @IsOptional() @IsNumber() @Min(0) @Max(1) quality?: number;
}

export class RecordedExternalResults {
  /** How many items got their result now. */
  recorded: number;
  /** Keys of the others: they had a result already, and keep it. */
  unchanged: string[];
  batch: BatchView;
}

/** Records many results at once, as single ones are recorded: all of them, or none. */
export class RecordExternalResults extends Command<RecordedExternalResults> {
  @IsString() batchId: string;
  @IsArray() @ArrayMinSize(1) @ArrayMaxSize(1_000) @ValidateNested({ each: true }) @Type(() => ExternalResult) results: ExternalResult[];
  /** No more results will come. */
  @IsOptional() @IsBoolean() last?: boolean;

  caller: Caller;
}

@CommandHandler(RecordExternalResults)
export class RecordExternalResultsHandler implements ICommandHandler<RecordExternalResults> {
  constructor(
    private readonly database: Database,
    private readonly publisher: BatchEventPublisher,
  ) {}

  /** @throws AppError INVALID_INPUT for a key that is there twice, NOT_FOUND naming the keys that the batch has no items of */
  async execute({ batchId, results, last, caller }: RecordExternalResults): Promise<RecordedExternalResults> {
    const places = placesOf(results);
    const outcomes = results.map((result, index) => toExternalOutcome(result, `results.${index}.`));
    const given = { batchId, tenant: caller.tenant, outcomes, last };
    const { recorded, events } = await this.database.transaction((connection) =>
      recordResults(connection, given, (key) => `results.${places.get(key)}.key`),
    );
    await this.publisher.publish(events);
    const batch = toBatchView(await selectBatch(this.database.pool, caller.tenant, batchId));
    return { recorded: recorded.size, unchanged: results.map(({ key }) => key).filter((key) => !recorded.has(key)), batch };
  }
}

function placesOf(results: ExternalResult[]): Map<string, number> {
  const places = new Map(results.map(({ key }, index) => [key, index]));
  const twice = results.flatMap(({ key }, index) => (places.get(key) === index ? [] : [{ key, index }]));
  if (twice.length === 0) return places;
  throw errorOf(
    'INVALID_INPUT',
    twice.map(({ key, index }) => fieldError(`results.${index}.key`, `${key} is there twice; send each key once`)),
  );
}
