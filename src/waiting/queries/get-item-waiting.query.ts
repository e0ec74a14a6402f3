import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsInt, IsOptional, IsString, Max, MaxLength, Min, MinLength } from 'class-validator';
import type { ItemView } from '../../batches/item.view.js';
import { ListItems } from '../../batches/queries/list-items.query.js';
import { findItem } from '../../batches/store/find-item.js';
import { placeOfItem } from '../../batches/store/place-of-item.js';
import { selectBatch, selectRunIds } from '../../batches/store/lock-batch.js';
import type { BatchRow } from '../../batches/store/select-batches.js';
import { openBreakers } from '../../breakers/store/open-breakers.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { Config } from '../../config.js';
import { Database } from '../../database/sql.js';
import { type Explanation, explainWaiting, opensAt } from '../explain-waiting.js';
import { itemsBeforeGate, retryGates } from '../gates.js';
import { countOpenBefore, selectLaterRetryOfItem } from '../store/select-facts.js';
import { type Gate, ItemWaiting } from '../waiting.view.js';

/** The most that one page of items holds. */
const PAGE = 1_000;

/** Why one item waits, and when it may start. It is named by `key` or by `seq`. */
export class GetItemWaiting extends Query<ItemWaiting> {
  @IsString() batchId: string;
  @IsOptional() @IsString() @MinLength(1) @MaxLength(512) key?: string;
  /** Its position. */
  @IsOptional() @IsInt() @Min(0) @Max(2_000_000_000) seq?: number;

  caller: Caller;
}

@QueryHandler(GetItemWaiting)
export class GetItemWaitingHandler implements IQueryHandler<GetItemWaiting> {
  constructor(
    private readonly database: Database,
    private readonly config: Config,
    private readonly procedures: Procedures,
  ) {}

  async execute({ batchId, key, seq, caller }: GetItemWaiting): Promise<ItemWaiting> {
    const { pool } = this.database;
    const batch = await selectBatch(pool, caller.tenant, batchId);
    const [firstRunId] = await selectRunIds(pool, batch);
    const found = await findItem(pool, batchId, firstRunId!, { key, seq });
    const place = await placeOfItem(pool, firstRunId!, found.seq);
    const before = await countOpenBefore(pool, firstRunId!, batch.run_id, found.seq);
    const item = await this.itemAt(place, found.seq, batchId, caller);
    const { status, attempts } = item;
    const known = { seq: item.seq, key: item.key, status, attempts };
    if (status !== 'pending' && status !== 'retrying') return { ...known, gates: [], canMoveAt: null };
    const explanation = await explainWaiting(pool, this.config, batch);
    const gates = [...explanation.all, ...(await this.gatesOf(item, batch, explanation, before))];
    return { ...known, gates, canMoveAt: opensAt(gates, explanation.facts?.now ?? new Date()) };
  }

  /** Which items of a lane run and which still wait is counted from those before them; a page of large ones may end before this one. */
  private async itemAt(place: number, seq: number, batchId: string, caller: Caller): Promise<ItemView> {
    const offset = Math.max(0, place - (PAGE - 1));
    const { rows } = await this.procedures.call(ListItems, { batchId, offset, limit: place - offset + 1 }, caller);
    const found = rows.find((row) => row.seq === seq);
    return found ?? (await this.procedures.call(ListItems, { batchId, offset: place, limit: 1 }, caller)).rows[0]!;
  }

  /** Beside those of the whole batch. */
  private async gatesOf(item: ItemView, batch: BatchRow, explanation: Explanation, before: number): Promise<Gate[]> {
    if (!explanation.facts) return [];
    if (item.status === 'pending') return [...canaryOf(item, explanation), ...itemsBeforeGate(before)];
    const { pool } = this.database;
    return retryGates(await selectLaterRetryOfItem(pool, batch.run_id, item.seq), await openBreakers(pool, batch.tenant));
  }
}

function canaryOf({ seq }: ItemView, { facts, some }: Explanation): Gate[] {
  const { gate } = facts!;
  return gate !== null && seq >= gate ? some.filter((each) => each.gate === 'canary') : [];
}
