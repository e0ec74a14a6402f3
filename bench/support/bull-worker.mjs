// A worker of Bull in a process of its own: a job writes one row, which is on disk before the job is completed, and does nothing else.
import Queue from 'bull';
import pg from 'pg';

const [, , redisUrl, postgresUrl] = process.argv;
const queue = new Queue('one-row', redisUrl);
const client = new pg.Client(postgresUrl);
await client.connect();
await client.query('CREATE TABLE bull_row (job text PRIMARY KEY, data json NOT NULL)');
queue.on('completed', ({ id }) => process.send(id));
await queue.isReady();
void queue.process(1, ({ id, data }) =>
  client.query({ name: 'insert', text: 'INSERT INTO bull_row VALUES ($1, $2)', values: [id, data] }).then(() => undefined),
);
process.send('ready');
process.once('disconnect', () => process.exit());
