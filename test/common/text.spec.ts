import iconv from 'iconv-lite';
import { ByteSurvey } from '../../src/common/text/byte-survey.js';
import { findCharset } from '../../src/common/text/charset.js';
import { decodeText } from '../../src/common/text/decode-text.js';
import { toUtf8 } from '../../src/common/text/to-utf8.js';
import { textHead } from '../../src/common/text/text-head.js';

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes.length; from += size) {
    await Promise.resolve();
    yield bytes.subarray(from, from + size);
  }
}

async function read(
  bytes: Buffer,
  declared?: string,
  size = 5,
): Promise<{ text: string; charset: string; isDamaged: boolean; warnings: string[] }> {
  const found = findCharset(await ByteSurvey.of(pieces(bytes, size)), declared);
  let text = '';
  for await (const piece of decodeText(pieces(bytes, size), found.charset)) text += piece;
  return { ...found, text };
}

const TEXTS: Record<string, string> = {
  German: 'Name;Ort;Straße\nMüller;Köln;Hauptstraße 5\nSchäfer;München;„Größe“ – 3 §\n',
  French: 'nom,prénom,ville\nDupré,Hélène,Orléans\nLefèvre,François,Besançon\nœuvre,l’été,ça\n',
  Spanish: 'nombre;año;¿qué?\nMuñoz;2020;sí\nPeña;1999;ñandú\n',
  Danish: 'navn;by\nSøren Ørsted;Århus\nKåre;Tromsø\nÆgir;Ålborg\n',
  Polish: 'imię;miasto\nŁukasz;Łódź\nMałgorzata;Kraków\nStanisław;Gdańsk\nŻaneta;Częstochowa\n',
  Hungarian: 'név;város\nGyőző;Győr\nJózsef;Székesfehérvár\nÖdön;Kőszeg\n',
  Russian: 'имя;город\nИван;Москва\nМария;Санкт-Петербург\n',
  Greek: 'όνομα;πόλη\nΓιώργος;Αθήνα\nΜαρία;Θεσσαλονίκη\n',
  Turkish: 'ad;şehir\nİbrahim;İstanbul\nAyşe;Eskişehir\nÇağrı;Muğla\n',
  Lithuanian: 'vardas;miestas\nŠarūnas;Šiauliai\nŽilvinas;Panevėžys\n',
  Hebrew: 'שם;עיר\nדוד;ירושלים\nרחל;תל אביב\n',
  Japanese: '名前,都市\n田中太郎,東京\n鈴木一郎,大阪市\n',
  Korean: '이름,도시\n김철수,서울\n이영희,부산\n',
  Chinese: '姓名,城市\n张伟,北京\n王芳,上海\n',
  Taiwanese: '姓名,城市\n陳大文,臺北\n王小明,高雄\n',
};
const text = (language: string): string => TEXTS[language]!;

