import { stringify } from 'csv-stringify/sync';
import { parseAll, type ReadRows } from '../bytes.js';
import type { RowOptions } from '../../../src/records/parse/parse-rows.js';

/** The fields of all rows, and what was told of them. */
async function read(text: string, options?: RowOptions): Promise<{ rows: unknown[]; warnings: string[] }> {
  const { rows, warnings }: ReadRows = await parseAll(text, 'csv', options, 1_000);
  return { rows: rows.map((row) => ('problem' in row ? `${row.line}: ${row.problem}` : row.row)), warnings };
}

describe('the delimiter is the one that all rows speak for', () => {
  test.each([
    [
      'commas in the names of a semicolon table',
      'Name;Price (EUR, net);Size (cm, outer, max)\nDesk;x;3\nChair;y;4\n',
      ['Name', 'Price (EUR, net)', 'Size (cm, outer, max)'],
    ],
    ['decimal commas in a semicolon table', 'a;b\n1,5;2,25\n3,5;4,25\n', ['a', 'b']],
    ['semicolons in the names of a comma table', 'id,tags (a;b;c),note\n1,x,y\n2,z,w\n', ['id', 'tags (a;b;c)', 'note']],
    ['lists in the cells of a comma table', 'id,tags\n1,a;b;c\n2,d;e;f\n3,g;h;i\n', ['id', 'tags']],
    ['prose in a tab table', 'id\ttext\n1\tHello, world, again\n2\tFoo, bar\n', ['id', 'text']],
    ['pipes', 'a|b|c\n1,5|x|2\n2,5|y|3\n', ['a', 'b', 'c']],
    ['one row and a header', 'Name;Price (EUR, net)\nDesk;1,5\n', ['Name', 'Price (EUR, net)']],
    ['a header alone', 'Name;Price (EUR, net);Size\n', ['Name', 'Price (EUR, net)', 'Size']],
    ['quoted cells with every delimiter', '"a;b","c,d|e"\n"1;2","3,4|5"\n', ['a;b', 'c,d|e']],
    ['a comma table with a semicolon in each row', 'id,a\n1,x;y\n2,x;y\n', ['id', 'a']],
    ['rows of different lengths', 'a,b,c\n1,2\n1,2,3\n4,5,6\n7;8,9\n', ['a', 'b', 'c']],
    ['one column', 'name\nAda\nBob\n', ['name']],
    ['decimal commas in one column', 'price\n12,5\n145,25\n5\n', ['price']],
    ['a row of many commas below two names', 'part1|part2\n1046|de,id,ke,ls,po\n', ['part1', 'part2']],
    ['prose in one column', 'note\nHello, world\nA, b, and c\nplain\n', ['note']],
  ])('%s', async (_, text, columns) => {
    const { rows } = await read(`${text}`);
    if (rows.length > 0) expect(Object.keys(rows.at(-1) as object)).toEqual(columns);
    else expect((await read(`${text}${columns.map(() => 'x').join(';')}\n`)).rows).toHaveLength(1);
  });

  test('a file called TSV has tabs where both would do', async () => {
    const text = 'a,b\tc\n1,2\t3\n';
    expect(Object.keys((await read(text, { expectedDelimiter: '\t' })).rows[0] as object)).toEqual(['a,b', 'c']);
    expect((await read('a,b\n1,2\n', { expectedDelimiter: '\t' })).rows).toEqual([{ a: 1, b: 2 }]);
  });

  test.each(['^', ':', '~', ' ', '€', '-'])('%j parts the cells when that is said', async (delimiter) => {
    const text = stringify(
      [
        ['a', 'b, c'],
        ['1', `x${delimiter}y`],
      ],
      { delimiter },
    );
    expect((await read(text, { delimiter })).rows).toEqual([{ a: 1, 'b, c': `x${delimiter}y` }]);
  });

  test.each(['^', '~', '\x01'])('%j is told as one that may part the cells, when each line has it as often', async (delimiter) => {
    const text = `id${delimiter}name\n1${delimiter}Ada\n2${delimiter}Bob\n`;
    expect(await read(text)).toMatchObject({ rows: [{}, {}], warnings: [expect.stringMatching(/^each line has ".+" as often/)] });
    expect(await read(text, { delimiter })).toEqual({
      rows: [
        { id: 1, name: 'Ada' },
        { id: 2, name: 'Bob' },
      ],
      warnings: [],
    });
    expect((await read(`name\na${delimiter}b\nc\n`)).warnings).toEqual([]);
  });

  test('tab is said in words', async () => {
    expect((await read('a,b\tc\n1\t2\n', { delimiter: 'tab' })).rows).toEqual([{ 'a,b': 1, c: 2 }]);
  });

  test.each([
    ['sep=;\na,x;b\n1;2\n', [{ 'a,x': 1, b: 2 }], ';'],
    ['\ufeffsep=|\r\na|b\r\n1|2\r\n', [{ a: 1, b: 2 }], '|'],
    ['SEP=^\na^b\n1^2\n', [{ a: 1, b: 2 }], '^'],
    ['"sep=;"\na;b\n1;2\n', [{ a: 1, b: 2 }], ';'],
    ['sep=\t\na\tb\n1\t2\n', [{ a: 1, b: 2 }], ' '],
  ])("Excel's first line %j is obeyed and told", async (text, rows, shown) => {
    expect(await read(text)).toEqual({ rows, warnings: [`line 1 is no row: it says what parts the cells ("${shown}" does)`] });
  });

  test('a setting is stronger than that line', async () => {
    expect((await read('sep=;\na,b\n1,2\n', { delimiter: ',' })).rows).toEqual([{ a: 1, b: 2 }]);
  });
});

