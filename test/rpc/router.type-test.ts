// Compiled by `npm run typecheck`, never run: what a client may write, and what it gets. Only the router's type is imported.
import { createTRPCClient, httpBatchLink } from '@trpc/client';
import type { inferRouterInputs, inferRouterOutputs } from '@trpc/server';
import type { AppRouter } from '../../src/rpc/router.js';

type Inputs = inferRouterInputs<AppRouter>;
type Outputs = inferRouterOutputs<AppRouter>;

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <Claim extends true>(): Claim | undefined => undefined;

const trpc = createTRPCClient<AppRouter>({ links: [httpBatchLink({ url: 'http://localhost:3000/trpc' })] });

export async function rightCalls(): Promise<void> {
  const batch = await trpc.batch.create.mutate({ operation: 'noop', items: ['a'], options: { priority: 'high', timeout: 5 } });
  const id: string = batch.id;
  const status: 'pending' | 'running' | 'paused' | 'completed' | 'failed' | 'cancelled' | 'timed_out' = batch.status;
  const page = await trpc.batch.list.query({ status: ['running'], limit: 5 });
  const total: number = page.rows[0]!.counts.total + page.total;
  // No field is needed: the input may be left out.
  await trpc.batch.list.query();
  await trpc.batch.stats.query();
  await trpc.batch.addItems.mutate({ batchId: id, items: [{ key: 'b' }], onInvalid: 'skip', seal: true });
  await trpc.batch.recordResult.mutate({ batchId: id, key: 'a', success: true, output: { any: ['json'] } });
  const receipt = await trpc.records.import.mutate({ collection: 'letters', rows: [{ text: 'hello' }] });
  const { key } = await trpc.records.get.query({ collection: 'letters', key: receipt.batch.id });
  trpc.batch.onEvent.subscribe(
    { batchId: id, lastEventId: 3, follow: true },
    { onData: ({ id: seq, data }) => use(seq, data.type, data.data.counts.succeeded) },
  );
  use(status, total, key);
}

export async function wrongCalls(): Promise<void> {
  // @ts-expect-error the operation is missing
  await trpc.batch.create.mutate({ items: ['a'] });
  // @ts-expect-error a batch has no such field
  await trpc.batch.create.mutate({ operation: 'noop', item: ['a'] });
  // @ts-expect-error a number is no name of an operation
  await trpc.batch.create.mutate({ operation: 5 });
  // @ts-expect-error there is no such priority
  await trpc.batch.create.mutate({ operation: 'noop', options: { priority: 'urgent' } });
  // @ts-expect-error who calls is told by the credentials
  await trpc.batch.create.mutate({ operation: 'noop', caller: { tenant: 'other' } });
  // @ts-expect-error streams are for callers in the same process
  await trpc.batch.create.mutate({ operation: 'noop', source: [] });
  // @ts-expect-error the same
  await trpc.records.import.mutate({ collection: 'letters', source: [] });
  // @ts-expect-error the items are missing
  await trpc.batch.addItems.mutate({ batchId: 'x' });
  // @ts-expect-error the batch is missing
  await trpc.batch.get.query({});
  // @ts-expect-error the input is missing
  await trpc.batch.get.query();
  // @ts-expect-error there is no such status
  await trpc.batch.list.query({ status: ['stopping'] });
  // @ts-expect-error there is no such procedure
  await trpc.batch.destroy.mutate({ batchId: 'x' });
  // @ts-expect-error a query does not change anything
  await trpc.batch.get.mutate({ batchId: 'x' });
  // @ts-expect-error a view has no such field
  use((await trpc.batch.get.query({ batchId: 'x' })).percent);
  // @ts-expect-error the batch is missing
  trpc.batch.onEvent.subscribe({}, {});
}

// Nothing of it is any.
holds<Equal<Inputs['batch']['get'], { batchId: string }>>();
holds<Equal<Outputs['batch']['get']['progress'], number>>();
holds<Equal<Outputs['batch']['create']['startedAt'], string | null>>();
holds<Equal<Outputs['batch']['cleanUp'], { deleted: number }>>();
holds<Equal<Outputs['batch']['stats']['byStatus']['timed_out'], number>>();
holds<Equal<Outputs['batch']['events'][number]['data']['counts']['cancelled'], number>>();
holds<Equal<Outputs['records']['list']['nextKey'], string | null>>();

function use(...values: unknown[]): void {
  if (values.length === 0) throw new Error('nothing is used');
}
