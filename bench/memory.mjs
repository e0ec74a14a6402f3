// What the service's process keeps of memory: after files that are small to send and large to read, five of each kind, and after a time of
// mixed work, both compared with what it keeps after its first rounds of that work; with the allocator's setting of `npm start`, and with
// the allocator's own choice, for a shorter time.
//   npm run bench:memory -- [--minutes 60] [--compared 10] [--items 100000] [--out result.json] [--quick]
import { present, readOptions, short } from './support/command.mjs';
import { hostileFiles } from './support/hostile-files.mjs';
import { forgetPeakMemory, memoryMb, peakMemoryMb } from './support/measure.mjs';
import { mixedRound, readFile, settled, store } from './support/mixed-load.mjs';
import { withStack } from './support/stack.mjs';

const options = readOptions({
  minutes: { full: 60, quick: 1 },
  // Minutes with the allocator's own choice.
  compared: { full: 10, quick: 1 },
  items: { full: 100_000, quick: 500 },
});
/** Rounds after which the process has seen all of its work, and is as large as that makes it. */
const FIRST_ROUNDS = options.quick ? 1 : 10;
const TIMES = options.quick ? 2 : 5;
const MINUTE_MS = 60_000;
const ALLOCATORS = [
  { name: 'npm start', env: {}, minutes: options.minutes },
  { name: 'its own choice', env: { MALLOC_MMAP_THRESHOLD_: undefined }, minutes: options.compared },
];

const runs = [];
for (const { name, env, minutes } of ALLOCATORS) {
  console.log(`The allocator’s threshold: ${name}`);
  runs.push({ name, minutes, figures: await withStack({ roles: ['all'], env }, (stack) => measureAll(stack, minutes)) });
}
report();

async function measureAll({ url, services: [{ pid }] }, minutes) {
  const figures = [];
  const measured = async (what, work) => {
    forgetPeakMemory(pid);
    const worked = await work();
    const peakMb = peakMemoryMb(pid);
    await settled(options.quick);
    figures.push({ what, worked, keptMb: memoryMb(pid), peakMb });
    console.log(`${what}: ${short(figures.at(-1).keptMb)} MB, at most ${short(peakMb)} MB`);
  };
  const files = [];
  for await (const file of hostileFiles({ small: true })) files.push({ name: file.name, id: await store(url, file) });
  const load = (round) => mixedRound(url, { items: options.items, files, round });

  await measured('the first rounds of mixed work', async () => {
    for (let round = 0; round < FIRST_ROUNDS; round += 1) await load(round);
    return FIRST_ROUNDS;
  });
  for await (const file of hostileFiles({ small: options.quick })) {
    const id = await store(url, file);
    await measured(`${file.name}, ${short(file.bytes.length / 1e6)} MB`, () => readFile(url, { name: file.name, id }, TIMES));
  }
  await measured('the time of mixed work', () => forSomeTime(load, minutes));
  return figures;
}

/** @returns rounds */
async function forSomeTime(load, minutes) {
  const until = Date.now() + (options.quick ? 0 : minutes * MINUTE_MS);
  let rounds = 0;
  do await load((rounds += 1));
  while (Date.now() < until);
  return rounds;
}

function report() {
  const [tuned, usual] = runs.map(({ figures }) => figures);
  const cells = ({ keptMb, peakMb }, [first]) => [short(keptMb), (keptMb / first.keptMb).toFixed(2), short(peakMb)];
  present(
    {
      title:
        'Memory of the service’s process (resident) 20 s after the last of it, in MB; ×: of that after the first rounds; at most: while at work',
      columns: ['After', '>Times', '>npm start', '>×', '>At most', '>Times', '>The allocator’s own choice', '>×', '>At most'],
      rows: tuned.map((figure, row) => {
        const compared = usual[row];
        return [figure.what, figure.worked, ...cells(figure, tuned), compared.worked, ...cells(compared, usual)];
      }),
      notes: [`Times: rounds, and files that were read. The time of mixed work: ${options.minutes} and ${options.compared} minutes.`],
      result: { items: options.items, runs },
    },
    options,
  );
}
