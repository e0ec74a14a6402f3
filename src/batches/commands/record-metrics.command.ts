import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsObject, IsString } from 'class-validator';
import { invalidField } from '../../common/app-error.js';
import { Opaque } from '../../common/opaque.js';
import type { Caller } from '../../common/procedure.js';
import { toStorableJson, unsafeKey } from '../../common/safe-json.js';
import { Database } from '../../database/sql.js';
import { insertMetrics } from '../store/insert-metrics.js';
import { selectBatch } from '../store/lock-batch.js';

const MAX_CHARACTERS = 8_192;
/** What the service says of every record. */
const OWN_FIELDS = ['batchId', 'source', 'timestamp'];
/** What the service measures by the same names, as numbers. */
const FIGURES = ['memoryUsage', 'cpuUsage', 'diskUsage', 'throughput', 'processedItems', 'failedItems'];

/** Keeps figures that a caller measured of a batch, with the time of the record. Of the newest thousand. */
export class RecordMetrics extends Command<void> {
  @IsString() batchId: string;
  /** A JSON object of at most 8 kB. Any names; those that the service measures itself must be numbers of at least 0. */
  @Opaque() @IsObject() metrics: Record<string, unknown>;

  caller: Caller;
}

@CommandHandler(RecordMetrics)
export class RecordMetricsHandler implements ICommandHandler<RecordMetrics> {
  constructor(private readonly database: Database) {}

  async execute({ batchId, metrics, caller }: RecordMetrics): Promise<void> {
    const data = checkMetrics(metrics);
    await this.database.transaction(async (connection) => {
      await selectBatch(connection, caller.tenant, batchId);
      await insertMetrics(connection, 'caller', [{ batchId, data }]);
    });
  }
}

function checkMetrics(metrics: Record<string, unknown>): object {
  const text = toStorableJson(metrics, 'metrics')!;
  const unsafe = unsafeKey(metrics);
  if (unsafe) throw invalidField(unsafe, 'is a forbidden key', 'unrecognized_keys');
  if (Object.keys(metrics).length === 0) throw invalidField('metrics', 'give at least one figure', 'too_small');
  const own = OWN_FIELDS.find((field) => field in metrics);
  if (own) throw invalidField(own, 'is set by the service; leave it out', 'unrecognized_keys');
  const wrong = FIGURES.find((field) => field in metrics && !isFigure(metrics[field]));
  if (wrong) throw invalidField(wrong, 'must be a number of at least 0', 'invalid_type');
  if (text.length > MAX_CHARACTERS) throw invalidField('metrics', `may have at most ${MAX_CHARACTERS} characters as JSON`, 'too_big');
  return JSON.parse(text) as object;
}

function isFigure(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value < Infinity;
}
