import { Module, type Type } from '@nestjs/common';
import { IsInt, IsOptional, IsString, Min } from 'class-validator';
import type { BatchOptionsInput } from '../../src/batches/batch.options.js';
import type { BatchView } from '../../src/batches/batch.view.js';
import type { ItemView, OutcomeView } from '../../src/batches/item.view.js';
import { CreateBatch } from '../../src/batches/commands/create-batch.command.js';
import type { BatchEventRecord } from '../../src/batches/events/batch.events.js';
import { GetBatch } from '../../src/batches/queries/get-batch.query.js';
import { ListEvents } from '../../src/batches/queries/list-events.query.js';
import { ListItems } from '../../src/batches/queries/list-items.query.js';
import { ListOutcomes } from '../../src/batches/queries/list-outcomes.query.js';
import { type Caller, type InputOf, type OutputOf, type Procedure, Procedures } from '../../src/common/procedure.js';
import {
  type ChunkContext,
  type CompensationContext,
  type Item,
  type ItemContext,
  ItemHandler,
  type ItemHandlerClass,
  type ItemOutcome,
  type ItemResult,
  type NewItem,
} from '../../src/operations/item-handler.js';
import { eventually } from './eventually.js';
import { startTestService, type TestService } from './service.js';

/** The payload as the tests that look into it give it. */
type Payload = { n: number };

export type ItemScript = (item: Item<Payload>, context: ItemContext<ScriptParameters>) => Promise<ItemResult | void> | ItemResult | void;
export type UndoScript = (compensation: unknown, context: CompensationContext<ScriptParameters>) => Promise<void> | void;
export type ChunkScript = (items: Item<Payload>[], context: ChunkContext<ScriptParameters>) => Promise<ItemOutcome[]>;

const itemScripts = new Map<string, ItemScript>();
const undoScripts = new Map<string, UndoScript>();
const chunkScripts = new Map<string, ChunkScript>();

class ScriptParameters {
  @IsString() script: string;
}

class ScriptFilters {
  @IsOptional() @IsInt() @Min(0) count?: number;
  /** Breaks off after so many items. */
  @IsOptional() @IsInt() breaksAfter?: number;
  @IsOptional() @IsString() key?: string;
}

/** Does with each item what the test says. */
@ItemHandler('scripted', { parameters: ScriptParameters, filters: ScriptFilters })
class ScriptedItemHandler implements ItemHandlerClass<Payload, ScriptParameters, ScriptFilters> {
  run(item: Item<Payload>, context: ItemContext<ScriptParameters>): Promise<ItemResult | void> {
    return itemScripts.get(context.parameters.script)!(item, context) as Promise<ItemResult | void>;
  }

  async *selectItems(filters: ScriptFilters): AsyncGenerator<NewItem> {
    for (let n = 1; n <= (filters.count ?? 3); n += 1) {
      if (n === filters.breaksAfter) throw new Error('the source broke');
      yield { key: filters.key ?? `item-${n}`, payload: { n } };
      await Promise.resolve();
    }
  }
}

@ItemHandler('scripted-chunks', { parameters: ScriptParameters })
class ScriptedChunkHandler implements ItemHandlerClass<Payload, ScriptParameters> {
  runChunk(items: Item<Payload>[], context: ChunkContext<ScriptParameters>): Promise<ItemOutcome[]> {
    return chunkScripts.get(context.parameters.script)!(items, context);
  }
}

/** What its items do can be undone. */
@ItemHandler('scripted-undoable', { parameters: ScriptParameters })
class ScriptedUndoableHandler extends ScriptedItemHandler {
  async compensate(compensation: unknown, context: CompensationContext<ScriptParameters>): Promise<void> {
    await undoScripts.get(context.parameters.script)!(compensation, context);
  }
}

/** At most three at the same time in one worker. */
@ItemHandler('scripted-slots', { parameters: ScriptParameters })
class ScriptedSlotsHandler extends ScriptedItemHandler {
  readonly slotsPerWorker: number = 3;
}

@ItemHandler('scripted-slot', { parameters: ScriptParameters })
class ScriptedSlotHandler extends ScriptedItemHandler {
  readonly slotsPerWorker: number = 1;
}

class CheckedPayload {
  @IsInt() @Min(1) size: number;
}

