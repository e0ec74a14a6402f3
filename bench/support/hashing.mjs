// Work that only computes, for threads: of the service, and of a bare pool beside it.
import { createHash } from 'node:crypto';

/** @returns the last digest of a chain of so many SHA-256 hashes, about a microsecond each */
export function hashes(rounds) {
  let digest = Buffer.alloc(32);
  for (let round = 0; round < rounds; round += 1) digest = createHash('sha256').update(digest).digest();
  return digest.toString('hex');
}

export async function run({ payload }) {
  return { output: hashes(payload.rounds) };
}

/** What a bare pool calls. */
export default hashes;
