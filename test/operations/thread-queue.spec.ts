import { ThreadQueue } from '../../src/threads/thread-queue.js';

const never = new AbortController().signal;
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a batch’s limit of memory is that of the item that came last, so that a change holds for what waits already', async () => {
  const queue = new ThreadQueue(8);
  const entered: string[] = [];
  const enter = (name: string, maxMemoryMb?: number) =>
    void queue.enter({ batchId: 'b', memoryMb: 100, maxMemoryMb }, never).then(() => entered.push(name));
  enter('first', 100);
  enter('second', 100);
  await settled();
  expect(entered).toEqual(['first']);
  enter('third', 300);
  await settled();
  expect(entered).toEqual(['first', 'second', 'third']);
});

test('a batch that owes processor time goes on at once when its limit is taken away', async () => {
  const queue = new ThreadQueue(8);
  const place = await queue.enter({ batchId: 'b', memoryMb: 1, maxCpuPercent: 1 }, never);
  place.charge(60_000);
  place.leave();
  const entered: string[] = [];
  void queue.enter({ batchId: 'b', memoryMb: 1, maxCpuPercent: 1 }, never).then(() => entered.push('limited'));
  await settled();
  expect(entered).toEqual([]);
  void queue.enter({ batchId: 'b', memoryMb: 1 }, never).then(() => entered.push('free'));
  await settled();
  expect(entered).toEqual(['limited', 'free']);
});
