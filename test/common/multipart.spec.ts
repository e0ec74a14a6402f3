import fc from 'fast-check';
import { Readable } from 'node:stream';
import { type FormPart, readMultipart } from '../../src/common/multipart.js';

const TYPE = 'multipart/form-data; boundary=b';
const DISPOSITION = 'Content-Disposition: form-data; name="file"';

interface Read extends Omit<FormPart, 'body'> {
  text: string;
}

/** @param cuts where the bytes are cut into chunks */
async function read(form: string | Buffer, type = TYPE, cuts: number[] = []): Promise<Read[]> {
  const bytes = Buffer.from(form);
  const ends = [...cuts, bytes.length].sort((a, b) => a - b);
  const chunks = ends.map((end, n) => bytes.subarray(ends[n - 1] ?? 0, end)).filter(({ length }) => length > 0);
  const parts: Read[] = [];
  for await (const { body, ...part } of readMultipart(Readable.from(chunks, { objectMode: false }), type)) {
    const pieces: Buffer[] = [];
    for await (const piece of body) pieces.push(piece);
    parts.push({ ...part, text: Buffer.concat(pieces).toString('latin1') });
  }
  return parts;
}

/** A whole form of one part. */
const formOf = (headers: string, body = 'x') => `--b\r\n${headers}\r\n\r\n${body}\r\n--b--\r\n`;

test('a form is read part by part', async () => {
  const form =
    `--b\r\n${DISPOSITION}; filename="a.csv"\r\nContent-Type: text/csv; charset=utf-8\r\n\r\na,b\r\n1,2\r\n\r\n` +
    `--b\r\ncontent-disposition: form-data; name=priority\r\n\r\n\r\n--b--\r\nwhat stands behind it is passed over`;
  expect(await read(form)).toEqual([
    { name: 'file', filename: 'a.csv', mediaType: 'text/csv', text: 'a,b\r\n1,2\r\n' },
    { name: 'priority', mediaType: 'text/plain', text: '' },
  ]);
});

test.each([
  ['what fetch sends', 'multipart/form-data; boundary=b'],
  ['a quoted boundary', 'multipart/form-data; boundary="b"'],
  ['another parameter before it', 'Multipart/Form-Data;charset=utf-8; Boundary=b'],
])('the content type of %s is read', async (_what, type) => {
  expect(await read(formOf(DISPOSITION), type)).toHaveLength(1);
});

test.each([
  ['as browsers send it', '; filename="Müller, \\"A\\"; b.csv"', 'Müller, "A"; b.csv'],
  ['as RFC 5987 has it', `; filename="x"; filename*=UTF-8''M%C3%BCller.csv`, 'Müller.csv'],
  ['with a path', '; filename="C:\\\\invoices\\\\may.csv"', 'may.csv'],
  ['with a path of another system', '; filename="../../etc/passwd"', 'passwd'],
  ['without quotes', '; filename=a.csv', 'a.csv'],
  ['that is empty', '; filename=""', ''],
  ['with a broken escape', `; filename="x.csv"; filename*=UTF-8''%E0%A4%A`, 'x.csv'],
])('a file name is read %s', async (_what, filename, expected) => {
  expect(await read(formOf(DISPOSITION + filename))).toMatchObject([{ name: 'file', filename: expected }]);
});

test('a name in Windows-1252, as old programs send it, is read too', async () => {
  const head = Buffer.concat([
    Buffer.from(`--b\r\n${DISPOSITION}; filename="M`),
    Buffer.from([0xfc]),
    Buffer.from(`ller.csv"\r\n\r\nx\r\n--b--`),
  ]);
  expect(await read(head)).toMatchObject([{ filename: 'Müller.csv' }]);
});

test('a part of bytes without a file name is a file', async () => {
  expect(await read(formOf(`${DISPOSITION}\r\nContent-Type: application/octet-stream`))).toMatchObject([{ filename: '' }]);
});