describe('quotes', () => {
  test('may be apostrophes, when cells are wrapped in them', async () => {
    const text = "'id','name'\n'1','Chair, red'\n'2','it''s new'\n";
    expect(await read(text)).toMatchObject({
      rows: [
        { id: '1', name: 'Chair, red' },
        { id: '2', name: "it's new" },
      ],
      warnings: expect.arrayContaining(['apostrophes are read as quotes']),
    });
  });

  test.each([
    ["name,note\nO'Neill,it's\nD'Arcy,'tis\n", { name: "O'Neill", note: "it's" }],
    ["id,code\n1,'007\n2,'008\n", { id: 1, code: "'007" }],
    [`id,note\n1,"it's, 'fine'"\n2,"x"\n`, { id: 1, note: "it's, 'fine'" }],
  ])('are no apostrophes in %j', async (text, first) => {
    expect((await read(text)).rows[0]).toEqual(first);
  });

  test('are text behind a backslash, where rows can be read only so', async () => {
    const text = 'id;note\n1;"Venture \\"Extended; Very Large\\""\n2;"a \\\\ b"\n3;"plain"\n';
    expect(await read(text)).toEqual({
      rows: [
        { id: 1, note: 'Venture "Extended; Very Large"' },
        { id: 2, note: 'a \\ b' },
        { id: 3, note: 'plain' },
      ],
      warnings: ['a quote behind a backslash is text'],
    });
    expect((await read('id,path\n1,"C:\\dir\\"\n2,"D:\\x"\n')).rows).toEqual([
      { id: 1, path: 'C:\\dir\\' },
      { id: 2, path: 'D:\\x' },
    ]);
  });

  test('mean nothing when it is said that there are none', async () => {
    expect((await read('a,b\n"1,2"\n', { quote: 'none' })).rows).toEqual([{ a: '"1', b: '2"' }]);
  });

  test('are another character when that is said', async () => {
    expect((await read('a,b\n$x,y$,$z$\n', { quote: '$' })).rows).toEqual([{ a: 'x,y', b: 'z' }]);
  });
});

