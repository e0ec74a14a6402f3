import { Module } from '@nestjs/common';
import { IsInt, IsOptional, Min } from 'class-validator';
import { setTimeout as delay } from 'node:timers/promises';
import type { BatchView } from '../../src/batches/batch.view.js';
import type { OutcomeView } from '../../src/batches/item.view.js';
import {
  type Item,
  type ItemContext,
  ItemHandler,
  type ItemHandlerClass,
  type ItemResult,
  type NewItem,
  PermanentError,
} from '../../src/operations/item-handler.js';
import { RecordStore } from '../../src/records/record-store.js';
import { StoresModule } from '../../src/records/stores.module.js';
import { Api, type Answer, type Problem } from '../contracts/api.js';
import { eventually } from './eventually.js';
import { startTestService, type TestService } from './service.js';

/** What an item does, in the words of `noop`, which the trial's own operations know too. */
export interface Payload {
  durationMs?: number;
  fail?: 'permanent' | 'retryable';
  times?: number;
}

/** It is at work until its batch is stopped. */
export const LONG: Payload = { durationMs: 600_000 };

class TrialParameters {
  @IsOptional() @IsInt() @Min(0) durationMs?: number;
}

class TrialFilters {
  @IsOptional() @IsInt() @Min(0) count?: number;
}

class TrialHandler implements ItemHandlerClass<Payload | undefined, TrialParameters, TrialFilters> {
  async run({ payload = {}, attempt }: Item<Payload | undefined>, context: ItemContext<TrialParameters>): Promise<ItemResult> {
    const durationMs = payload.durationMs ?? context.parameters.durationMs ?? 0;
    if (durationMs > 0) await delay(durationMs, undefined, { signal: context.signal });
    if (payload.fail === 'permanent') throw new PermanentError('failed for good');
    if (payload.fail && attempt <= (payload.times ?? Infinity)) throw new Error('failed');
    return {};
  }

  async *selectItems({ count = 0 }: TrialFilters): AsyncGenerator<NewItem> {
    for (let n = 1; n <= count; n += 1) yield await Promise.resolve({ key: String(n) });
  }
}

export const COLLECTION = 'trials';

/** Writes a record for each item. */
@ItemHandler('trial-records', { parameters: TrialParameters, filters: TrialFilters })
class RecordsHandler extends TrialHandler {
  constructor(private readonly records: RecordStore) {
    super();
  }

  override async run(item: Item<Payload | undefined>, context: ItemContext<TrialParameters>): Promise<ItemResult> {
    await super.run(item, context);
    const place = { tenant: context.tenant, collection: COLLECTION };
    const record = { key: item.key, fields: { by: context.batchId } };
    if (context.conflictResolution !== 'skip') await this.records.upsert(place, [record], { onConflict: 'overwrite', batch: context });
    else if ((await this.records.insert(place, [record], context)).get(item.key) === 'exists') return { skipped: 'it is there' };
    return {};
  }
}

@ItemHandler('trial-slots', { parameters: TrialParameters, filters: TrialFilters, writesRecords: false })
class SlotsHandler extends TrialHandler {
  readonly slotsPerWorker = 2;
}

@Module({ imports: [StoresModule], providers: [RecordsHandler, SlotsHandler] })
class TrialModule {}

/** Kinds of operations, by what they read of a batch's options. */
export const KINDS = {
  'writes records': { operation: 'trial-records', external: undefined },
  'writes none': { operation: 'noop', external: undefined },
  'is worked one by one': { operation: 'trial-slots', external: undefined },
  'is worked outside': { operation: 'proofread', external: true },
} as const;
export type Kind = keyof typeof KINDS;
export const KIND_NAMES = Object.keys(KINDS) as Kind[];

/** A service that knows an operation of each kind. */
export function startTrialService(): Promise<TestService> {
  return startTestService({ CREATE_LIMIT_PER_MINUTE: '100000' }, { modules: [TrialModule] });
}

export type CreateAnswer = Answer<Partial<Problem> & { data?: BatchView }>;

/** Batches of one kind, made and watched over the native interface. */
export class OptionTrial {
  readonly api: Api;
  private readonly made: string[] = [];

  constructor(
    readonly service: TestService,
    readonly kind: Kind,
  ) {
    this.api = new Api(service.url);
  }

  get isExternal(): boolean {
    return KINDS[this.kind].external === true;
  }

  /** Items are `i0`, `i1` ... */
  async create(fields: object, payloads: Payload[] = [{}, {}, {}]): Promise<CreateAnswer> {
    const items = payloads.map((payload, n) => ({ key: `i${n}`, payload }));
    const answer: CreateAnswer = await this.api.post('/api/batches', { ...KINDS[this.kind], items, ...fields });
    if (answer.body.data) this.made.push(answer.body.data.id);
    return answer;
  }

  /** A batch that is under way. Outside, items that take no time are told of as their payloads say. @returns its id */
  async run(options: object, payloads: Payload[]): Promise<string> {
    const { status, body } = await this.create({ options }, payloads);
    if (status !== 201) throw new Error(`${status}: ${JSON.stringify(body)}`);
    const { id } = body.data!;
    for (const [n, { durationMs = 0, fail }] of this.isExternal ? payloads.entries() : []) {
      if (durationMs < LONG.durationMs!) await this.api.post(`/api/batches/${id}/results`, { key: `i${n}`, success: !fail });
    }
    return id;
  }

  async read<T>(id: string, part = ''): Promise<T> {
    return (await this.api.get<{ data: T }>(`/api/batches/${id}${part}`)).body.data;
  }

  until(id: string, wanted: (batch: BatchView) => boolean): Promise<BatchView> {
    return eventually(() => this.read<BatchView>(id), wanted);
  }

  ended(id: string): Promise<BatchView> {
    return this.until(id, ({ endedAt }) => endedAt !== null);
  }

  async outcomes(id: string): Promise<OutcomeView[]> {
    await this.ended(id);
    return this.read(id, '/results');
  }

  /** Waits until one of the batch's gates is this one. @returns until when it is shut */
  async shutBy(id: string, name: string): Promise<number> {
    const { gates } = await eventually(
      () => this.read<{ gates: { gate: string; until: string | null }[] }>(id, '/waiting'),
      (waiting) => waiting.gates.some(({ gate }) => gate === name),
    );
    return Date.parse(gates.find(({ gate }) => gate === name)!.until ?? '');
  }

  /** Waits for a notification of the kind. */
  async notified(id: string, kind: string): Promise<void> {
    await eventually(
      () => this.read<{ data: { notification: { kind: string } | null } }[]>(id, '/events'),
      (events) => events.some(({ data }) => data.notification?.kind === kind),
    );
  }

  /** Waits until the statement, of which `$1` is the batch's run, finds a row. */
  async finds(id: string, sql: string): Promise<void> {
    const { pool } = this.service.database;
    const { rows } = await pool.query<{ run_id: string }>('SELECT run_id FROM batch WHERE id = $1', [id]);
    await eventually(
      async () => (await pool.query(sql, [rows[0]!.run_id])).rowCount,
      (count) => count === 1,
    );
  }

  /** What it set going holds up no other. */
  async end(): Promise<void> {
    for (const id of this.made) await this.api.post(`/api/batches/${id}/cancel`);
    for (const id of this.made) await this.until(id, ({ stopping, endedAt }) => !stopping && endedAt !== null);
  }
}