test.each([
  ['no boundary in its content type', formOf(DISPOSITION), 'multipart/form-data', /names no boundary/],
  ['an empty boundary', formOf(DISPOSITION), 'multipart/form-data; boundary=', /names no boundary/],
  ['a boundary of 71 characters', formOf(DISPOSITION), `multipart/form-data; boundary=${'b'.repeat(71)}`, /names no boundary/],
  ['another boundary than it says', formOf(DISPOSITION), 'multipart/form-data; boundary=c', /ends within the form/],
  [
    'another boundary than it says, and is long',
    formOf(DISPOSITION, 'x'.repeat(200_000)),
    'multipart/form-data; boundary=c',
    /no part begins with the boundary/,
  ],
  ['nothing in it', '', TYPE, /ends within the form/],
  ['no form in it', '{"file":"x"}', TYPE, /ends within the form/],
  ['an end in its first boundary', '--', TYPE, /ends within the form/],
  ['an end behind its first boundary', '--b\r\n', TYPE, /ends within the headers of part 1/],
  ['an end in its headers', `--b\r\n${DISPOSITION}\r\nContent-`, TYPE, /ends within the headers of part 1/],
  ['an end in a part', `--b\r\n${DISPOSITION}; filename="a"\r\n\r\nhalf of`, TYPE, /ends within the form/],
  ['no last boundary', `--b\r\n${DISPOSITION}\r\n\r\nx\r\n--b\r\n`, TYPE, /ends within the headers of part 2/],
  ['a last boundary that is cut', `--b\r\n${DISPOSITION}\r\n\r\nx\r\n--b-`, TYPE, /ends within the form/],
  ['line feeds alone', formOf(DISPOSITION).replaceAll('\r\n', '\n'), TYPE, /must end in CR LF/],
  [
    'line feeds alone in a part’s headers',
    formOf(`${DISPOSITION}\nContent-Type: text/csv`),
    TYPE,
    /part 1 has a header that cannot be read/,
  ],
  ['a part without headers', '--b\r\n\r\nx\r\n--b--', TYPE, /part 1 has no content-disposition/],
  ['a part without content-disposition', formOf('Content-Type: text/csv'), TYPE, /part 1 has no content-disposition/],
  ['a part without a name', formOf('Content-Disposition: form-data; filename="a.csv"'), TYPE, /has no name: part 1/],
  ['a part with an empty name', formOf('Content-Disposition: form-data; name=""'), TYPE, /has no name: part 1/],
  [
    'a part that is an attachment',
    formOf('Content-Disposition: attachment; name="file"; filename="a"'),
    TYPE,
    /part 1 is not called form-data/,
  ],
  ['a header twice', formOf(`${DISPOSITION}\r\n${DISPOSITION}; filename="a"`), TYPE, /part 1 has the header Content-Disposition twice/],
  ['a header without a colon', formOf(`${DISPOSITION}\r\nnonsense`), TYPE, /part 1 has a header that cannot be read: "nonsense"/],
  ['a header with a NUL', formOf(`${DISPOSITION}\r\nX-Note: a\0b`), TYPE, /part 1 has a header that cannot be read/],
  [
    'headers of a megabyte',
    formOf(`${DISPOSITION}\r\nX-Note: ${'x'.repeat(1_048_576)}`),
    TYPE,
    /the headers of part 1 are longer than 16384 bytes/,
  ],
  ['base64', formOf(`${DISPOSITION}\r\nContent-Transfer-Encoding: base64`, 'eA=='), TYPE, /part 1 is encoded as base64/],
  ['quoted-printable', formOf(`${DISPOSITION}\r\nContent-Transfer-Encoding: Quoted-Printable`), TYPE, /encoded as quoted-printable/],
  ['a form in the form', formOf(`${DISPOSITION}\r\nContent-Type: multipart/mixed; boundary=c`), TYPE, /part 1 is a form in the form/],
  ['text behind a boundary', `--b oops\r\n${DISPOSITION}\r\n\r\nx\r\n--b--`, TYPE, /other text follows the boundary of part 1/],
  ['a longer word in place of a boundary', `--bb\r\n${DISPOSITION}\r\n\r\nx\r\n--b--`, TYPE, /other text follows the boundary of part 1/],
  [
    'a second part that is wrong',
    `--b\r\n${DISPOSITION}\r\n\r\nx\r\n--b\r\nX-Note: y\r\n\r\nx\r\n--b--`,
    TYPE,
    /part 2 has no content-disposition/,
  ],
  ['too many parts', `${`--b\r\n${DISPOSITION}\r\n\r\n\r\n`.repeat(1_101)}--b--`, TYPE, /more than 1100 parts/],
])('a form with %s is refused with the reason', async (_what, form, type, reason) => {
  await expect(read(form, type)).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringMatching(reason) });
});