describe('a text that says nothing of its charset', () => {
  test.each(Object.keys(TEXTS))('is UTF-8 when it can be: %s, however it is cut', async (language) => {
    for (const size of [1, 2, 3, 7, 1_000]) {
      expect(await read(Buffer.from(text(language)), undefined, size)).toEqual({
        text: text(language),
        charset: 'utf-8',
        isDamaged: false,
        warnings: [],
      });
    }
  });

  test.each([
    ['UTF-8', 'utf-8'],
    ['UTF-16, little end first', 'utf-16le'],
    ['UTF-16, big end first', 'utf-16be'],
    ['UTF-32, little end first', 'utf-32le'],
    ['UTF-32, big end first', 'utf-32be'],
  ])('is told by its byte order mark: %s', async (_, charset) => {
    for (const language of ['German', 'Japanese']) {
      const bytes = iconv.encode(text(language), charset, { addBOM: true });
      expect(await read(bytes, undefined, 3)).toEqual({ text: text(language), charset, isDamaged: false, warnings: [] });
    }
  });

  test.each([
    ['German', 'utf-16le'],
    ['German', 'utf-16be'],
    ['Japanese', 'utf-16le'],
    ['Russian', 'utf-16be'],
  ])('%s in %s is told by its zeros, without a mark', async (language, charset) => {
    const found = await read(iconv.encode(text(language), charset, { addBOM: false }));
    expect(found).toMatchObject({ text: text(language), charset, warnings: [expect.stringMatching(/which every second byte tells/)] });
  });

  test.each([
    ['German', 'windows-1252'],
    ['French', 'windows-1252'],
    ['Spanish', 'windows-1252'],
    ['Danish', 'iso-8859-1'],
    ['Danish', 'macintosh'],
    ['German', 'macintosh'],
    ['Danish', 'cp850'],
    ['Polish', 'windows-1250'],
    ['Polish', 'iso-8859-2'],
    ['Hungarian', 'windows-1250'],
    ['Russian', 'windows-1251'],
    ['Russian', 'koi8-r'],
    ['Russian', 'iso-8859-5'],
    ['Russian', 'cp866'],
    ['Greek', 'windows-1253'],
    ['Turkish', 'windows-1254'],
    ['Turkish', 'iso-8859-9'],
    ['Lithuanian', 'windows-1257'],
    ['Hebrew', 'iso-8859-8'],
    ['Japanese', 'shift_jis'],
    ['Japanese', 'euc-jp'],
    ['Korean', 'euc-kr'],
    ['Chinese', 'gb18030'],
    ['Taiwanese', 'big5'],
  ])('is guessed by its words, with a warning: %s in %s', async (language, charset) => {
    const found = await read(iconv.encode(text(language), charset));
    expect(found.text).toBe(text(language));
    expect(found.warnings).toEqual([
      `read as ${found.charset}, which is a guess: it is not UTF-8 and nothing tells its charset; where letters are wrong, name the charset or save the file as UTF-8`,
    ]);
  });

  test.each([
    ['Gericht\nSpätzle\n', 'windows-1252'],
    ['Artikel;Preis\nStuhl;49 €\n', 'windows-1252'],
    ['Artikel;Preis\nStuhl;49 €\n', 'iso-8859-15'],
    ['name\nCafé\n', 'macintosh'],
    [`${'a,b\n1,2\n'.repeat(20_000)}é\n`, 'windows-1252'],
    [`It’s\ndon’t\n`, 'windows-1252'],
    ['temp;pos\n21,5°;37.8°N\n', 'windows-1252'],
    ['a;b\n1\xa0234,56;x\n', 'windows-1252'],
    ['STRASSE;STADT\nMÜLLERSTRASSE;ZÜRICH\n', 'windows-1252'],
    ['città\nperché, più\n', 'windows-1252'],
  ])('is guessed by few letters too: %.20j in %s', async (words, charset) => {
    expect((await read(iconv.encode(words, charset))).text).toBe(words);
  });

  test('is UTF-8 with damage when most of its letters are', async () => {
    const found = await read(Buffer.concat([Buffer.from('über\näußerst\n'), Buffer.from([0xe9, 0x0a])]));
    expect(found).toMatchObject({ charset: 'utf-8', isDamaged: true, text: 'über\näußerst\n\ufffd\n' });
  });

  test('may be damaged where it has NUL characters or ends in the middle of one', async () => {
    expect(await read(Buffer.from('a\0b,c,d,e,f'))).toMatchObject({ charset: 'utf-8', isDamaged: true });
    expect(await read(Buffer.from('\ufeffab', 'utf16le').subarray(0, 5))).toMatchObject({ charset: 'utf-16le', isDamaged: true });
  });

  test('with a full sample that ends in the middle of a character is guessed all the same', async () => {
    for (const shift of ['', 'x']) {
      const words = shift + '北京市上海市'.repeat(1_000);
      expect((await read(iconv.encode(words, 'gb18030'), undefined, 4_096)).text).toBe(words);
    }
  });
});

