/** With three bits set for each key, about one chunk of a hundred seems to hold a key that it does not. */
const BITS_PER_KEY = 12;
const BITS_SET = 3;

/** Two numbers below 2^32 by which a key is told from others. */
export function hashesOf(key: string): [number, number] {
  const first = hashOf(key);
  return [first, stepOf(first)];
}

/** Two characters at a time: it is done for each item. */
function hashOf(key: string): number {
  const even = key.length & ~1;
  let hash = key.length === even ? 0x811c9dc5 : key.charCodeAt(even);
  for (let at = 0; at < even; at += 2) {
    const pair = key.charCodeAt(at) | (key.charCodeAt(at + 1) << 16);
    hash = Math.imul(hash ^ pair ^ (hash >>> 15), 0x9e3779b1);
  }
  return mixed(hash);
}

/** How far a key's bits are from each other. */
function stepOf(hash: number): number {
  return (mixed(hash ^ 0x9e3779b9) | 1) >>> 0;
}

/** The last step of MurmurHash3: every bit of the result depends on every one of `hash`. */
function mixed(hash: number): number {
  let bits = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/**
 * Which keys a chunk may hold, as a Bloom filter: of the keys that its items were given, not of the numbers that others are called by.
 * @returns nothing when no item has a key
 */
export function summaryOf(keys: readonly (string | undefined)[]): Buffer {
  let given = 0;
  for (const key of keys) if (key !== undefined) given += 1;
  const summary = Buffer.alloc(Math.ceil((given * BITS_PER_KEY) / 8));
  for (const key of keys) if (key !== undefined) add(summary, key);
  return summary;
}

function add(summary: Buffer, key: string): void {
  const bits = summary.length * 8;
  let place = hashOf(key);
  const step = stepOf(place);
  for (let n = 0; n < BITS_SET; n += 1) {
    const bit = place % bits;
    summary[bit >> 3]! |= 1 << (bit & 7);
    place = (place + step) >>> 0;
  }
}

/** Of a summary in SQL: whether a key may be in it whose hashes are these. Chunks without a summary may hold any key. */
export function mayHold(summary: string, first: string, step: string): string {
  const isSet = Array.from(
    { length: BITS_SET },
    (_, n) => `get_bit(${summary}, ((${first}::bigint + ${n} * ${step}::bigint) & 4294967295) % (8 * length(${summary}))) = 1`,
  );
  return `(${summary} IS NULL OR CASE WHEN length(${summary}) > 0 THEN ${isSet.join(' AND ')} ELSE false END)`;
}
