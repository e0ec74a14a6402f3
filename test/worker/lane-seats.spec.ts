import type { Bell } from '../../src/queue/lane-queue.js';
import { LaneSeats, type Seat } from '../../src/worker/lane-seats.js';

const PERCENT = 75;
const bell = (tenant: string, more: Partial<Bell> = {}): Bell => ({ runId: tenant, tenant, rank: 3, express: false, ...more });

/** Seats, who holds them, and who was seated after having waited, in that order. */
class Hall {
  readonly seated: string[] = [];
  private readonly held = new Map<string, Seat[]>();
  readonly seats: LaneSeats;

  constructor(total: number, percent = PERCENT) {
    this.seats = new LaneSeats(total, percent, ({ tenant, runId }, seat) => {
      this.seated.push(runId);
      this.note(tenant, seat);
    });
  }

  /** Rings so often. @returns how many were seated at once */
  ring(times: number, wanted: Bell): number {
    let now = 0;
    for (let n = 0; n < times; n += 1) {
      const seat = this.seats.take(wanted);
      if (!seat) continue;
      now += 1;
      this.note(wanted.tenant, seat);
    }
    return now;
  }

  leave(tenant: string): void {
    this.seats.leave(this.held.get(tenant)!.shift()!);
  }

  /** As a turn that gives way and comes back: each of the tenants has more work than there are seats. */
  takeTurns(rounds: number, ...tenants: string[]): void {
    for (let round = 0; round < rounds; round += 1) {
      for (const tenant of tenants) {
        if (this.count(tenant)[0]! > 0) this.leave(tenant);
        this.ring(1, bell(tenant, { runId: `${tenant} ${round}` }));
      }
    }
  }

  count(...tenants: string[]): number[] {
    return tenants.map((tenant) => this.held.get(tenant)?.length ?? 0);
  }

  private note(tenant: string, seat: Seat): void {
    this.held.set(tenant, [...(this.held.get(tenant) ?? []), seat]);
  }
}

describe('a tenant that is alone', () => {
  test('holds three quarters of the seats, and a sixteenth more for its new batches', () => {
    const hall = new Hall(64);
    expect(hall.ring(100, bell('noisy'))).toBe(48);
    expect(hall.ring(100, bell('noisy', { express: true }))).toBe(4);
    expect([hall.seats.free, hall.seats.hasWaiting, hall.seats.fullTenants]).toEqual([12, true, ['noisy']]);
  });

  test.each([
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 3],
    [8, 6],
    [16, 12],
  ])('of %s seats holds %s', (total, most) => {
    expect(new Hall(total).ring(100, bell('noisy'))).toBe(most);
  });

  test.each([
    [50, 32],
    [90, 58],
    [100, 64],
  ])('holds as many as it is told it may: %s percent of 64 are %s', (percent, most) => {
    expect(new Hall(64, percent).ring(100, bell('noisy'))).toBe(most);
  });
});

describe('beside a tenant that has filled its share', () => {
  test('others are seated at once, each with a part of what is left, and the last seats go to those who have none', () => {
    const hall = new Hall(64);
    hall.ring(100, bell('noisy'));
    const others = ['a', 'b', 'c', 'd', 'e', 'f'];
    expect(others.map((tenant) => hall.ring(100, bell(tenant)))).toEqual([12, 1, 1, 1, 1, 0]);
    expect(hall.seats.free).toBe(0);
  });

  test('it gets no seat that becomes free, until both hold the same', () => {
    const hall = new Hall(64);
    hall.ring(100, bell('noisy'));
    hall.ring(100, bell('other'));
    hall.takeTurns(5, 'noisy');
    expect(hall.count('noisy')).toEqual([43]);
    hall.takeTurns(200, 'noisy', 'other');
    const [noisy, other] = hall.count('noisy', 'other') as [number, number];
    expect(Math.abs(noisy - other)).toBeLessThanOrEqual(3);
    expect(noisy + other + hall.seats.free).toBe(64);
  });

  test('ten that all want more than there is come to hold the same, and some seats stay free for the eleventh', () => {
    const hall = new Hall(64);
    const tenants = Array.from({ length: 10 }, (_, n) => `t${n}`);
    for (const tenant of tenants) hall.ring(100, bell(tenant));
    hall.takeTurns(200, ...tenants);
    const held = hall.count(...tenants);
    expect(Math.max(...held) - Math.min(...held)).toBeLessThanOrEqual(1);
    expect(hall.seats.free).toBeGreaterThan(0);
    expect(hall.ring(1, bell('eleventh'))).toBe(1);
  });
});

describe('of those who wait', () => {
  test('the one who holds the fewest comes first, whatever its rank; of one tenant the express ones, then the most urgent', () => {
    const hall = new Hall(4);
    hall.ring(3, bell('a'));
    hall.ring(1, bell('b'));
    hall.seats.take(bell('a', { runId: 'a, critical', rank: 1 }));
    hall.seats.take(bell('b', { runId: 'b, low', rank: 4 }));
    hall.seats.take(bell('b', { runId: 'b, high', rank: 2 }));
    hall.seats.take(bell('b', { runId: 'b, new', express: true }));
    hall.seats.take(bell('c', { runId: 'c, low', rank: 4 }));
    for (let n = 0; n < 3; n += 1) hall.leave('a');
    expect(hall.seated).toEqual(['c, low', 'a, critical', 'b, new']);
  });

  test('nobody is in the way of one who holds more', () => {
    const hall = new Hall(8);
    hall.ring(100, bell('noisy'));
    expect([hall.seats.isInTheWay('noisy'), hall.seats.isInTheWay('quiet')]).toEqual([true, false]);
    hall.ring(2, bell('quiet'));
    hall.seats.take(bell('quiet'));
    expect([hall.seats.isInTheWay('noisy'), hall.seats.isInTheWay('quiet')]).toEqual([true, true]);
  });

  test('no more are remembered than would find work: the sweep finds the others', () => {
    const hall = new Hall(1);
    hall.ring(1, bell('a'));
    hall.ring(10_000, bell('b', { runId: 'one' }));
    for (let n = 0; n < 10_000; n += 1) hall.seats.take(bell('b', { runId: `r${n}` }));
    hall.leave('a');
    for (let n = 1; hall.seated.length === n; n += 1) hall.leave('b');
    expect(hall.seated.filter((runId) => runId === 'one')).toHaveLength(64);
    expect(hall.seated).toHaveLength(1_000);
  });
});

test('a tenant is below its share when it has fewer seats than the others on average; alone it never is', () => {
  const hall = new Hall(8);
  hall.ring(6, bell('noisy'));
  expect([hall.seats.isBelowShare('noisy'), hall.seats.isBelowShare('quiet')]).toEqual([false, true]);
  hall.ring(1, bell('quiet'));
  expect([hall.seats.isBelowShare('noisy'), hall.seats.isBelowShare('quiet')]).toEqual([false, true]);
  hall.leave('quiet');
  expect(hall.seats.isBelowShare('noisy')).toBe(false);
});

test('once it is closed nobody is seated, and those who wait are sent away', () => {
  const hall = new Hall(1);
  hall.ring(2, bell('a'));
  hall.seats.close();
  expect([hall.seats.hasWaiting, hall.seats.free, hall.seats.takeFree('b'), hall.seats.take(bell('c'))]).toEqual([
    false,
    0,
    undefined,
    undefined,
  ]);
  hall.leave('a');
  expect(hall.seated).toEqual([]);
});
