import { stringify } from 'csv-stringify/sync';
import type { RowOptions } from '../../../src/records/parse/parse-rows.js';
import { parseAll } from '../bytes.js';

/** The values of one column, and what was told. */
async function column(cells: string[], options?: RowOptions & { delimiter?: string }): Promise<{ values: unknown[]; warnings: string[] }> {
  const delimiter = options?.delimiter ?? ',';
  const { rows, warnings } = await parseAll(
    `key${delimiter}x\n${cells.map((cell, index) => `k${index}${delimiter}${cell}\n`).join('')}`,
    'csv',
    options,
    1_000,
  );
  const told = warnings.filter((warning) => !warning.startsWith('cells=numbers'));
  return { values: rows.map((row) => ('row' in row ? row.row.x : row.problem)), warnings: told };
}

describe('a column has one type, that of all of its cells', () => {
  test.each([
    ['whole numbers', ['1', '-20', '300', '0'], [1, -20, 300, 0]],
    ['numbers', ['1.5', '2', '-0.25', '1234.5678'], [1.5, 2, -0.25, 1234.5678]],
    ['numbers with blanks around', [' 1', '2 ', ' 3.5 '], [1, 2, 3.5]],
    ['small and large ones, as programs write them', ['1.5e-7', '2.25', '1e+21'], [1.5e-7, 2.25, 1e21]],
    ['true and false', ['true', 'false', 'true'], [true, false, true]],
    ['TRUE and FALSE', ['TRUE', 'FALSE', ''], [true, false, null]],
    ['numbers and empty cells', ['1', '', '3', '  '], [1, null, 3, null]],
    ['nothing', ['', '', ''], [null, null, null]],
    ['text and empty cells', ['a', '', '""', '" "'], ['a', null, '', ' ']],
    ['dates', ['2026-01-31', '2026-02-28'], ['2026-01-31', '2026-02-28']],
  ])('%s', async (_, cells, values) => {
    expect(await column(cells)).toEqual({ values, warnings: [] });
  });

  test.each([
    ['a zero in front', ['10115', '01067', '10117'], '01067 (line 3) is no plain number'],
    ['a word', ['1', '2', 'three', '4'], 'three (line 4) is no plain number'],
    ['NA', ['1.5', 'NA', '2.5'], 'NA (line 3) is no plain number'],
    ['a sign in front', ['5', '+49', '6'], '+49 (line 3) is no plain number'],
    ['too many digits', ['1', '12345678901234567'], '12345678901234567 (line 3) is no plain number'],
    ['too many digits behind the point', ['1', '0.12345678901234567'], '0.12345678901234567 (line 3) is no plain number'],
    ['letters that could be an exponent', ['1', '2', '12E4'], '12E4 (line 4) would change as a number'],
    ['a zero behind', ['1.1', '1.10', '1.2'], '1.10 (line 3) would change as a number'],
    ['two decimals throughout', ['1.10', '2.50', '3.00'], '1.10 (line 2) would change as a number'],
    ['a negative zero', ['1', '-0'], '-0 (line 3) is no plain number'],
    ['a percent sign', ['1', '5%'], '5% (line 3) is no plain number'],
    ['true', ['1', '2', 'true'], 'true (line 4) is no plain number'],
    ['quotes in some rows', ['1', '"2"', '3'], 'its numbers are in quotes'],
    ['quotes in all rows', ['"1"', '"2"'], 'its numbers are in quotes'],
    ['points and commas', ['1.5', '"2,5"', '1'], 'its numbers are in quotes'],
  ])('text, for %s, and that is told', async (_, cells, why) => {
    const { values, warnings } = await column(cells);
    expect(values).toEqual(cells.map((cell) => cell.replaceAll('"', '')));
    expect(warnings).toEqual([`the column "x" stays text: ${why}`]);
  });

  test.each([
    ['words with a number among them', ['one', 'two', '3']],
    ['telephone numbers', ['+49 30 1234', '+49 30 5678']],
    ['articles', ['12E4', 'A-1', 'B-2']],
    ['words in quotes', ['"a"', '"b"']],
  ])('text, for %s, of which there is nothing to tell', async (_, cells) => {
    expect((await column(cells)).warnings).toEqual([]);
  });

  test('what all rows tell holds also when the last of thousands does not fit', async () => {
    const { values } = await column([...Array.from({ length: 5_000 }, (_, n) => String(n)), 'x']);
    expect(values[0]).toBe('0');
    expect(values.at(-1)).toBe('x');
  });

  test('rows that are left out have no say', async () => {
    const { rows } = await parseAll('a,b\n1,2\n3\nx,y,z\n5,6\n', 'csv', { raggedRows: 'skip' });
    expect(rows).toMatchObject([{ row: { a: 1, b: 2 } }, { row: { a: 5, b: 6 } }]);
  });
});