test('another content type is refused as such', async () => {
  for (const type of ['application/json', 'multipart/mixed; boundary=b', 'multipart/form-datax; boundary=b', ''])
    await expect(read(formOf(DISPOSITION), type)).rejects.toMatchObject({ code: 'UNSUPPORTED_TYPE' });
});

test('a form that breaks nowhere is read the same however its bytes are cut, and one that is cut short is refused', async () => {
  const text = fc
    .array(fc.constantFrom('\r\n', '--b', '--', '-', 'b', '\r', '\n', 'x', ' '), { maxLength: 12 })
    .map((words) => words.join(''));
  const bodies = fc.array(
    text.filter((body) => !`\r\n${body}`.includes('\r\n--b')),
    { minLength: 1, maxLength: 4 },
  );
  const cuts = fc.array(fc.nat(400), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(bodies, cuts, fc.nat(), async (expected, at, shortened) => {
      const form = `${expected.map((body, n) => `--b\r\n${DISPOSITION}; filename="${n}"\r\n\r\n${body}\r\n`).join('')}--b--`;
      const parts = await read(
        form,
        TYPE,
        at.map((cut) => cut % form.length),
      );
      expect(parts.map((part) => part.text)).toEqual(expected);
      await expect(read(form.slice(0, shortened % form.length), TYPE, at)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    }),
    { numRuns: 300 },
  );
});

test('any bytes are read as a form or refused, never anything else', async () => {
  const noise = fc.array(
    fc.constantFrom('--b', '\r\n', '--', DISPOSITION, '; filename="a"', ':', ' ', '"', '\0', 'x', 'Content-Type: a/b', '\xff'),
    {
      maxLength: 30,
    },
  );
  await fc.assert(
    fc.asyncProperty(noise, async (words) => {
      await read(Buffer.from(words.join(''), 'latin1')).catch((error: unknown) => expect(error).toMatchObject({ code: 'INVALID_INPUT' }));
    }),
    { numRuns: 500 },
  );
});

test('what fetch makes of a form is read', async () => {
  const form = new FormData();
  form.append('user_id', 'ä"\r\nb');
  form.append('file', new Blob([new Uint8Array(300_000).fill(45)], { type: 'text/csv' }), 'na"me\r\n.csv');
  const request = new Request('http://localhost', { method: 'POST', body: form });
  const bytes = Buffer.from(await request.arrayBuffer());
  const [field, file] = await read(bytes, request.headers.get('content-type')!);
  expect(field).toEqual({ name: 'user_id', mediaType: 'text/plain', text: Buffer.from('ä"\r\nb').toString('latin1') });
  expect(file).toMatchObject({ name: 'file', mediaType: 'text/csv', filename: 'na%22me%0D%0A.csv' });
  expect(file!.text).toHaveLength(300_000);
});

test('a reader that stops in a part, or leaves it, loses nothing of the next one', async () => {
  const form = `--b\r\n${DISPOSITION}; filename="a"\r\n\r\n${'x'.repeat(100_000)}\r\n--b\r\n${DISPOSITION}; filename="b"\r\n\r\ny\r\n--b--`;
  const names: string[] = [];
  for await (const { filename, body } of readMultipart(Readable.from([Buffer.from(form)]), TYPE)) {
    names.push(filename!);
    if (filename !== 'a') continue;
    for await (const { length } of body) {
      expect(length).toBeGreaterThan(0);
      break;
    }
  }
  expect(names).toEqual(['a', 'b']);
});