describe('what stands above the table', () => {
  test.each([
    ['a title', 'Monthly report\nid,name,price\n1,Chair,4.5\n2,Desk,9\n', [1]],
    ['a title and an empty line', 'Monthly report\n\nid,name,price\n1,Chair,4.5\n2,Desk,9\n', [1]],
    ['several lines of prose', 'Monthly report\nAll shops together\nSecret!\n\nid,name,price\n1,Chair,4.5\n2,Desk,9\n', [1, 2, 3]],
    ['a title that a spreadsheet filled up with commas', 'Monthly report,,\n,,\nid,name,price\n1,Chair,4.5\n2,Desk,9\n', [1, 2]],
    ['rows of commas', ',,\n,,\nid,name,price\n1,Chair,4.5\n2,Desk,9\n', [1, 2]],
    ['a label in quotes that has commas', '"a, b, c"\nid,name,price\n1,Chair,4.5\n2,Desk,9\n', [1]],
    ['a quoted title', '"Monthly report, 2026"\nid,name,price\n1,Chair,4.5\n2,Desk,9\n', [1]],
    ['labels with values', 'Report,Monthly\nDate,2026-01-31\n\nid,name,price\n1,Chair,4.5\n2,Desk,9\n', [1, 2]],
    ['comments', '# made by hand\n#id: 7, 8, 9\nid,name,price\n1,Chair,4.5\n2,Desk,9\n', [1, 2]],
    ['a title and a comment', 'Monthly report\n# made by hand\nid,name,price\n1,Chair,4.5\n2,Desk,9\n', [1, 2]],
  ])('%s is passed over and told', async (_, text, lines) => {
    const { rows, warnings } = await read(text);
    expect(rows).toEqual([
      { id: 1, name: 'Chair', price: 4.5 },
      { id: 2, name: 'Desk', price: 9 },
    ]);
    expect(
      warnings.filter((warning) => warning.includes('above the table')).map((warning) => Number(/line (\d+)/.exec(warning)![1])),
    ).toEqual(lines);
  });

  test('years are names like others', async () => {
    expect((await read('Population,,\nCountry,2019,2020\nDE,83.1,83.2\nFR,67.1,67.3\n')).rows).toEqual([
      { Country: 'DE', 2019: 83.1, 2020: 83.2 },
      { Country: 'FR', 2019: 67.1, 2020: 67.3 },
    ]);
  });

  test.each([
    ['a header with few names', 'name,,\nAda,1,2\nBob,3,4\n', ['name', 'column 2', 'column 3']],
    ['an unnamed index', ',price\n0,1.5\n1,2.5\n', ['column 1', 'price']],
    ['a header that is shorter than its rows', 'a,b\n1,2,3\n4,5,6\n', ['a', 'b', 'column 3']],
    ['words throughout', 'name,,\nAda,x,y\nBob,z,w\n', ['name', 'column 2', 'column 3']],
    ['a name with #', '#id,name\n1,Ada\n2,Bob\n', ['#id', 'name']],
    ['a name with # over words', '#name,city\nAda,London\nBob,Paris\n', ['#name', 'city']],
  ])('%s is no title', async (_, text, columns) => {
    const { rows } = await read(text);
    expect(rows).toHaveLength(2);
    expect(Object.keys(rows[0] as object)).toEqual(columns);
  });

  test.each(['1,2.5,x\n3,4.5,y\n', 'a,2.5,x\nb,4.5,y\n', '2026-01-31,a\n2026-02-28,b\n'])(
    'a header that looks like a row of values is read as one, and told: %j',
    async (text) => {
      const { rows, warnings } = await read(text);
      expect(rows).toHaveLength(1);
      expect(warnings).toEqual([expect.stringMatching(/^line 1 is read as the names of the columns, though it has numbers or dates/)]);
    },
  );

  test('the header may be named by its line, or be none', async () => {
    expect(await read('x\n\ny,z\na,b\n1,2\n', { header: 4 })).toEqual({ rows: [{ a: 1, b: 2 }], warnings: [] });
    expect(await read('1,2\n3,4\n', { header: 'none' })).toEqual({
      rows: [
        { 'column 1': 1, 'column 2': 2 },
        { 'column 1': 3, 'column 2': 4 },
      ],
      warnings: [],
    });
    await expect(read('a,b\n1,2\n', { header: 9 })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/^header: no row begins at line 9/),
    });
  });

  test('a header far below is found by its line', async () => {
    const text = `${'words, words\n'.repeat(9_999)}id,name\n1,Ada\n`;
    expect((await read(text, { header: 10_000 })).rows).toEqual([{ id: 1, name: 'Ada' }]);
  });
});

