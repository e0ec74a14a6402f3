// Makes a clone ready to run: installs the packages and builds the sources, each only when something that it depends on has changed.
// Plain Node without packages, because it runs before there are any.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LOCK = join(ROOT, '.cache/setup.lock');

requireNode(20, 19);
await takeLock();
try {
  await step({
    title: 'Installing the packages',
    stamp: 'node_modules/.installed',
    inputs: installInputs(),
    // Development packages too, whatever NODE_ENV says: the build needs them.
    command: ['npm', 'ci', '--include=dev', '--loglevel=error'],
    remedy: 'Check the connection to the npm registry and the free disk space, then run the same command again.',
  });
  await step({
    title: 'Building',
    stamp: 'dist/.built',
    inputs: [...installInputs(), ...buildInputs()],
    command: [process.execPath, 'node_modules/@nestjs/cli/bin/nest.js', 'build'],
    remedy: 'Mend what the compiler names above, then run the same command again.',
  });
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(LOCK, { force: true });
}

function requireNode(major, minor) {
  const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number);
  if (ownMajor > major || (ownMajor === major && ownMinor >= minor)) return;
  console.error(`Batchwise needs Node ${major}.${minor} or newer, and this is ${process.version}. Install a newer one, then try again.`);
  process.exit(1);
}

/** Two set-ups at once would delete each other's packages: the later one waits, and then finds its work done. */
async function takeLock() {
  const mine = `${LOCK}.${process.pid}`;
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  writeFileSync(mine, String(process.pid));
  let announced = false;
  while (!tryLink(mine, LOCK)) {
    const holder = readIfThere(LOCK);
    if (holder !== undefined && !isRunning(Number(holder))) rmSync(LOCK, { force: true });
    else {
      if (!announced) console.log(`Waiting for another set-up (process ${holder}). If there is none, delete .cache/setup.lock.`);
      announced = true;
      await delay(300);
    }
  }
  rmSync(mine);
}

function tryLink(from, to) {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function isRunning(pid) {
  try {
    return pid !== process.pid && process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function readIfThere(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

/** Of package.json only what npm installs by: a changed script or description is no reason to install anew. */
function installInputs() {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const { dependencies, peerDependencies, devDependencies, optionalDependencies, overrides, allowScripts } = manifest;
  const platform = `${process.platform}-${process.arch}`;
  return [
    platform,
    JSON.stringify({ dependencies, peerDependencies, devDependencies, optionalDependencies, overrides, allowScripts }),
    ...contents('package-lock.json', '.npmrc'),
  ];
}

function buildInputs() {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(ROOT.length))
    .sort();
  return contents(...sources, 'tsconfig.json', 'tsconfig.build.json', 'nest-cli.json');
}

function contents(...paths) {
  return paths.flatMap((path) => [path, readFileSync(join(ROOT, path))]);
}

/** Runs the command, unless its stamp says that it has been run on the same inputs. */
async function step({ title, stamp, inputs, command, remedy }) {
  const hash = createHash('sha256');
  for (const input of inputs) hash.update(createHash('sha256').update(input).digest());
  const digest = hash.digest('hex');
  const stampFile = join(ROOT, stamp);
  if (readIfThere(stampFile) === digest) return;
  rmSync(stampFile, { force: true });
  await run(title, command, remedy);
  writeFileSync(stampFile, digest);
}

/** What the command prints is shown only when it fails: npm in particular warns of much that nobody needs to act on. */
async function run(title, [program, ...args], remedy) {
  const progress = showProgress(title);
  const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = [];
  child.stdout.on('data', (data) => output.push(data));
  child.stderr.on('data', (data) => output.push(data));
  let interrupted = false;
  const interrupt = (signal) => {
    interrupted = true;
    child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, interrupt);
  const failure = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? undefined : `exit code ${code ?? signal}`));
  });
  for (const signal of signals) process.off(signal, interrupt);
  progress.end(failure ? 'failed' : 'done');
  if (interrupted) throw new Error(`${title} was interrupted.`);
  if (failure) throw new Error(`${Buffer.concat(output)}\n${title} failed (${failure}). ${remedy}`);
}

/** A line that counts the seconds on a terminal; elsewhere, in a log for instance, a line now and then. */
function showProgress(title) {
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  const tty = process.stdout.isTTY;
  const show = () => (tty ? process.stdout.write(`\r${title} ... ${seconds()} s`) : console.log(`${title} ... ${seconds()} s`));
  if (tty) show();
  else console.log(`${title} ...`);
  const timer = setInterval(show, tty ? 1000 : 20_000);
  return {
    end(how) {
      clearInterval(timer);
      console.log(`${tty ? '\r' : ''}${title}: ${how} in ${seconds()} s`);
    },
  };
}
