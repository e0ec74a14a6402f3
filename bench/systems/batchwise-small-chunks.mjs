import { batchwise } from './batchwise.mjs';

export default batchwise({
  title: 'Batchwise, one process, chunks of 50',
  roles: ['all'],
  options: { concurrency: 100, batchSize: 50 },
});