describe('what stands below the table', () => {
  const TABLE = 'id,name,price\n1,Chair,4.5\n2,Desk,9\n';

  test.each([
    ['a note after an empty line', '\nSource\n', [5]],
    ['prose', 'Made by the shop of Berlin\n', [4]],
    ['a label', 'Source: the shop\n', [4]],
    ['several lines', '\nSource: the shop\nMade in 2026\n', [5, 6]],
    ['a total after a row of commas', ',,\nTotal,,13.5\n', [5]],
    ['a total and a note', '\nTotal,,13.5\nprices without tax\n', [5, 6]],
    ['a count of rows', '(2 rows)\n', [4]],
    ['notes that a spreadsheet filled up with commas', ',,\nPrices are without tax,,\nMade in Berlin,,\n', [5, 6]],
  ])('%s is passed over and told', async (_, below, lines) => {
    const { rows, warnings } = await read(TABLE + below);
    expect(rows).toEqual([
      { id: 1, name: 'Chair', price: 4.5 },
      { id: 2, name: 'Desk', price: 9 },
    ]);
    expect(
      warnings.filter((warning) => warning.includes('below the table')).map((warning) => Number(/line (\d+)/.exec(warning)![1])),
    ).toEqual(lines);
  });

  test('a total right below the last row is read as one, and told', async () => {
    const { rows, warnings } = await read(`${TABLE}Total,,13.5\n`);
    expect(rows.at(-1)).toEqual({ id: 'Total', name: null, price: 13.5 });
    expect(warnings).toContain('line 4 looks like a total of the rows above; it is read as a row');
  });

  test('rows that no delimiter parts are rows, when there are no others', async () => {
    expect((await read('name,note\nAda said hello there\nBob said nothing at all\n')).rows).toEqual([
      { name: 'Ada said hello there', note: null },
      { name: 'Bob said nothing at all', note: null },
    ]);
  });

  test.each([
    ['a short row', `${TABLE}3\n`, { id: 3, name: null, price: null }],
    ['one of several', `${TABLE}the third one here\n4,Lamp,1\nthe fifth one here\n`, { id: 'the fifth one here', name: null, price: null }],
  ])('%s at the end is a row', async (_, text, last) => {
    expect((await read(text)).rows.at(-1)).toEqual(last);
  });
});

describe('columns', () => {
  test.each([
    ['commas at the end of each line', 'sku,name,\nA1,Chair,\nA2,Desk,\n', []],
    ['many of them', `sku,name${','.repeat(3_000)}\nA1,Chair${','.repeat(3_000)}\nA2,Desk\n`, []],
    ['one in the middle', 'sku,,name\nA1,,Chair\nA2,,Desk\n', []],
    ['blanks for a name', 'sku, ,name\nA1,,Chair\nA2, ,Desk\n', []],
    ['commas in the rows only', 'sku,name\nA1,Chair,,\nA2,Desk,\n', []],
  ])('without name and value are left out: %s', async (_, text, warnings) => {
    expect(await read(text, { delimiter: ',' })).toEqual({
      rows: [
        { sku: 'A1', name: 'Chair' },
        { sku: 'A2', name: 'Desk' },
      ],
      warnings,
    });
  });

  test('without name but with values are called by their number, and told', async () => {
    expect(await read(',sku,name,\n0,A1,Chair,\n1,A2,Desk,x\n')).toEqual({
      rows: [
        { 'column 1': 0, sku: 'A1', name: 'Chair', 'column 4': null },
        { 'column 1': 1, sku: 'A2', name: 'Desk', 'column 4': 'x' },
      ],
      warnings: ['column 1 has no name and is called "column 1"', 'column 4 has no name and is called "column 4"'],
    });
  });

  test('with the same name are told apart, and told', async () => {
    expect(await read('name,name 2,name,name,column 5,\na,b,c,d,e,f\n')).toEqual({
      rows: [{ name: 'a', 'name 2': 'b', 'name 3': 'c', 'name 4': 'd', 'column 5': 'e', 'column 6': 'f' }],
      warnings: [
        'column 3 is called "name 3": column 1 is "name" too',
        'column 4 is called "name 4": column 1 is "name" too',
        'column 6 has no name and is called "column 6"',
      ],
    });
  });

  test('a thousand with one name are told apart in no time', async () => {
    const { rows, warnings } = await read(
      `${Array.from({ length: 1_000 }, () => 'x').join()}\n${Array.from({ length: 1_000 }, (_, n) => n).join()}\n`,
    );
    expect(Object.keys(rows[0] as object)).toHaveLength(1_000);
    expect(warnings).toHaveLength(11);
    expect(warnings.at(-1)).toBe('989 more columns have names that are there twice or not at all');
  });
});

