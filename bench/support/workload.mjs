// The work that every system is given: items of about 100 bytes, and a handler that costs next to nothing.

/** @returns about 100 bytes of JSON */
export function itemOf(index) {
  return {
    id: index,
    customer: `cust-${index % 5000}`,
    amount: (index * 7919) % 100_000,
    note: 'lorem ipsum dolor sit amet',
    tag: `t${index % 17}`,
  };
}

/** @returns a result with an output of about 26 bytes of JSON */
export function workItem({ id, amount }) {
  return { output: { ok: true, value: (amount * 3) % 1000 }, quality: (id % 1000) / 1000 };
}

/** NDJSON of the items from the first index up to the second one. */
export function linesOf(from, to) {
  let lines = '';
  for (let index = from; index < to; index += 1) lines += `${JSON.stringify({ payload: itemOf(index) })}\n`;
  return lines;
}

/** The items, made slice by slice as they are asked for. */
export function* slicesOf(items, size = 5_000) {
  for (let from = 0; from < items; from += size) {
    yield Array.from({ length: Math.min(size, items - from) }, (_, place) => itemOf(from + place));
  }
}
