// Arrays in the form in which PostgreSQL keeps them. pg's own text form quotes every element, and escapes every quote of a JSON text in
// it: 2.3 microseconds of an item's 14. Source: array_recv in arrayfuncs.c.

const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
/** The length of a null. */
const NULL = -1;
/** Object IDs of the elements' types, from pg_type. */
const OID = { bytea: 17, bigint: 20, smallint: 21, integer: 23, text: 25, double: 701 } as const;

export function textArray(values: readonly (string | null)[]): Buffer {
  const lengths = values.map((value) => (value === null ? NULL : Buffer.byteLength(value)));
  const array = withHeader(OID.text, lengths);
  let at = HEADER_BYTES;
  values.forEach((value, index) => {
    at = array.writeInt32BE(lengths[index]!, at);
    if (value !== null) at += array.write(value, at);
  });
  return array;
}

export function byteaArray(values: readonly (Buffer | null)[]): Buffer {
  const array = withHeader(
    OID.bytea,
    values.map((value) => value?.length ?? NULL),
  );
  let at = HEADER_BYTES;
  values.forEach((value) => {
    at = array.writeInt32BE(value?.length ?? NULL, at);
    if (value) at += value.copy(array, at);
  });
  return array;
}

export function bigintArray(values: readonly number[]): Buffer {
  return fixedArray(OID.bigint, 8, values, (array, value, at) => array.writeBigInt64BE(BigInt(value), at));
}

export function integerArray(values: readonly number[]): Buffer {
  return fixedArray(OID.integer, 4, values, (array, value, at) => array.writeInt32BE(value, at));
}

export function smallintArray(values: readonly number[]): Buffer {
  return fixedArray(OID.smallint, 2, values, (array, value, at) => array.writeInt16BE(value, at));
}

export function doubleArray(values: readonly (number | null)[]): Buffer {
  return fixedArray(OID.double, 8, values, (array, value, at) => array.writeDoubleBE(value, at));
}

function fixedArray(
  oid: number,
  size: number,
  values: readonly (number | null)[],
  write: (array: Buffer, value: number, at: number) => number,
): Buffer {
  const array = withHeader(
    oid,
    values.map((value) => (value === null ? NULL : size)),
  );
  let at = HEADER_BYTES;
  values.forEach((value) => {
    at = array.writeInt32BE(value === null ? NULL : size, at);
    if (value !== null) at = write(array, value, at);
  });
  return array;
}

/** Dimensions (none for an empty array), whether there are nulls, the elements' type, and of the one dimension its length and first index. */
function withHeader(oid: number, lengths: number[]): Buffer {
  const count = lengths.length;
  const bytes = lengths.reduce((sum, length) => sum + Math.max(0, length), LENGTH_BYTES * count);
  const array = Buffer.allocUnsafe(HEADER_BYTES + bytes);
  array.writeInt32BE(count === 0 ? 0 : 1, 0);
  array.writeInt32BE(lengths.includes(NULL) ? 1 : 0, 4);
  array.writeInt32BE(oid, 8);
  array.writeInt32BE(count, 12);
  array.writeInt32BE(1, 16);
  return count === 0 ? array.subarray(0, 12) : array;
}