describe('rows', () => {
  test.each([
    ['of commas', 'sku,name\nA1,Chair\n,\n,\nA2,Desk\n,\n', '3 rows (lines 3, 4, 6) without any value: passed over'],
    ['of blanks', 'sku,name\nA1,Chair\n  \n , \nA2,Desk\n', '2 rows (lines 3, 4) without any value: passed over'],
    ['of empty quotes', 'sku,name\nA1,Chair\n"",""\nA2,Desk\n', '1 row (line 3) without any value: passed over'],
    [
      'by the thousand',
      `sku,name\nA1,Chair\nA2,Desk\n${',\n'.repeat(5_000)}`,
      '5000 rows (lines 4, 5, 6, 7, 8, …) without any value: passed over',
    ],
  ])('%s are passed over and counted', async (_, text, warning) => {
    expect(await read(text)).toEqual({
      rows: [
        { sku: 'A1', name: 'Chair' },
        { sku: 'A2', name: 'Desk' },
      ],
      warnings: [warning],
    });
  });

  test('empty lines are no rows, and the mark of DOS for the end of a file is none', async () => {
    expect(await read('a,b\r\n\r\n1,2\r\n\r\n\x1a')).toEqual({
      rows: [{ a: 1, b: 2 }],
      warnings: [expect.stringContaining('(line 5) without any value')],
    });
  });

  const RAGGED = 'a,b,c\n1,2\n1,2,3,4\n1,2,3,\n5,6,7\n';

  test('with too few or too many cells are filled up or get columns of their own, and are told', async () => {
    expect(await read(RAGGED)).toEqual({
      rows: [
        { a: 1, b: 2, c: null, 'column 4': null },
        { a: 1, b: 2, c: 3, 'column 4': 4 },
        { a: 1, b: 2, c: 3, 'column 4': null },
        { a: 5, b: 6, c: 7, 'column 4': null },
      ],
      warnings: [
        '1 row (line 2) with fewer cells than the header: null fills them up',
        '1 row (line 3) with values beyond the header: these have columns of their own',
      ],
    });
  });

  test('are left out or refused instead, when that is said', async () => {
    expect(await read(RAGGED, { raggedRows: 'skip' })).toMatchObject({
      rows: [{ c: 3 }, { c: 7 }],
      warnings: [expect.stringContaining('left out'), expect.stringContaining('left out')],
    });
    expect((await read(RAGGED, { raggedRows: 'refuse' })).rows).toEqual([
      '2: the row has 2 cells and the header 3',
      '3: the row has 4 cells and the header 3',
      { a: 1, b: 2, c: 3 },
      { a: 5, b: 6, c: 7 },
    ]);
  });

  test('with more cells than can be read are wrong', async () => {
    const wide = Array.from({ length: 1_200 }, (_, n) => n).join();
    expect((await read(`a,b\n1,2\n${wide}\n`)).rows).toEqual([{ a: 1, b: 2 }, '3: the row has 1200 cells; at most 1000 are read']);
  });

  test('that begin with # and are one cell are comments; others that begin with it are rows', async () => {
    expect(await read('a,b\n#1,2\n# a comment\n#\n3,4\n')).toEqual({
      rows: [
        { a: '#1', b: 2 },
        { a: '3', b: 4 },
      ],
      warnings: ['2 rows (lines 3, 4) that are comments: passed over', 'the column "a" stays text: #1 (line 2) is no plain number'],
    });
    expect((await read('tag\n#one\n#two\n')).rows).toEqual([{ tag: '#one' }, { tag: '#two' }]);
  });

  test('that begin with the sign of comments are passed over, when that is said, whatever is in them', async () => {
    const text = 'a,b\n//x "y, "z\n1,2\n//\n3,4\n';
    expect(await read(text, { comment: '//' })).toEqual({
      rows: [
        { a: 1, b: 2 },
        { a: 3, b: 4 },
      ],
      warnings: ['2 rows (lines 2, 4) that are comments: passed over'],
    });
  });

  test('none at all is told', async () => {
    expect(await read('a,b\n')).toEqual({ rows: [], warnings: ['there are no rows below the header'] });
  });
});

test.each([
  [{ delimiter: ';', quote: ';' }, /^quote: is the delimiter too/],
  [{ delimiter: '#', comment: '#' }, /^comment: is the delimiter too/],
  [{ quote: '#', comment: '#' }, /^comment: is the quote too/],
])('settings that contradict each other are refused: %j', async (options, message) => {
  await expect(read('a,b\n1,2\n', options)).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringMatching(message) });
});

test('settings of CSV are refused for other formats', async () => {
  for (const format of ['ndjson', 'json'] as const) {
    await expect(parseAll('[]', format, { delimiter: ';' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: `delimiter: is for CSV, and the rows are ${format}; leave it out`,
    });
  }
});
