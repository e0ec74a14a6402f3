import type { Readable } from 'node:stream';
import { AppError, invalidField } from './app-error.js';
import { readBody } from './read-body.js';

/** A part of a form. Its body has to be read before the next part is asked for; what is left of it then is passed over. */
export interface FormPart {
  name: string;
  /** Only of files; may be empty. The last segment, if the client sent a path. */
  filename?: string;
  /** Lower case, without parameters. */
  mediaType: string;
  body: AsyncIterable<Buffer>;
}

/** More than an upload may have files and fields. */
const MAX_PARTS = 1_100;
const MAX_HEADER_BYTES = 16_384;
const MAX_PREAMBLE_BYTES = 65_536;
const LF = Buffer.from('\n');
const CRLF = Buffer.from('\r\n');
const BLANK_LINE = Buffer.from('\r\n\r\n');
const FINAL = Buffer.from('--');

/**
 * Reads multipart/form-data (RFC 7578) as it comes in. A form that is not whole and well-formed to its last boundary is refused: a part
 * that was passed over for its odd headers would be lost without a word, which is why this is not left to busboy.
 * @param body the request's; its rest is thrown away when the reader stops early
 * @throws AppError UNSUPPORTED_TYPE for another content type, INVALID_INPUT for a broken form
 */
export async function* readMultipart(body: Readable, contentType = ''): AsyncGenerator<FormPart, void, undefined> {
  const reader = new ByteReader(readBody(body, Infinity));
  const delimiter = Buffer.from(`\r\n--${boundaryOf(contentType)}`);
  try {
    await reader.skip(delimiter, MAX_PREAMBLE_BYTES);
    for (let number = 1; !(await reader.startsWith(FINAL)); number += 1) {
      if (await reader.startsWith(LF)) throw broken('the lines of the form end in LF alone and must end in CR LF');
      const head = await reader.take(BLANK_LINE, MAX_HEADER_BYTES, `the headers of part ${number}`);
      if (number > MAX_PARTS) throw broken(`the form has more than ${MAX_PARTS} parts`);
      const bytes = reader.until(delimiter);
      // Without a `return` its reader may stop early, and the rest is passed over here.
      yield { ...toPart(head, number), body: { [Symbol.asyncIterator]: () => ({ next: () => bytes.next() }) } };
      while (!(await bytes.next()).done);
    }
  } finally {
    await reader.close();
  }
}

function boundaryOf(contentType: string): string {
  if (!/^multipart\/form-data\s*(?:;|$)/i.test(contentType)) {
    throw new AppError('UNSUPPORTED_TYPE', 'send the files as multipart/form-data, for example with curl -F file=@menu.pdf');
  }
  const [, quoted, token] = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;",]{1,70}))\s*(?:;|$)/i.exec(contentType) ?? [];
  const boundary = quoted ?? token;
  if (boundary === undefined) throw broken('the content-type header names no boundary of 1 to 70 characters');
  return boundary;
}

function toPart(head: Buffer, number: number): Omit<FormPart, 'body'> {
  const headers = headersOf(head, number);
  const disposition = headers.get('content-disposition');
  if (disposition === undefined) throw broken(`part ${number} has no content-disposition header`);
  const [kind, ...parameters] = parametersOf(disposition);
  const name = parameterOf(parameters, 'name');
  if (kind?.toLowerCase() !== 'form-data') throw broken(`part ${number} is not called form-data in its content-disposition header`);
  if (!name) throw broken(`a part of the form has no name: part ${number} must have content-disposition: form-data; name="..."`);
  const encoding = headers.get('content-transfer-encoding')?.toLowerCase() ?? 'binary';
  if (!['7bit', '8bit', 'binary'].includes(encoding)) {
    throw broken(`part ${number} is encoded as ${encoding.slice(0, 50)}; send its bytes as they are`);
  }
  const mediaType = (headers.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase() || 'text/plain';
  if (mediaType.startsWith('multipart/')) throw broken(`part ${number} is a form in the form; send each file as a part of its own`);
  return { name, mediaType, ...fileNameOf(parameters, mediaType) };
}

/** A part with a file name is a file, and so is one of bytes. */
function fileNameOf(parameters: string[], mediaType: string): { filename?: string } {
  const extended = /^utf-8'[^']*'(.*)$/i.exec(parameterOf(parameters, 'filename*') ?? '')?.[1];
  const given = decodedPercents(extended) ?? parameterOf(parameters, 'filename');
  const filename = given?.split(/[/\\]/).at(-1) ?? (mediaType === 'application/octet-stream' ? '' : undefined);
  return filename === undefined ? {} : { filename };
}

