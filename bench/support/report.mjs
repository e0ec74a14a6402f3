// The figures of ../throughput.mjs as tables in Markdown.
import { median } from './measure.mjs';

/** What the others are compared with. */
const OURS = 'batchwise';
/** From what does more to what does less. */
const REFERENCES = ['prototype', 'copy', 'insert-select'];
const PARTS = ['client', 'service', 'postgres', 'redis'];

export function reportOf({ items, rounds, date, machine, versions, systems, runs }) {
  const rows = systems.map((system) => ({ ...system, runs: runs.filter((run) => run.system === system.name) }));
  const ours = rows.find(({ name }) => name === OURS)?.runs;
  const times = rounds === 1 ? 'one round' : `${rounds} rounds, medians (smallest to largest)`;
  return [
    `${thousands(items)} items, ${times}; from the call of submit to the last result`,
    table(
      SPEED_COLUMNS,
      rows.map((row) => speedRow(row, ours)),
    ),
    '× is how many times as fast Batchwise in one process is, in the same round. CPU in microseconds an item: of client, service, ' +
      'PostgreSQL and Redis; a peer works its items in the client. MB: the most that the Node processes and Redis held. Redis keeps ' +
      'nothing on disk: what is stored there alone would not survive a power cut.',
    ...gaps(rows, ours),
    `${versionsText(versions)}; ${machine.cpu}, ${machine.cores} cores shared by all, ${machine.memoryGb} GB; ${date}`,
  ].join('\n\n');
}

const SPEED_COLUMNS = ['System', '>Items/s', '>×', '>CPU µs', '>client + service + pg + redis', '>MB node', '>MB redis', 'Stores'];

function speedRow({ title, stores, runs }, ours) {
  const parts = PARTS.map((part) => median(runs.map(({ cpuMicroseconds }) => cpuMicroseconds[part])));
  const total = median(runs.map(({ cpuMicroseconds }) => PARTS.reduce((sum, part) => sum + cpuMicroseconds[part], 0)));
  const node = median(runs.map(({ peakMb }) => peakMb.client + peakMb.service));
  return [
    title,
    spread(speeds(runs), thousands),
    ours ? spread(ratios(ours, runs), factor) : '–',
    short(total),
    parts.map(short).join(' + '),
    thousands(node),
    thousands(median(runs.map(({ peakMb }) => peakMb.redis))),
    stores,
  ];
}

/** How much of what would be possible the service reaches. */
function gaps(rows, ours) {
  const references = rows.filter(({ name }) => REFERENCES.includes(name));
  if (!ours || references.length === 0) return [];
  const percent = (ratio) => `${Math.round(ratio * 100)} %`;
  const lines = references.map(({ title, runs }) => [title, spread(speeds(runs), thousands), spread(ratios(ours, runs), percent)]);
  return [table(['What would be possible', '>Items/s', '>Batchwise reaches'], lines)];
}

function speeds(runs) {
  return runs.map(({ itemsPerSecond }) => itemsPerSecond);
}

/** Of the first ones' speed to the others', round by round. */
function ratios(ours, others) {
  return others.map(({ round, itemsPerSecond }) => ours.find((run) => run.round === round).itemsPerSecond / itemsPerSecond);
}

/** The median, and the smallest and the largest when there are several. */
function spread(values, write) {
  const middle = write(median(values));
  return values.length === 1 ? middle : `${middle} (${write(Math.min(...values))}–${write(Math.max(...values))})`;
}

function factor(number) {
  return number < 1 ? number.toFixed(2) : short(number);
}

function short(number) {
  return number < 9.95 ? number.toFixed(1) : thousands(number);
}

function thousands(number) {
  return Math.round(number).toLocaleString('en');
}

function versionsText(versions) {
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
}

/** @param columns their titles; those that begin with `>` are aligned to the right */
function table(columns, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const rule = columns.map((column) => (column.startsWith('>') ? '--:' : '---'));
  return [columns.map((column) => column.replace('>', '')), rule, ...rows].map(line).join('\n');
}
