// Files that are small to send and large to read, one of each kind that the service reads.
import { deflateSync } from 'node:zlib';
import ExcelJS from 'exceljs';
import sharp from 'sharp';

/**
 * @param small a hundredth of their size
 * @returns their bytes by name, made one at a time: some take a minute
 */
export async function* hostileFiles({ small }) {
  const side = small ? 1 : 10;
  yield* pictures(1_100 * side, 900 * side);
  yield { name: 'text.pdf', bytes: textPdf(small ? 10_000 : 1_000_000) };
  yield { name: 'cells.xlsx', bytes: await repetitiveWorkbook(small ? 2_000 : 200_000) };
  yield { name: 'rows.csv', bytes: longCsv(small ? 10_000 : 1_000_000) };
}

/** 99 megapixels each: one below what is read. */
async function* pictures(width, height) {
  const noise = { type: 'gaussian', mean: 128, sigma: 20 };
  const grainy = () => sharp({ create: { width, height, channels: 3, background: 'grey', noise } });
  const plain = () => sharp({ create: { width, height, channels: 4, background: 'teal' } });
  yield { name: 'baseline.jpg', bytes: await grainy().jpeg({ quality: 40 }).toBuffer() };
  yield { name: 'progressive.jpg', bytes: await grainy().jpeg({ quality: 40, progressive: true }).toBuffer() };
  yield { name: 'interlaced.png', bytes: await plain().png({ progressive: true }).toBuffer() };
  yield { name: 'plain.webp', bytes: await plain().webp({ effort: 0 }).toBuffer() };
  yield { name: 'plain.tif', bytes: await plain().tiff({ compression: 'lzw' }).toBuffer() };
  yield { name: 'plain.gif', bytes: await plain().gif({ effort: 1 }).toBuffer() };
}

/** One page with so many words, packed to a hundredth. */
function textPdf(words) {
  const packed = deflateSync(`BT /F1 1 Tf 20 800 Td ${'1 -1 Td (Invoice) Tj '.repeat(words)}ET`).toString('latin1');
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 4 0 R >> >> /Contents 5 0 R >>',
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
    `<< /Length ${packed.length} /Filter /FlateDecode >>\nstream\n${packed}\nendstream`,
  ];
  let text = '%PDF-1.4\n';
  const places = objects.map((object, index) => {
    const place = text.length;
    text += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return place;
  });
  const rows = places.map((place) => `${String(place).padStart(10, '0')} 00000 n \n`).join('');
  text += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${rows}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\n`;
  return Buffer.from(`${text}startxref\n${text.indexOf('xref\n')}\n%%EOF\n`, 'latin1');
}

/** Rows of twenty equal cells. */
async function repetitiveWorkbook(rows) {
  const workbook = new ExcelJS.Workbook();
  workbook.addWorksheet('Cells').addRows(Array.from({ length: rows }, () => Array(20).fill(12.5)));
  return Buffer.from(await workbook.xlsx.writeBuffer());
}

function longCsv(rows) {
  return Buffer.from(`sku,name,price\n${'4711,A desk of steel with drawers,1250.00\n'.repeat(rows)}`);
}