function decodedPercents(text: string | undefined): string | undefined {
  try {
    return text && decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** By their lower-case names. */
function headersOf(head: Buffer, number: number): Map<string, string> {
  const headers = new Map<string, string>();
  // A line that begins with a space goes on with the one before.
  const [padding, ...lines] = toText(head)
    .replaceAll(/\r\n[ \t]+/g, ' ')
    .split('\r\n');
  if (padding!.trim() !== '') throw broken(`other text follows the boundary of part ${number}`);
  for (const line of lines) {
    const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):[ \t]*([^\0\r\n]*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined) throw broken(`part ${number} has a header that cannot be read: ${JSON.stringify(line.slice(0, 100))}`);
    if (headers.has(name.toLowerCase())) throw broken(`part ${number} has the header ${name.slice(0, 100)} twice`);
    headers.set(name.toLowerCase(), value!);
  }
  return headers;
}

/** UTF-8, as browsers send names; older programs send those of Western Europe as Windows-1252. */
function toText(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

/** Cut at the semicolons that are not within quotes. */
function parametersOf(value: string): string[] {
  return [...value.matchAll(/(?:"(?:\\["\\]|[^"])*"|[^;"])+/g)].map(([parameter]) => parameter.trim());
}

function parameterOf(parameters: string[], name: string): string | undefined {
  const given = parameters.find((parameter) => parameter.slice(0, name.length + 1).toLowerCase() === `${name}=`)?.slice(name.length + 1);
  return given?.startsWith('"') ? given.slice(1, given.length > 1 ? -1 : undefined).replaceAll(/\\(["\\])/g, '$1') : given;
}

/** Bytes that come in, cut at delimiters. */
class ByteReader {
  /** The first delimiter begins with a line's end that is not there when nothing stands before it. */
  private bytes: Buffer = CRLF;

  constructor(private readonly chunks: AsyncGenerator<Buffer>) {}

  /** Whether they come next. */
  async startsWith(expected: Buffer): Promise<boolean> {
    while (this.bytes.length < expected.length) await this.more('the form');
    return this.bytes.subarray(0, expected.length).equals(expected);
  }

  /** What stands before the delimiter, which is passed over. */
  async take(delimiter: Buffer, maxBytes: number, what: string): Promise<Buffer> {
    for (let from = 0; ;) {
      const at = this.bytes.indexOf(delimiter, from);
      if ((at === -1 ? this.bytes.length : at) > maxBytes) throw broken(`${what} are longer than ${maxBytes} bytes`);
      if (at !== -1) return this.cut(at, delimiter);
      from = Math.max(0, this.bytes.length - delimiter.length + 1);
      await this.more(what);
    }
  }

  /** The same in pieces of any length. */
  async *until(delimiter: Buffer): AsyncGenerator<Buffer> {
    for (;;) {
      const at = this.bytes.indexOf(delimiter);
      if (at !== -1) {
        const last = this.cut(at, delimiter);
        if (last.length > 0) yield last;
        return;
      }
      const sure = this.bytes.length - delimiter.length + 1;
      if (sure > 0) {
        const piece = this.bytes.subarray(0, sure);
        this.bytes = this.bytes.subarray(sure);
        yield piece;
      }
      await this.more('the form');
    }
  }

  async skip(delimiter: Buffer, maxBytes: number): Promise<void> {
    let size = 0;
    for await (const piece of this.until(delimiter)) {
      size += piece.length;
      if (size > maxBytes) throw broken('no part begins with the boundary that the content-type header names');
    }
  }

  async close(): Promise<void> {
    await this.chunks.return(undefined);
  }

  private cut(at: number, delimiter: Buffer): Buffer {
    const before = this.bytes.subarray(0, at);
    this.bytes = this.bytes.subarray(at + delimiter.length);
    return before;
  }

  private async more(what: string): Promise<void> {
    const next = await this.chunks.next();
    if (next.done) throw broken(`the request ends within ${what}, before the form's last boundary`);
    this.bytes = this.bytes.length === 0 ? next.value : Buffer.concat([this.bytes, next.value]);
  }
}

function broken(how: string): AppError {
  return invalidField('file', `${how}; send the form as multipart/form-data, for example with curl -F file=@menu.pdf`);
}
