import type { Socket } from 'node:net';
import type { Pool, PoolClient } from 'pg';

const LOOK_MS = 1_000;
/** Most statements take milliseconds. With the time for the question and for the next look a cut connection is gone after 8 seconds. */
const SILENCE_MS = 4_000;

const SELECT_WORKING = {
  name: 'select-working-backends',
  text: `SELECT pid FROM pg_stat_activity WHERE pid = ANY ($1::int[]) AND state NOT LIKE 'idle%'`,
};

const backends = new WeakMap<PoolClient, number>();

/** For the pool's `onConnect`. A pooler in between tells a process id of its own at the connection's start, so the server itself is asked. */
export async function learnBackend(client: PoolClient): Promise<void> {
  // A connection that PostgreSQL ends in the moment it is handed out has no other listener yet, and an error without one ends the process.
  client.on('error', () => undefined);
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  backends.set(client, rows[0]!.pid);
}

interface Heard {
  /** Received on the connection altogether. */
  bytes: number;
  /** performance.now() when that was seen to change, or when nothing was waited for. */
  at: number;
}

/**
 * Cuts connections that lead nowhere any more, as after a failover or in a firewall that forgot them: no error ever comes, and a pool is
 * soon full of them. PostgreSQL says nothing while it works, and a statement may take minutes, so silence proves nothing: the server is
 * asked on another connection whether it works for the silent one.
 */
export class SilentConnections {
  private readonly inUse = new Map<PoolClient, Heard>();
  private readonly timer: NodeJS.Timeout;
  private asking = false;

  constructor(
    pool: Pool,
    private readonly question: Pool,
  ) {
    pool.on('acquire', (client) => this.inUse.set(client, { bytes: socketOf(client).bytesRead, at: performance.now() }));
    pool.on('release', (_error, client) => this.inUse.delete(client));
    pool.on('remove', (client) => this.inUse.delete(client));
    this.timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    const silent = this.silent();
    if (silent.length === 0 || this.asking) return;
    this.asking = true;
    const working = await this.working(silent);
    this.asking = false;
    for (const client of silent) {
      if (working.has(backends.get(client)) || !this.isSilent(client)) continue;
      socketOf(client).destroy(new Error('Connection terminated: the server does not answer on it'));
    }
  }

  private silent(): PoolClient[] {
    const now = performance.now();
    for (const [client, heard] of this.inUse) {
      const bytes = socketOf(client).bytesRead;
      if (bytes !== heard.bytes || isReady(client)) Object.assign(heard, { bytes, at: now });
    }
    return [...this.inUse.keys()].filter((client) => this.isSilent(client));
  }

  private isSilent(client: PoolClient): boolean {
    const heard = this.inUse.get(client);
    return heard !== undefined && heard.bytes === socketOf(client).bytesRead && performance.now() - heard.at > SILENCE_MS;
  }

  /** A server that does not answer this question either works for nobody. */
  private async working(clients: PoolClient[]): Promise<Set<number | undefined>> {
    try {
      const values = [clients.map((client) => backends.get(client))];
      const { rows } = await this.question.query<{ pid: number }>({ ...SELECT_WORKING, values });
      return new Set(rows.map(({ pid }) => pid));
    } catch {
      return new Set();
    }
  }
}

function socketOf(client: PoolClient): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream;
}

/** Waits for no answer. */
function isReady(client: PoolClient): boolean {
  return (client as unknown as { readyForQuery: boolean | null }).readyForQuery === true;
}
