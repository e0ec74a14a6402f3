/** A batch of items of the operation `swift`, see trial-operation.mjs. What each of them is follows from its place. */
export interface SwiftBatch {
  id: string;
  number: number;
  items: number;
  /** One of a hundred items fails for good, and one the first time. */
  fails: boolean;
}

const AT_ONCE = 5_000;
const FAILING_OF_100 = { always: 7, once: 57 };

/** The batch's items from a place on, made as they are read. */
export function ndjsonOf(batch: SwiftBatch, from: number): ReadableStream {
  let place = from;
  return new ReadableStream({
    pull(controller) {
      let lines = '';
      for (const until = Math.min(batch.items, place + AT_ONCE); place < until; place += 1) lines += lineOf(batch, place);
      controller.enqueue(Buffer.from(lines));
      if (place === batch.items) controller.close();
    },
  });
}

function lineOf({ number, fails }: SwiftBatch, place: number): string {
  const amount = (place * 7919 + number * 104_729) % 100_000;
  const { always, once } = FAILING_OF_100;
  const failure = !fails ? '' : place % 100 === always ? ',"fails":"always"' : place % 100 === once ? ',"fails":"once"' : '';
  return `{"key":"item ${place}","payload":{"batch":${number},"place":${place},"amount":${amount}${failure}}}\n`;
}

/** The same in SQL, of a batch of number $2, so many items ($3), and $4: with failures. Place by place, what must have come of each. */
export const EXPECTED = `
  SELECT place, 'item ' || place AS key, always + 1 AS status, once + 1 AS attempts,
    CASE always WHEN 1 THEN 'permanent' END AS error_kind,
    CASE always WHEN 1 THEN 'null' ELSE
      jsonb_build_object('batch', $2::int, 'place', place, 'value', ((place * 7919::bigint + $2::int * 104729) % 100000 * 3 + place) % 9973)
    END AS output
  FROM generate_series(0, $3::int - 1) AS place,
    LATERAL (
      SELECT ($4::boolean AND place % 100 = ${FAILING_OF_100.always})::int AS always,
        ($4::boolean AND place % 100 = ${FAILING_OF_100.once})::int AS once
    ) f`;
