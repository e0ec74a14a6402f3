import type { Type } from '@nestjs/common';
import { initTRPC } from '@trpc/server';
import { AddItems } from '../batches/commands/add-items.command.js';
import { itemsFromArray } from '../batches/item-source.js';
import { invalidField } from '../common/app-error.js';
import { checkInput } from '../common/check-input.js';
import type { Caller, InputOf, Procedure } from '../common/procedure.js';
import type { RpcContext } from './rpc-context.js';
import { toRpcErrorShape } from './rpc-error.js';
import { WatchBatchRequest, watchBatch } from './watch-batch.js';

const PING_MS = 5_000;

/** What a procedure's input is checked against, for those who walk through the router. */
export interface RpcMeta {
  input: Type;
}

const t = initTRPC
  .context<RpcContext>()
  .meta<RpcMeta>()
  .create({
    // In development tRPC would send stacks.
    isDev: false,
    errorFormatter: ({ error, path }) => toRpcErrorShape(error, path),
    // A client that hears nothing of two pings opens the stream again.
    sse: { ping: { enabled: true, intervalMs: PING_MS }, client: { reconnectAfterInactivityMs: 3 * PING_MS } },
  });

export const { router } = t;

/** A procedure's fields as a client gives them: streams are for callers in the same process. May be left out where no field is needed. */
type RpcInput<P> = Omit<InputOf<P>, 'source'> extends infer Fields ? (Partial<Fields> extends Fields ? Fields | void : Fields) : never;

/** Types the input only: it is checked by its procedure's class, as for every other interface. */
function inputOf<P>(input: unknown): RpcInput<P> {
  if (typeof input === 'object' && input !== null && 'source' in input) {
    throw invalidField('source', 'is a stream, for callers in the same process; give the list itself', 'unrecognized_keys');
  }
  return (input ?? {}) as RpcInput<P>;
}

export const query = <P extends Procedure>(type: Type<P>) =>
  t.procedure
    .meta({ input: type })
    .input(inputOf<P>)
    .query(({ ctx, input }) => ctx.procedures.call(type, input as InputOf<P>, ctx.caller));

export const mutation = <P extends Procedure>(type: Type<P>) =>
  t.procedure
    .meta({ input: type })
    .input(inputOf<P>)
    .mutation(({ ctx, input }) => ctx.procedures.call(type, input as InputOf<P>, ctx.caller));

/** A mutation that sets something going: carried out once for the same `Idempotency-Key`. */
export const onceMutation = <P extends Procedure>(type: Type<P>) =>
  t.procedure
    .meta({ input: type })
    .input(inputOf<P>)
    .mutation(({ ctx, input, path }) => once(ctx, [path, input], (caller) => ctx.procedures.call(type, input as InputOf<P>, caller)));

/** A mutation that makes a batch: one of so many that a tenant may make in a minute, and once for the same `Idempotency-Key`. */
export const creation = <P extends Procedure>(type: Type<P>) =>
  t.procedure
    .meta({ input: type })
    .input(inputOf<P>)
    .mutation(({ ctx, input, path }) =>
      once(ctx, [path, input], async (caller) => {
        await ctx.creations.spend(caller);
        return ctx.procedures.call(type, input as InputOf<P>, caller);
      }),
    );

async function once<Output>(ctx: RpcContext, call: unknown[], work: (caller: Caller) => Promise<Output>): Promise<Output> {
  const { caller, idempotencyKey: key } = ctx;
  if (key === undefined) return work(caller);
  const { answer, replayed } = await ctx.idempotency.once({ caller, key, fingerprint: ['trpc', ...call] }, work);
  ctx.replayed = replayed;
  return answer;
}

type ListedItems = Omit<InputOf<AddItems>, 'source'> & { items: unknown[] };

/** AddItems takes a stream; a client of this interface gives a list. */
export const additionOfItems = t.procedure
  .meta({ input: AddItems })
  .input((input: unknown) => inputOf<AddItems>(input) as ListedItems)
  .mutation(({ ctx, input, path }) => {
    const { items, ...others } = input;
    if (!Array.isArray(items)) throw invalidField('items', 'must be a list', 'invalid_type');
    const added = { ...others, source: itemsFromArray(items) };
    return once(ctx, [path, input], (caller) => ctx.procedures.call(AddItems, added, caller));
  });

/** A batch's events: those of its log after `lastEventId`, then each as it happens. */
export const subscription = t.procedure
  .meta({ input: WatchBatchRequest })
  .input((input: unknown) => input as WatchBatchRequest)
  .subscription(({ ctx, input, signal }) => {
    const request = checkInput(WatchBatchRequest, input);
    ctx.countSubscription();
    return watchBatch(request, ctx, signal);
  });
