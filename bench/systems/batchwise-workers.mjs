import { batchwise } from './batchwise.mjs';

export default batchwise({
  title: 'Batchwise, an api and two workers',
  roles: ['api', 'worker', 'worker'],
  options: { concurrency: 100 },
});
