import type { Pool, PoolClient } from 'pg';

export interface Recorded {
  /** Of a statement without a name: the call that it was a part of. */
  name: string;
  /** PostgreSQL keeps the plan of a named statement. */
  isNamed: boolean;
  text: string;
  values: unknown[];
}

type Query = string | { name?: string; text: string; values?: unknown[] };

/** Writes down what passes through a pool's connections on its way to PostgreSQL. */
export class Recorder {
  private recorded: Recorded[] = [];
  private call = '';
  private readonly known = new WeakSet<PoolClient>();

  constructor(pool: Pool) {
    pool.on('acquire', (client) => this.listenTo(client));
  }

  /** @param call what statements without a name are called by */
  async during(call: string, work: () => Promise<unknown>): Promise<void> {
    const before = this.call;
    this.call = call;
    await work();
    this.call = before;
  }

  /** What was recorded since the last time. */
  take(): Recorded[] {
    const taken = this.recorded;
    this.recorded = [];
    return taken;
  }

  private listenTo(client: PoolClient): void {
    if (this.known.has(client)) return;
    this.known.add(client);
    const query = client.query.bind(client) as (...given: unknown[]) => unknown;
    const noted = (...given: [Query, ...unknown[]]): unknown => {
      this.note(...given);
      return query(...given);
    };
    Object.assign(client, { query: noted });
  }

  private note(query: Query, second?: unknown): void {
    const { name, text, values } = typeof query === 'string' ? { name: undefined, text: query, values: undefined } : query;
    const given = values ?? (Array.isArray(second) ? (second as unknown[]) : []);
    this.recorded.push({ name: name ?? this.call, isNamed: name !== undefined, text, values: given });
  }
}