describe('decimal marks', () => {
  test.each([
    ['a decimal comma', ['1,5', '2', '-0,25'], [1.5, 2, -0.25]],
    ['a decimal point', ['1.5', '2', '12.25'], [1.5, 2, 12.25]],
    ['a decimal point and three digits beside others', ['1.125', '2.5'], [1.125, 2.5]],
  ])('%s is read in a table of semicolons', async (_, cells, values) => {
    expect(await column(cells, { delimiter: ';' })).toEqual({ values, warnings: [] });
  });

  test.each([
    ['1.255', ';', '1.255 (line 2) may be a fraction, or a thousand and more'],
    ['1,255', ';', '1,255 (line 2) may be a fraction, or a thousand and more'],
    ['1.255', '\t', '1.255 (line 2) may be a fraction, or a thousand and more'],
    ['1.250', ';', '1.250 (line 2) may be a fraction, or a thousand and more'],
    ['1.250,00', ';', '1.250,00 (line 2) would change as a number'],
    ['1 234,56', ';', '1 234,56 (line 2) would change as a number'],
    ['1\xa0234,56', ';', '1\xa0234,56 (line 2) would change as a number'],
    ['1\u202f234,5', ';', '1\u202f234,5 (line 2) would change as a number'],
    ['1\u2009234', ';', '1\u2009234 (line 2) would change as a number'],
    ["1'234.50", ',', "1'234.50 (line 2) would change as a number"],
    ['1’234', ',', '1’234 (line 2) would change as a number'],
    ['12.345.678', ';', '12.345.678 (line 2) would change as a number'],
  ])('%j stays text in a table of %j, and that is told', async (cell, delimiter, why) => {
    expect(await column([cell, '7'], { delimiter })).toEqual({ values: [cell, '7'], warnings: [`the column "x" stays text: ${why}`] });
  });

  test('three digits behind a point are no fraction where other columns have decimal commas', async () => {
    const { rows } = await parseAll('a;b\n1.255;1,5\n2.125;2,5\n', 'csv');
    expect(rows).toMatchObject([{ row: { a: '1.255', b: 1.5 } }, { row: { a: '2.125', b: 2.5 } }]);
    const { rows: quoted } = await parseAll('a,b\n1.255,"1,5"\n2.125,"2,5"\n', 'csv');
    expect(quoted).toMatchObject([{ row: { a: '1.255', b: '1,5' } }, { row: { a: '2.125', b: '2,5' } }]);
  });

  test('they are where nothing speaks for decimal commas', async () => {
    expect(await column(['1.255', '2.125'])).toEqual({ values: [1.255, 2.125], warnings: [] });
    const { rows } = await parseAll('a\tb\n1.255\t1.5\n2.125\t2.5\n', 'csv');
    expect(rows).toMatchObject([{ row: { a: 1.255 } }, { row: { a: 2.125 } }]);
  });

  test('both in one column leave it text', async () => {
    expect(await column(['1,5', '2.5'], { delimiter: ';' })).toEqual({
      values: ['1,5', '2.5'],
      warnings: ['the column "x" stays text: its numbers are written in several ways'],
    });
  });
});

describe('cells=numbers reads numbers by their value', () => {
  test.each([
    ['in quotes', ['"1"', '"2.5"'], ',', [1, 2.5]],
    ['with zeros behind', ['1.10', '2.50', '3'], ',', [1.1, 2.5, 3]],
    ['with grouped digits', ['"1,234.50"', '"12,345"', '7'], ',', [1234.5, 12345, 7]],
    ['with points between the groups', ['1.250,00', '1.250', '3,5'], ';', [1250, 1250, 3.5]],
    ['with blanks between the groups', ['1 234,56', '7\xa0000', '1\u202f000'], ';', [1234.56, 7000, 1000]],
    ['with apostrophes', ["1'234.50", '2’000'], ',', [1234.5, 2000]],
    ['with exponents', ['1e5', '2E3', '2.50e-1'], ',', [100000, 2000, 0.25]],
  ])('%s', async (_, cells, delimiter, values) => {
    expect(await column(cells, { delimiter, cells: 'numbers' })).toEqual({ values, warnings: [] });
  });

  test.each([
    ['zeros in front', ['007', '8']],
    ['more digits than a number holds', ['12345678901234567', '1']],
    ['a mark that may be either', ['1.250', '2.500']],
  ])('but not those with %s', async (_, cells) => {
    const { values, warnings } = await column(cells, { delimiter: ';', cells: 'numbers' });
    expect(values).toEqual(cells);
    expect(warnings).toHaveLength(1);
  });
});

test('what cells=numbers would do is told where it would do something', async () => {
  const remedyOf = async (text: string): Promise<string[]> =>
    (await parseAll(text, 'csv')).warnings.filter((warning) => warning.startsWith('cells='));
  expect(await remedyOf('a,b,c\n1.10,"2",007\n')).toEqual(['cells=numbers reads 2 columns of text as numbers, by their value']);
  expect(await remedyOf('a,b\n007,x\n')).toEqual([]);
});

test('cells=text leaves every cell as it is', async () => {
  expect(await column(['1', '1.50', 'true', '', '"x"'], { cells: 'text' })).toEqual({
    values: ['1', '1.50', 'true', '', 'x'],
    warnings: [],
  });
});

test('the key column stays as it is, whatever it holds', async () => {
  const { rows, warnings } = await parseAll('version,downloads\n1.10,5\n1.1,6\n 7,8\n', 'csv', { textColumn: 'version' });
  expect(rows).toMatchObject([{ row: { version: '1.10', downloads: 5 } }, { row: { version: '1.1' } }, { row: { version: ' 7' } }]);
  expect(warnings).toEqual([]);
});

test('of many mixed columns ten are told, and the number of the others', async () => {
  const header = Array.from({ length: 40 }, (_, n) => `c${n}`);
  const text = stringify([header, header.map(() => '1'), header.map(() => '01')]);
  const { warnings } = await parseAll(text, 'csv', {}, 1_000);
  expect(warnings).toHaveLength(11);
  expect(warnings.at(-1)).toBe('30 more columns with numbers stay text');
});
