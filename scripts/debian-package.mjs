// Fetches packages of Debian for tests, without installing them.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';

export const CACHE = join(import.meta.dirname, '../.cache');

/**
 * A package and what it needs, unpacked into the cache folder. apt-get works on lists and a cache of its own there, so this needs no root and
 * leaves the system as it is: nothing is installed, no service is started.
 * @returns the folder that stands for the root of the file system; undefined where apt-get is not, or could not fetch it
 */
export function fetchDebianPackage(name, report) {
  const fetched = join(CACHE, name);
  const root = join(fetched, 'root');
  if (existsSync(root)) return root;
  try {
    execFileSync('apt-get', ['--version'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  report(`Fetching ${name} with apt-get into .cache/${name}`);
  const work = join(CACHE, `${name}.new-${process.pid}`);
  try {
    unpack(name, work);
    rmSync(fetched, { recursive: true, force: true });
    renameSync(work, fetched);
    return root;
  } catch (error) {
    if (existsSync(root)) return root; // another test run was faster
    report(`apt-get could not fetch ${name}: ${String(error.stderr ?? error.message).trim()}`);
    return undefined;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function unpack(name, work) {
  for (const folder of ['apt/lists/partial', 'apt/cache/archives/partial', 'root']) mkdirSync(join(work, folder), { recursive: true });
  const options = [
    `Dir::State::lists=${work}/apt/lists`,
    `Dir::Cache=${work}/apt/cache`,
    'Debug::NoLocking=1',
    `APT::Sandbox::User=${userInfo().username}`,
  ].flatMap((option) => ['-o', option]);
  const apt = (...args) => execFileSync('apt-get', [...args, '-qq', ...options], { stdio: 'pipe' });
  apt('update');
  apt('install', '--download-only', '--yes', '--no-install-recommends', name);
  const archives = join(work, 'apt/cache/archives');
  for (const file of readdirSync(archives)) {
    if (file.endsWith('.deb')) execFileSync('dpkg', ['-x', join(archives, file), join(work, 'root')]);
  }
  rmSync(join(work, 'apt'), { recursive: true });
}
