import { LoopSlices } from '../../src/worker/loop-slices.js';
import { eventually } from '../support/eventually.js';

/** Takes a moment of the event loop. */
function spin(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

/** Counts how often the event loop goes round, until told to stop. */
function countRounds(): { now: number; stop: () => void } {
  const rounds = { now: 0, stop: () => clearImmediate(next) };
  const goRound = (): void => {
    rounds.now += 1;
    next = setImmediate(goRound);
  };
  let next = setImmediate(goRound);
  return rounds;
}

describe('lanes that share the event loop', () => {
  test('go on at once when nobody else did', () => {
    let done = false;
    new LoopSlices().enter(() => (done = true));
    expect(done).toBe(true);
  });

  test('go on in turn, and let all else in between', async () => {
    const slices = new LoopSlices();
    const rounds = countRounds();
    const done: { n: number; round: number }[] = [];
    for (let n = 0; n < 12; n += 1) {
      slices.enter(() => {
        spin(1);
        done.push({ n, round: rounds.now });
      });
    }
    expect(done.length).toBeLessThan(4);
    await eventually(
      () => done.length,
      (length) => length === 12,
    );
    rounds.stop();
    expect(done.map(({ n }) => n)).toEqual(done.map((_, index) => index));
    const inOneRound = done.map(({ round }) => done.filter((other) => other.round === round).length);
    expect(Math.max(...inOneRound)).toBeLessThan(4);
  });

  test('that ask again while they wait go on once', async () => {
    const slices = new LoopSlices();
    let times = 0;
    const goOn = (): void => void (times += 1);
    slices.enter(() => spin(5));
    slices.enter(goOn);
    slices.enter(goOn);
    expect(times).toBe(0);
    await eventually(
      () => times,
      (count) => count > 0,
    );
    await new Promise(setImmediate);
    expect(times).toBe(1);
  });

  test('that ask again while they go on come after those that wait', async () => {
    const slices = new LoopSlices();
    const order: string[] = [];
    let again = true;
    const greedy = (): void => {
      order.push('greedy');
      spin(3);
      if (again) slices.enter(greedy);
      again = false;
    };
    slices.enter(() => spin(5));
    slices.enter(greedy);
    slices.enter(() => order.push('patient'));
    await eventually(
      () => order.length,
      (length) => length === 3,
    );
    expect(order).toEqual(['greedy', 'patient', 'greedy']);
  });
});
