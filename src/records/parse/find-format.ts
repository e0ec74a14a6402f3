import type { TypedRows } from '../../common/media-types.js';
import { textHead } from '../../common/text/text-head.js';
import { describeBytes } from '../contents/file-kind.js';
import { findSyntax } from '../csv/find-syntax.js';
import { otherText } from '../csv/other-text.js';
import type { RowFormat } from './parse-rows.js';

/** Bytes from the beginning that tell a format. */
export const FORMAT_BYTES = 65_536;

/** What rows are written in, with a warning when that is not what was told; or what the bytes are instead. */
export type FoundFormat = { format: RowFormat; warning?: string } | { other: string };

/**
 * Finds the format of rows by their first bytes, where nobody said it for sure: what is called CSV may be JSON.
 * @param head the first {@link FORMAT_BYTES}, or all bytes
 * @param told what the type or the name of the bytes tells
 */
export async function findFormat(head: Buffer, told: TypedRows): Promise<FoundFormat> {
  const text = textHead(head);
  if (text === undefined) return { other: await describeBytes(head) };
  const start = text.trimStart();
  const other = otherText(start);
  if (other) return { other };
  const json = jsonFormat(start);
  if (json && told === 'csv') return { format: json, warning: `read as ${json}, as the bytes are that, though they are called CSV` };
  if (json) return { format: json };
  return told === 'csv' || isTable(text, head.length < FORMAT_BYTES) ? { format: 'csv' } : { other: 'text without a table in it' };
}

const COMPRESSED: [mark: number[], name: string][] = [
  [[0x1f, 0x8b], 'gzip'],
  [[0x50, 0x4b, 0x03, 0x04], 'zip'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'zstd'],
  [[0x42, 0x5a, 0x68], 'bzip2'],
  [[0xfd, 0x37, 0x7a, 0x58], 'xz'],
];

/** What bytes are compressed with; undefined when they begin like something else. */
export function compressionOf(head: Buffer): string | undefined {
  return COMPRESSED.find(([mark]) => head.subarray(0, mark.length).equals(Buffer.from(mark)))?.[1];
}

/** Arrays of objects, and objects a line; a cell of CSV may begin with either bracket. */
function jsonFormat(start: string): 'json' | 'ndjson' | undefined {
  if (/^\[\s*[{\]]/.test(start)) return 'json';
  if (!start.startsWith('{')) return undefined;
  const line = /^[^\n\r]*/.exec(start)![0];
  try {
    JSON.parse(line);
    return 'ndjson';
  } catch {
    return undefined;
  }
}

function isTable(text: string, isWhole: boolean): boolean {
  const { rows, width } = findSyntax({ text, isWhole, firstLine: 1 }, {});
  return width > 1 && rows.length > 1;
}
