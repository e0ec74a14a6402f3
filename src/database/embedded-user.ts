import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { SERVER_ENV } from './embedded-supervisor.js';

/** `nobody` and its group: these numbers are the same on every Linux. */
const NOBODY = 65534;

export interface ServerUser {
  uid: number;
  gid: number;
  /** What the command line starts with, or else what to tell `spawn`. */
  prefix: string[];
  spawnAs: { uid?: number; gid?: number };
}

/**
 * PostgreSQL refuses to run as root. As root we therefore run it as `nobody`, or as whoever owns the cluster already, so that no system
 * user has to be made. That user could not even reach a data folder below a home that only root may enter (mode 0700), so it keeps one
 * capability, to pass file permissions, handed on as an ambient one. Without `no_setuid_fixup` access(2), which asks for the real user,
 * would ignore it, and initdb would say that it cannot find postgres. Where setpriv is missing or not allowed to, it goes without.
 */
export async function serverUser(cluster: string): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(cluster).catch((): Pick<Stats, 'uid' | 'gid'> => ({ uid: 0, gid: 0 }));
  const { uid, gid } = owner.uid === 0 ? { uid: NOBODY, gid: NOBODY } : owner;
  // A cluster that belongs to root was copied by root, from a backup for instance.
  if (owner.uid === 0 && existsSync(cluster)) execFileSync('chown', ['-R', `${uid}:${gid}`, cluster], { env: SERVER_ENV });
  const capability = '+dac_override';
  const flags = [
    ...[`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', `--inh-caps=${capability}`, `--ambient-caps=${capability}`],
    ...['--securebits=+no_setuid_fixup', `--bounding-set=-all,${capability}`, '--no-new-privs', '--'],
  ];
  const works = spawnSync('setpriv', [...flags, 'true'], { env: SERVER_ENV }).status === 0;
  return { uid, gid, prefix: works ? ['setpriv', ...flags] : [], spawnAs: works ? {} : { uid, gid } };
}
