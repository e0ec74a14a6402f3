import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsNotEmpty,
  IsOptional,
  IsString,
  MaxLength,
  ValidateNested,
} from 'class-validator';
import { ExternalResult } from '../../batches/commands/record-external-results.command.js';
import type { BatchView, MetricView } from '../../batches/batch.view.js';
import { ITEM_STATUSES, type ItemView, type OutcomeView } from '../../batches/item.view.js';
import { REPEATABLE, type Repeatable } from '../../batches/repeat-choice.js';
import { type Dialect, DIALECTS } from '../../common/procedure.js';
import { AnyJson, OptionalAnyJson } from '../../common/any-json.js';
import { Opaque } from '../../common/opaque.js';
import { QueryBoolean, QueryInt, QueryTime } from '../../common/query-fields.js';

const STATUSES: BatchView['status'][] = ['pending', 'running', 'paused', 'completed', 'failed', 'cancelled', 'timed_out'];
const OUTCOMES: OutcomeView['status'][] = ['succeeded', 'failed', 'skipped', 'cancelled'];
const SOURCES: MetricView['source'][] = ['worker', 'caller'];

export class ListBatchesQuery {
  @IsOptional() @IsString() @IsNotEmpty() operation?: string;
  /** Another word for operation. */
  @IsOptional() @IsString() @IsNotEmpty() type?: string;
  /** The interface it was made through: batch-service for those made with `data`. */
  @IsOptional() @IsIn(DIALECTS) dialect?: Dialect;
  /** With dialect=batch-service, failed also finds batches that ran out of time; running also finds those that read retrying. */
  @IsOptional() @IsIn(STATUSES) status?: BatchView['status'];
  /** Part of the name. */
  @IsOptional() @IsString() @IsNotEmpty() name?: string;
  @QueryTime() createdAfter?: string;
  @QueryTime() createdBefore?: string;
  /** Default 50, at most 100. */
  @QueryInt(1) limit?: number;
  @QueryInt(0) offset?: number;
}

export class AddItemsQuery {
  /** refuse (default): all or nothing; skip: wrong lines are left out and reported. */
  @IsOptional() @IsIn(['refuse', 'skip']) onInvalid?: 'refuse' | 'skip';
  /** true: these are the last items. */
  @QueryBoolean() seal?: boolean;
}

export class StartBatchRequest {
  /** true: more items may be added while it runs. */
  @IsOptional() @IsBoolean() open?: boolean;
}

export class ReasonRequest {
  /** Why, for those who look at the batch. */
  @IsOptional() @IsString() @MaxLength(500) reason?: string;
}

export class ListItemsQuery {
  /** Default 100, at most 1,000. */
  @QueryInt(1) limit?: number;
  @QueryInt(0) offset?: number;
}

export class ListBatchItemsQuery extends ListItemsQuery {
  /** Only items that are so, of a batch whose results come from outside; of another one list the results. */
  @IsOptional() @IsIn(ITEM_STATUSES) status?: ItemView['status'];
}

export class ListResultsQuery {
  /** `cancelled`: items that a stopped batch left undone, as far as they had run into an error; by itself alone. */
  @IsOptional() @IsIn(OUTCOMES) status?: OutcomeView['status'];
  /** Results of the items with this key. */
  @IsOptional() @IsString() @IsNotEmpty() key?: string;
  /** true: also what repeated items ended as in earlier runs. */
  @QueryBoolean() history?: boolean;
  /** Default 100, at most 10,000. */
  @QueryInt(1) limit?: number;
  @QueryInt(0) offset?: number;
}

export class ListMetricsQuery {
  @IsOptional() @IsIn(SOURCES) source?: MetricView['source'];
  /** Default 1,000, at most 2,000. */
  @QueryInt(1) limit?: number;
  @QueryInt(0) offset?: number;
}

export class StatsQuery {
  /** Default: batches of every interface. */
  @IsOptional() @IsIn(DIALECTS) dialect?: Dialect;
}

export class ListEventsQuery {
  /** Only events after this sequence number; default: from the first. */
  @QueryInt(0) afterSeq?: number;
  @QueryInt(1) limit?: number;
}

/** Which items of an ended batch are repeated: all of it has to be true of an item. Empty: every failed item. */
export class RetryRequest {
  /** unprocessed: without an outcome; cancelled, timed_out: of a run that ended so. Default: failed. */
  @IsOptional() @IsIn(REPEATABLE, { each: true }) @IsArray() statuses?: Repeatable[];
  /** Their keys, at most 10,000. */
  @IsOptional() @IsArray() keys?: string[];
  /** Their positions, at most 10,000. */
  @IsOptional() @IsArray() seqs?: number[];
  /** The kind of error they ended with, such as timeout. */
  @IsOptional() @IsString() errorKind?: string;
  /** The message they ended with. */
  @IsOptional() @IsString() error?: string;
  /** contains: the message may be part of theirs. Default: exact. */
  @IsOptional() @IsIn(['exact', 'contains']) errorMatch?: 'exact' | 'contains';
  /** Tries go on counting from those that an item has used. Default: false, every item has all of its tries again. */
  @IsOptional() @IsBoolean() continueAttempts?: boolean;
}

export class ItemNameQuery {
  /** seq: the path names the item by its position, from 0. Default: key. */
  @IsOptional() @IsIn(['key', 'seq']) by?: 'key' | 'seq';
}

export class EditItemRequest {
  /** Any JSON that the operation takes. */
  @AnyJson() @Opaque() payload: unknown;
}

export class RetryItemRequest {
  /** What the item is to be repeated with from now on; default: what it has. */
  @OptionalAnyJson() @Opaque() payload?: unknown;
}

/** One item's result, worked outside of the service. */
export class RecordResultRequest extends ExternalResult {
  /** true: it is the last result. */
  @IsOptional() @IsBoolean() last?: boolean;
}

export class RecordResultsRequest {
  /** Up to 1,000, each key once. */
  @IsArray() @ArrayMinSize(1) @ArrayMaxSize(1_000) @ValidateNested({ each: true }) @Type(() => ExternalResult) results: ExternalResult[];
  /** true: no more results will come. */
  @IsOptional() @IsBoolean() last?: boolean;
}
