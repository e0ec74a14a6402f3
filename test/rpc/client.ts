import { createTRPCClient, httpBatchLink, httpSubscriptionLink, splitLink, type TRPCClientError } from '@trpc/client';
import { EventSource } from 'eventsource';
import type { AppRouter } from '../../src/rpc/router.js';

export type RpcClient = ReturnType<typeof createRpcClient>;

/** A client as anybody writes it: of the service it knows only the router's type. */
export function createRpcClient(url: string, headers: Record<string, string> = {}, connectionParams?: Record<string, string>) {
  return createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: ({ type }) => type === 'subscription',
        true: httpSubscriptionLink({ url: `${url}/trpc`, EventSource, connectionParams }),
        false: httpBatchLink({ url: `${url}/trpc`, headers }),
      }),
    ],
  });
}

/** What a call was refused with. */
export async function refusalOf(call: Promise<unknown>): Promise<TRPCClientError<AppRouter>> {
  const answer = await call.then(
    (value) => new Error(`was not refused, but answered ${JSON.stringify(value)}`),
    (error: unknown) => error as Error,
  );
  if (!('shape' in answer)) throw answer;
  return answer as TRPCClientError<AppRouter>;
}
