// The service as its clients know it: items go in as NDJSON over HTTP, its event on Socket.IO tells that all of their outcomes are stored.
import pg from 'pg';
import { ask, submit, watchEnds } from '../support/client.mjs';

export default batchwise({ title: 'Batchwise, one process', roles: ['all'], options: { concurrency: 100 } });

/** @param roles of its processes */
export function batchwise({ title, roles, options }) {
  return {
    title,
    stores: 'a row an item, events, counts, statistics',
    packages: ['bull', 'ioredis', 'pg', '@nestjs/core', 'fastify', 'socket.io'],
    roles,

    async start({ url, postgres, fail }) {
      const client = new pg.Client(postgres.url);
      const [ends] = await Promise.all([watchEnds(url), client.connect()]);
      return {
        async work(items) {
          const id = await submit(url, { items, options });
          await ends.ended(id);
          const { counts } = await ask(url, 'GET', `/api/batches/${id}`);
          if (counts.succeeded !== items) fail(new Error(`${counts.succeeded} of ${items} succeeded`));
        },
        recorded: async () => (await client.query('SELECT count(*)::int FROM outcome')).rows[0].count,
      };
    },
  };
}
