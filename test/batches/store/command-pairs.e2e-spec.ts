import { appendFileSync } from 'node:fs';
import { deleteBatches } from '../../../src/batches/store/delete-batches.js';
import { conflictsMet } from '../../../src/database/conflicts.js';
import { copyBatch } from '../../support/copies.js';
import { Engine } from '../../support/engine.js';
import { assertInvariants } from '../../support/invariants.js';
import { PAIRS } from '../../support/race.js';
import { COMMANDS, currentOf, driveToEnd, type Move, WORK } from '../../support/race-moves.js';
import { type Racer, type Scene, SCENES } from '../../support/race-scenes.js';

/** Without a worker: the moves play it, statement by statement. */
let engine: Engine;

beforeAll(async () => (engine = await Engine.start({ ROLE: 'api', DATABASE_POOL_SIZE: '40' })));
afterAll(() => engine.close());

/** Of each pair: there are four hundred of them. */
const ROUNDS = PAIRS < 100 ? 1 : Math.min(2_000, PAIRS);
const BLOCK = 400;
const SIDE_BY_SIDE = 10;
/** Those who begin later do so by this much at most: less than a command takes. */
const MAX_LEAD_MS = 6;
/** One in so many is worked to its end afterwards. */
const WORKED_OFF = 5;

const MOVES: Record<string, Move> = { ...COMMANDS, ...WORK };
const THE_END = 'the last item succeeds';

type Pair = readonly [string, string];

/** Each command with each command, and with whatever workers do. */
const ALL_PAIRS: Pair[] = Object.keys(COMMANDS).flatMap((first, index, commands) =>
  [...commands.slice(index), ...Object.keys(WORK)].map((second): Pair => [first, second]),
);

/** Scenes in which both mean something, or at least one of them does. */
function scenesOf([first, second]: Pair): string[] {
  const names = Object.keys(SCENES);
  const means = (move: string) => (scene: string) => MOVES[move]!.in.includes(SCENES[scene]!.state);
  const both = names.filter((scene) => means(first)(scene) && means(second)(scene));
  return both.length > 0 ? both : names.filter((scene) => means(first)(scene) || means(second)(scene));
}

/** So many rounds of each pair, spread over its scenes: by scene. */
function roundsByScene(): Map<string, Pair[]> {
  const rounds = new Map<string, Pair[]>(Object.keys(SCENES).map((scene) => [scene, []]));
  ALL_PAIRS.forEach((pair, index) => {
    const scenes = scenesOf(pair);
    for (let n = 0; n < ROUNDS; n += 1) rounds.get(scenes[(index + n) % scenes.length]!)!.push(pair);
  });
  return rounds;
}

/** What came of the moves; a line each in the file that RACE_REPORT names. */
const tallies = new Map<string, { done: number; refused: number; broken: number }>();

function count(move: string, what: 'done' | 'refused' | 'broken'): void {
  const tally = tallies.get(move) ?? { done: 0, refused: 0, broken: 0 };
  tally[what] += 1;
  tallies.set(move, tally);
}

afterAll(() => {
  const file = process.env.RACE_REPORT;
  if (!file) return;
  for (const [move, tally] of tallies) appendFileSync(file, `${JSON.stringify({ move, ...tally })}\n`);
  appendFileSync(file, `${JSON.stringify(conflictsMet())}\n`);
});

async function later(move: string, racer: Racer): Promise<void> {
  const ms = Math.random() * MAX_LEAD_MS;
  if (ms > 1) await new Promise((resolve) => setTimeout(resolve, ms));
  try {
    count(move, (await MOVES[move]!.do(engine, racer)) ? 'done' : 'refused');
  } catch (error) {
    count(move, 'broken');
    throw new Error(`${move}: ${(error as Error).message}`, { cause: error });
  }
}

/** @throws Error when a move answers 500 or more, or when a batch with nothing left to do goes on */
async function play(pair: Pair, racer: Racer, scene: Scene): Promise<void> {
  await scene.prepare?.(engine, racer);
  // Whatever the two are, the batch's last item ends beside them.
  const moves = racer.held && !(pair[1] in WORK) ? [...pair, THE_END] : pair;
  await Promise.all(moves.map((move) => later(move, racer)));
  if ((await currentOf(engine, racer))?.through) throw new Error('every item has an outcome, and it does not end');
  if (Math.random() * WORKED_OFF < 1) await driveToEnd(engine, racer);
}

test.each([...roundsByScene()])(
  'a batch that %s bears any two commands at once, and each beside what workers do',
  async (name, rounds) => {
    const scene = SCENES[name]!;
    const { id } = await scene.original(engine);
    const violations: string[] = [];
    const { deadlocks } = conflictsMet();
    for (let block = rounds.splice(0, BLOCK); block.length > 0; block = rounds.splice(0, BLOCK)) {
      const racers: Racer[] = await copyBatch(engine, id, block.length);
      const ids = racers.map((racer) => racer.id);
      const stream = async (): Promise<void> => {
        for (let pair = block.pop(); pair; pair = block.pop()) {
          await play(pair, racers.pop()!, scene).catch((error: Error) => violations.push(`${pair.join(' and ')}: ${error.message}`));
        }
      };
      await Promise.all(Array.from({ length: SIDE_BY_SIDE }, stream));
      await assertInvariants(engine.database);
      await deleteBatches(engine.database.pool, ids);
    }
    expect(violations).toEqual([]);
    // They would be done all the same, and cost a second each: everybody locks rows in one order.
    expect(conflictsMet().deadlocks).toBe(deadlocks);
  },
  ROUNDS * 10_000 + 60_000,
);