@ItemHandler('checked', { payload: CheckedPayload, concurrency: 7 })
class CheckedItemHandler implements ItemHandlerClass<CheckedPayload> {
  async run(item: Item<CheckedPayload>): Promise<ItemResult> {
    return { output: { size: item.payload.size } };
  }
}

@Module({
  providers: [
    ScriptedItemHandler,
    ScriptedUndoableHandler,
    ScriptedChunkHandler,
    ScriptedSlotsHandler,
    ScriptedSlotHandler,
    CheckedItemHandler,
  ],
})
class ScriptedModule {}

export const TERMINAL = ['completed', 'failed', 'cancelled', 'timed_out'];

/** Retries at once: for tests that are not about waiting. */
export const FAST_RETRY: BatchOptionsInput = { retryDelay: 0, retryJitter: false };

type CreateInput = Partial<InputOf<CreateBatch>>;

/** A service whose item handlers do what a test says, and the procedures to drive it. */
export class Engine {
  private constructor(readonly service: TestService) {}

  /** @param modules with more item handlers */
  static async start(env: Record<string, string> = {}, modules: Type[] = []): Promise<Engine> {
    return new Engine(await startTestService(env, { modules: [ScriptedModule, ...modules] }));
  }

  get database(): TestService['database'] {
    return this.service.database;
  }

  call<P extends Procedure>(type: Type<P>, input: InputOf<P>, caller: Caller = { tenant: 'acme' }): Promise<OutputOf<P>> {
    return this.service.app.get(Procedures).call(type, input, caller);
  }

  create(input: CreateInput, caller?: Caller): Promise<BatchView> {
    return this.call(CreateBatch, { operation: 'noop', ...input }, caller);
  }

  /** A batch whose items are worked by the script. */
  run(script: ItemScript, input: CreateInput = {}, caller?: Caller): Promise<BatchView> {
    const name = `script-${itemScripts.size}`;
    itemScripts.set(name, script);
    return this.create({ operation: 'scripted', parameters: { script: name }, ...input }, caller);
  }

  /** A batch whose items are worked by one script and undone by the other. */
  runUndoable(script: ItemScript, undo: UndoScript, input: CreateInput = {}, caller?: Caller): Promise<BatchView> {
    undoScripts.set(`script-${itemScripts.size}`, undo);
    return this.run(script, { operation: 'scripted-undoable', ...input }, caller);
  }

  runChunks(script: ChunkScript, input: CreateInput = {}): Promise<BatchView> {
    const name = `script-${chunkScripts.size}`;
    chunkScripts.set(name, script);
    return this.create({ operation: 'scripted-chunks', parameters: { script: name }, ...input });
  }

  get(batchId: string): Promise<BatchView> {
    return this.call(GetBatch, { batchId });
  }

  ended({ id }: { id: string }, withinMs?: number): Promise<BatchView> {
    return eventually(
      () => this.get(id),
      (batch) => TERMINAL.includes(batch.status) && !batch.stopping,
      withinMs,
    );
  }

  async outcomes({ id }: { id: string }): Promise<OutcomeView[]> {
    return (await this.call(ListOutcomes, { batchId: id, limit: 10_000 })).rows;
  }

  async items({ id }: { id: string }): Promise<ItemView[]> {
    return (await this.call(ListItems, { batchId: id, limit: 1_000 })).rows;
  }

  events({ id }: { id: string }): Promise<BatchEventRecord[]> {
    return this.call(ListEvents, { batchId: id, limit: 1_000 });
  }

  async sql<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.database.pool.query<Row>(text, values)).rows;
  }

  /** Rows of every table, to see that a refusal left nothing behind. */
  async rowCounts(): Promise<Record<string, number>> {
    const tables = ['batch', 'run', 'lane', 'chunk', 'chunk_items', 'outcome', 'retry', 'external_result', 'batch_event', 'rate_bucket'];
    const parts = tables.map((table) => `(SELECT count(*)::int FROM ${table}) AS ${table}`);
    return (await this.sql<Record<string, number>>(`SELECT ${parts.join(', ')}`))[0]!;
  }

  close(): Promise<void> {
    return this.service.close();
  }
}

/** Keys "1" to "n". */
export const keys = (n: number): string[] => Array.from({ length: n }, (_, index) => String(index + 1));