describe('a declared charset', () => {
  test.each([
    ['German', 'windows-1252'],
    ['German', 'CP1252'],
    ['Spanish', 'ISO-8859-1'],
    ['Spanish', 'latin1'],
    ['French', 'iso-8859-15'],
    ['Polish', 'iso-8859-2'],
    ['Polish', 'iso-8859-16'],
    ['Russian', 'iso-8859-5'],
    ['Russian', 'KOI8-R'],
    ['Greek', 'iso-8859-7'],
    ['Turkish', 'iso-8859-9'],
    ['Lithuanian', 'iso-8859-13'],
    ['Japanese', 'Shift_JIS'],
    ['Chinese', 'gbk'],
    ['Danish', 'cp850'],
    ['German', 'utf-16le'],
    ['German', 'UTF-16'],
    ['German', 'utf-32le'],
    ['German', 'utf8'],
    ['German', ' UTF-8 '],
  ])('is obeyed: %s in %s', async (language, charset) => {
    const words = charset === 'iso-8859-15' ? text(language).replaceAll('’', "'") : charset === 'cp850' ? text(language) : text(language);
    const bytes = iconv.encode(words, charset.trim());
    expect(await read(bytes, charset)).toMatchObject({ text: iconv.decode(bytes, charset.trim()), warnings: [] });
  });

  test('is obeyed, with a warning, also where the bytes are right UTF-8', async () => {
    expect(await read(Buffer.from('Müller'), 'windows-1252')).toMatchObject({
      text: 'MÃ¼ller',
      warnings: [expect.stringMatching(/^read as windows-1252, which is declared, though its bytes are right UTF-8 too/)],
    });
    expect((await read(Buffer.from('Miller'), 'windows-1252')).warnings).toEqual([]);
  });

  test.each([
    ['klingon', Buffer.from('a'), /"klingon" is not a known charset/],
    ['base64', Buffer.from('YQ=='), /not a known charset/],
    ['utf-7', Buffer.from('a'), /not a known charset/],
    ['utf-16', Buffer.from('a,b\n1,2\n'), /no byte of it is zero/],
    ['utf-8', Buffer.from('\ufeffa,b\n', 'utf16le'), /begins with the byte order mark of utf-16le/],
    ['utf-8', Buffer.from('a,b\n1,2\n', 'utf16le'), /every second byte is zero/],
    ['windows-1252', Buffer.from('\ufeffa,b\n'), /begins with the byte order mark of utf-8/],
    ['us-ascii', Buffer.from('Müller'), /has bytes beyond ASCII/],
    ['utf-16be', Buffer.from('\ufeffa,b\n', 'utf16le'), /begins with the byte order mark of utf-16le/],
  ])('that is unknown or cannot be is refused: %s', async (charset, bytes, message) => {
    await expect(read(bytes, charset)).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringMatching(message) });
  });

  test('leaves bytes that it does not have as damage', async () => {
    expect(await read(Buffer.from([0x61, 0x81, 0x62]), 'windows-1252')).toMatchObject({ text: 'a\ufffdb', isDamaged: true });
    expect(await read(Buffer.from([0x61, 0xff]), 'utf-8')).toMatchObject({ text: 'a\ufffd', isDamaged: true });
  });
});

describe('a stream of text', () => {
  const asUtf8 = async (bytes: Buffer, declared?: string): Promise<string> => {
    let found = Buffer.alloc(0);
    for await (const piece of toUtf8(pieces(bytes, 2), declared)) found = Buffer.concat([found, piece]);
    return found.toString();
  };

  test.each([
    ['without a mark', Buffer.from('ü\n'), undefined],
    ['with a mark', Buffer.from('\ufeffü\n'), undefined],
    ['in UTF-16 with a mark', Buffer.from('\ufeffü\n', 'utf16le'), undefined],
    ['in UTF-16 as declared', Buffer.from('ü\n', 'utf16le'), 'utf-16le'],
    ['in UTF-16 with a mark and declared', Buffer.from('\ufeffü\n', 'utf16le').swap16(), 'utf-16'],
    ['in ISO-8859-1 as declared', Buffer.from('ü\n', 'latin1'), 'iso-8859-1'],
  ])('becomes UTF-8: %s', async (_, bytes, declared) => expect(await asUtf8(bytes, declared)).toBe('ü\n'));

  test.each([
    ['klingon', /not a known charset/],
    ['utf-8', /begins with the byte order mark of utf-16le/],
  ])('is refused as %s', async (declared, message) => {
    await expect(asUtf8(Buffer.from('\ufeffü\n', 'utf16le'), declared)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(message),
    });
  });
});

describe('the beginning of bytes', () => {
  test.each([
    ['UTF-8 cut in a character', Buffer.from('äö').subarray(0, 3)],
    ['windows-1252', Buffer.from('Müller', 'latin1')],
    ['UTF-16', Buffer.from('\ufeffab', 'utf16le')],
    ['a vertical tab, as some databases write it in cells', Buffer.from('a\x0bb')],
    ['a control character in UTF-8', Buffer.from('id,name\n1,a\x01b\n')],
  ])('is text: %s', (_, bytes) => expect(textHead(bytes)).toBeDefined());

  test.each([
    ['zeros', Buffer.alloc(100)],
    ['gzip', Buffer.from('1f8b0800000000000003ab560200', 'hex')],
    ['a picture', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')],
    ['an executable', Buffer.from('4d5a90000300000004000000ffff0000', 'hex')],
  ])('is no text: %s', (_, bytes) => expect(textHead(bytes)).toBeUndefined());
});
