// Runs the service from its sources: each change under src is compiled, and the service is started again with it. What does not compile
// is told, and the service goes on as it was.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { watch } from 'chokidar';

const ROOT = join(import.meta.dirname, '..');
/** Editors write a file in several steps, and several files at once. */
const QUIET_MS = 150;

let service;
let isAsked = false;
let isStale = false;
let turn = Promise.resolve();
let timer;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    isAsked = true;
    if (service) service.kill(signal);
    else process.exit(0);
  });
}

start();
watch(join(ROOT, 'src'), { ignoreInitial: true }).on('all', () => {
  clearTimeout(timer);
  timer = setTimeout(() => (turn = turn.then(startAnew)), QUIET_MS);
});

async function startAnew() {
  if (isAsked) return;
  // What is compiled here has no types, and no descriptions for /docs: the next set-up builds it anew.
  if (!isStale) rmSync(join(ROOT, 'dist/.built'), { force: true });
  isStale = true;
  if (!(await compile())) return;
  await stop();
  if (isAsked) process.exit(0);
  start();
}

async function compile() {
  const swc = join(ROOT, 'node_modules/@swc/cli/bin/swc.js');
  const compiler = spawn(process.execPath, [swc, 'src', '--out-dir', 'dist', '--strip-leading-paths', '--quiet'], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  const [code] = await once(compiler, 'exit');
  if (code !== 0) console.error('That does not compile: the service goes on as it was.');
  return code === 0;
}

/** Only the service itself is told, which then ends its PostgreSQL: one that is told by others too would cut it off. */
async function stop() {
  if (!service) return;
  service.removeAllListeners('exit');
  service.kill('SIGTERM');
  await once(service, 'exit');
  service = undefined;
}

function start() {
  service = spawn(process.execPath, ['--enable-source-maps', 'dist/main.js'], { cwd: ROOT, stdio: 'inherit' });
  service.once('exit', (code) => {
    service = undefined;
    if (isAsked) process.exit(code ?? 1);
    if (code !== 0) console.error('The service has ended; the next change starts it again.');
  });
}
