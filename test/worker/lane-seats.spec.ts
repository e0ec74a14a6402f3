import { LaneSeats, type Seat } from '../../src/worker/lane-seats.js';

const common = (tenant = 'noisy') => ({ tenant, express: false });
const express = (tenant = 'quiet') => ({ tenant, express: true });

/** Who was seated, in that order. */
function ask(seats: LaneSeats, seated: string[], name: string, request: { tenant: string; express: boolean }): Promise<Seat | undefined> {
  const asked = seats.take(request);
  void asked.then((seat) => seat && seated.push(name));
  return asked;
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a quarter of the seats is kept for express bells', async () => {
  const seats = new LaneSeats(8);
  const seated: string[] = [];
  expect(seats.common).toBe(6);
  for (let n = 0; n < 7; n += 1) void ask(seats, seated, `common ${n}`, common());
  await settled();
  expect(seated).toEqual(['common 0', 'common 1', 'common 2', 'common 3', 'common 4', 'common 5']);
  expect([seats.free, seats.hasWaiting]).toEqual([0, true]);
  void ask(seats, seated, 'express', express());
  await settled();
  expect(seated.at(-1)).toBe('express');
  expect(seats.busy).toBe(7);
});

test('one that is left goes to an express bell first, and to a common one only when a common one is free', async () => {
  const seats = new LaneSeats(4);
  const seated: string[] = [];
  const taken = await Promise.all([
    ask(seats, seated, 'a', common()),
    ask(seats, seated, 'b', common()),
    ask(seats, seated, 'c', common()),
  ]);
  const kept = await ask(seats, seated, 'd', express());
  void ask(seats, seated, 'late common', common());
  void ask(seats, seated, 'late express', express('other'));
  seats.leave(taken[0]!);
  await settled();
  expect(seated.at(-1)).toBe('late express');
  seats.leave(kept!);
  await settled();
  expect(seated.at(-1)).toBe('late express');
  seats.leave(taken[1]!);
  await settled();
  expect(seated.at(-1)).toBe('late common');
});

test('a tenant gets its part of the kept seats and no more while others could need them', async () => {
  const seats = new LaneSeats(16);
  for (let n = 0; n < 12; n += 1) await seats.take(common());
  expect(seats.isOverShare(express('noisy'))).toBe(false);
  const kept = await seats.take(express('noisy'));
  expect(seats.isOverShare(express('noisy'))).toBe(true);
  expect(seats.isOverShare(common('noisy'))).toBe(false);
  expect(seats.isOverShare(express('quiet'))).toBe(false);
  seats.leave(kept!);
  expect(seats.isOverShare(express('noisy'))).toBe(false);
});

test('a tenant is below its share when it has fewer seats than the others on average; alone it never is', async () => {
  const seats = new LaneSeats(8);
  for (let n = 0; n < 6; n += 1) await seats.take(common('noisy'));
  expect(seats.isBelowShare('noisy')).toBe(false);
  expect(seats.isBelowShare('quiet')).toBe(true);
  const seat = await seats.take(express('quiet'));
  expect([seats.isBelowShare('noisy'), seats.isBelowShare('quiet')]).toEqual([false, true]);
  seats.leave(seat!);
  expect(seats.isBelowShare('noisy')).toBe(false);
});

test('with few seats none is kept', () => {
  expect([1, 2, 3, 4].map((total) => new LaneSeats(total).common)).toEqual([1, 2, 3, 3]);
});

test('once it is closed nobody is seated, and those who wait are sent away', async () => {
  const seats = new LaneSeats(1);
  await seats.take(common());
  const waiting = seats.take(common());
  seats.close();
  expect(await waiting).toBeUndefined();
  expect(await seats.take(express())).toBeUndefined();
  expect(seats.takeFree('any')).toBeUndefined();
  expect(seats.free).toBe(0);
});
