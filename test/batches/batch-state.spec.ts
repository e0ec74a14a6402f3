import fc from 'fast-check';
import { assertMove, isTerminal, mayMove, RUN_STATUSES, type RunMove, type RunStatus } from '../../src/batches/batch.state.js';

/** The whole table, written out: what each move is allowed from. */
const TABLE: Record<RunMove, RunStatus[]> = {
  start: ['pending'],
  pause: ['running'],
  resume: ['paused'],
  cancel: ['pending', 'running', 'paused'],
  seal: ['pending', 'running', 'paused'],
  delete: ['pending', 'completed', 'failed', 'cancelled', 'timed_out'],
  'add items to': ['pending', 'running', 'paused'],
  'record results of': ['pending', 'running', 'paused'],
  'change settings of': ['pending', 'running', 'paused'],
  'retry items of': ['completed', 'failed', 'cancelled', 'timed_out'],
  'edit items of': ['completed', 'failed', 'cancelled', 'timed_out'],
};
const MOVES = Object.keys(TABLE) as RunMove[];
/** Where a move leads; those that are not here leave the state as it is. */
const LEADS_TO: Partial<Record<RunMove, RunStatus>> = { start: 'running', pause: 'paused', resume: 'running', cancel: 'stopping' };
const EVERY = MOVES.flatMap((move) => RUN_STATUSES.map((status) => [move, status] as const));

test.each(EVERY)('you can %s a batch that is %s only as the table says', (move, status) => {
  const allowed = TABLE[move].includes(status);
  expect(mayMove(move, status)).toBe(allowed);
  if (allowed) {
    expect(() => assertMove(move, status, 'b1')).not.toThrow();
    return;
  }
  const refusal = { code: 'CONFLICT', message: `batch b1 is ${status}; you can ${move} only a batch that is ${TABLE[move].join(' or ')}` };
  expect(() => assertMove(move, status, 'b1')).toThrow(expect.objectContaining(refusal));
});

test('four states are terminal', () => {
  expect(RUN_STATUSES.filter(isTerminal)).toEqual(['completed', 'failed', 'cancelled', 'timed_out']);
});

test('no walk leaves a terminal state, and a refused move changes nothing', () => {
  const step = (status: RunStatus, move: RunMove): RunStatus => (mayMove(move, status) ? (LEADS_TO[move] ?? status) : status);
  fc.assert(
    fc.property(fc.constantFrom(...RUN_STATUSES), fc.array(fc.constantFrom(...MOVES), { maxLength: 30 }), (start, walk) => {
      let status: RunStatus = start;
      for (const move of walk) {
        const next = step(status, move);
        if (isTerminal(status) || status === 'stopping') expect(next).toBe(status);
        if (!TABLE[move].includes(status)) expect(next).toBe(status);
        status = next;
      }
    }),
    { numRuns: 5_000 },
  );
});
