// Looks for new results again and again, to see when each can be read for the first time.
import { setTimeout as delay } from 'node:timers/promises';

/** Of each run from the first item on of which nothing is known yet. Items are called by their position; an output is the time of its item's start. */
const NEW_RESULTS = {
  name: 'new-results',
  text: `
    SELECT r.id, o.seq, o.output::text::float8, o.duration_ms FROM unnest($1::bigint[], $2::int[]) AS r (id, from_seq)
    CROSS JOIN LATERAL (SELECT seq, output, duration_ms FROM outcome WHERE run_id = r.id AND seq >= r.from_seq OFFSET 0) o`,
  rowMode: 'array',
};

export class ResultReader {
  /** What was seen: `{ startedAt, durationMs, seenAt }`, times in milliseconds. */
  results = [];
  #runs;

  /** @param runIds of the batches that are watched */
  constructor(database, runIds) {
    this.database = database;
    this.#runs = new Map(runIds.map((id) => [id, { from: 0, seen: new Set() }]));
  }

  /** Resolves when so many results have been seen. */
  async readAll(count, everyMs) {
    for (;;) {
      const next = delay(everyMs);
      await this.#look();
      if (this.results.length >= count) return;
      await next;
    }
  }

  async #look() {
    const froms = [...this.#runs.values()].map(({ from }) => from);
    const { rows } = await this.database.query({ ...NEW_RESULTS, values: [[...this.#runs.keys()], froms] });
    const seenAt = Date.now();
    for (const [runId, seq, startedAt, durationMs] of rows) this.#note(runId, seq, { startedAt, durationMs, seenAt });
    for (const run of this.#runs.values()) while (run.seen.delete(run.from)) run.from += 1;
  }

  #note(runId, seq, result) {
    const { seen } = this.#runs.get(runId);
    if (seen.has(seq)) return;
    seen.add(seq);
    this.results.push(result);
  }
}
