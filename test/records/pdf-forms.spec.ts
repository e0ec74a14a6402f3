import { PDFArray, PDFDocument, PDFName, PDFString } from 'pdf-lib';
import { ReadingThread } from '../support/reading-thread.js';
import { drawn, pdfStream, rawPage } from '../support/sample-files.js';

const reading = new ReadingThread();
afterAll(() => reading.close());

const linesOf = async (bytes: Buffer) => (await reading.pdf(bytes)).text.split('\n').filter(Boolean);

/** A form that pdf-lib makes. */
async function formPdf(fill: (document: PDFDocument) => void): Promise<Buffer> {
  const document = await PDFDocument.create();
  document.addPage([595, 842]);
  fill(document);
  return Buffer.from(await document.save());
}

const HEIGHT = 20;

describe('what was filled into a PDF form', () => {
  test('stands behind its label', async () => {
    const widget =
      '<< /Type /Annot /Subtype /Widget /FT /Tx /T (company) /V (Acme Furniture Ltd) /Rect [150 690 350 710] /F 4 /DA (/F1 10 Tf 0 g) >>';
    const page = {
      content: drawn([72, 695, 'Company:', 12]),
      entries: '/Annots [6 0 R]',
      objects: [widget],
      catalog: '/AcroForm << /Fields [6 0 R] >>',
    };
    expect(await linesOf(rawPage(page))).toEqual(['Company: Acme Furniture Ltd']);
  });

  test('is read from fields of every kind, and boxes and buttons with their names', async () => {
    const bytes = await formPdf((document) => {
      const [page] = document.getPages();
      const form = document.getForm();
      const at = (y: number) => ({ x: 200, y, width: 200, height: HEIGHT });
      const label = (text: string, y: number) => page!.drawText(text, { x: 50, y: y + 5, size: 11 });
      label('Name:', 700);
      const name = form.createTextField('applicant.name');
      name.setText('Ada Lovelace');
      name.addToPage(page!, at(700));
      label('Country', 660);
      const country = form.createDropdown('country');
      country.addOptions(['Germany', 'Denmark']);
      country.select('Denmark');
      country.addToPage(page!, at(660));
      label('Languages', 620);
      const languages = form.createOptionList('languages');
      languages.addOptions(['Danish', 'German', 'English']);
      languages.enableMultiselect();
      languages.select(['Danish', 'English']);
      languages.addToPage(page!, at(620));
      const box = { width: 12, height: 12 };
      const yes = form.createCheckBox('consent.newsletter');
      yes.addToPage(page!, { x: 50, y: 580, ...box });
      yes.check();
      form.createCheckBox('consent.phone').addToPage(page!, { x: 50, y: 560, ...box });
      const payment = form.createRadioGroup('payment');
      payment.addOptionToPage('card', page!, { x: 50, y: 540, ...box });
      payment.addOptionToPage('invoice', page!, { x: 250, y: 540, ...box });
      payment.select('invoice');
      page!.drawText('by invoice', { x: 268, y: 542, size: 11 });
      form.createButton('send').addToPage('Send now', page!, at(500));
    });
    expect(await linesOf(bytes)).toEqual([
      'Name: Ada Lovelace',
      'Country\tDenmark',
      'Languages\tDanish, English',
      'newsletter: on',
      'phone: off',
      'payment: on by invoice',
    ]);
  });

  test('is told by the name of the chosen one of several buttons', async () => {
    const button = (state: string, x: number) =>
      `<< /Type /Annot /Subtype /Widget /Parent 6 0 R /Rect [${x} 690 ${x + 12} 702] /F 4 /AS /${state === 'card' ? 'card' : 'Off'} /AP << /N << /${state} 9 0 R /Off 9 0 R >> >> >>`;
    const group = '<< /FT /Btn /Ff 49152 /T (payment) /V /card /Kids [7 0 R 8 0 R] >>';
    const objects = [group, button('card', 100), button('invoice', 200), pdfStream('', '/Type /XObject /Subtype /Form /BBox [0 0 12 12]')];
    const page = {
      content: drawn([40, 692, 'Pay by']),
      entries: '/Annots [7 0 R 8 0 R]',
      objects,
      catalog: '/AcroForm << /Fields [6 0 R] >>',
    };
    expect(await linesOf(rawPage(page))).toEqual(['Pay by\tpayment: card']);
  });

  test('in several lines is read line by line', async () => {
    const bytes = await formPdf((document) => {
      const field = document.getForm().createTextField('address');
      field.enableMultiline();
      field.setText('Acme Furniture Ltd\n17 Mill Lane\nLeeds');
      field.addToPage(document.getPages()[0]!, { x: 200, y: 600, width: 200, height: 80 });
      document.getPages()[0]!.drawText('Deliver to:', { x: 50, y: 665, size: 11 });
    });
    const { text } = await reading.pdf(bytes);
    expect(text.replace(/\s+/g, ' ')).toBe('Deliver to: Acme Furniture Ltd 17 Mill Lane Leeds');
  });

  test('into a table stays in its columns', async () => {
    const bytes = await formPdf((document) => {
      const [page] = document.getPages();
      for (const [index, heading] of ['Article', 'Number', 'Price'].entries())
        page!.drawText(heading, { x: 50 + index * 150, y: 705, size: 11 });
      for (const [row, cells] of [
        ['Desk', '2', '499.00'],
        ['Chair', '', '80.00'],
      ].entries()) {
        for (const [index, cell] of cells.entries()) {
          const field = document.getForm().createTextField(`row${row}.${index}`);
          if (cell) field.setText(cell);
          field.addToPage(page!, { x: 50 + index * 150, y: 675 - row * 25, width: 140, height: HEIGHT });
        }
      }
    });
    expect(await linesOf(bytes)).toEqual(['Article\tNumber\tPrice', 'Desk\t2\t499.00', 'Chair\t\t80.00']);
  });

  test('and is a password, or is hidden, is not told', async () => {
    const bytes = await formPdf((document) => {
      const [page] = document.getPages();
      const form = document.getForm();
      const add = (name: string, y: number) => {
        const field = form.createTextField(name);
        field.setText(`the ${name}`);
        field.addToPage(page!, { x: 200, y, width: 200, height: HEIGHT, hidden: name === 'hidden' });
        return field;
      };
      add('password', 700).enablePassword();
      add('hidden', 660);
      const unseen = add('unseen', 620);
      unseen.acroField.getWidgets()[0]!.dict.set(PDFName.of('F'), document.context.obj(32));
      add('name', 580);
    });
    expect(await linesOf(bytes)).toEqual(['the name']);
  });

  test('of a page that stands upright by its rotation is read in place', async () => {
    const widget = '<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V (Acme) /Rect [90 150 110 350] /F 4 /DA (/F1 10 Tf 0 g) >>';
    const content = 'BT /F1 12 Tf 0 1 -1 0 104 72 Tm (Company:) Tj ET';
    const page = { content, entries: '/Rotate 90 /Annots [6 0 R]', objects: [widget], catalog: '/AcroForm << /Fields [6 0 R] >>' };
    expect(await linesOf(rawPage(page))).toEqual(['Company: Acme']);
  });

  test('into an XFA form is told of, as it is not read', async () => {
    const page = {
      content: drawn([72, 700, 'Please wait...']),
      objects: [pdfStream('<xdp/>')],
      catalog: '/AcroForm << /Fields [] /XFA 6 0 R >>',
    };
    expect(await reading.pdf(rawPage(page))).toMatchObject({ text: 'Please wait...', warnings: [expect.stringMatching(/form in XFA/)] });
  });
});

describe('what was written on a PDF page', () => {
  const annotated = (...annotations: string[]) => {
    const refs = annotations.map((_, index) => `${6 + index} 0 R`).join(' ');
    return rawPage({
      content: drawn([72, 700, 'The first line'], [72, 660, 'The last line']),
      entries: `/Annots [${refs}]`,
      objects: annotations,
    });
  };
  const annotation = (subtype: string, entries: string) => `<< /Type /Annot /Subtype /${subtype} /Rect [72 670 300 692] /F 4 ${entries} >>`;

  test('as free text is text in its place', async () => {
    const note = annotation('FreeText', '/Contents (Paid on 2026-03-01) /DA (/Helv 10 Tf 0 g)');
    expect(await linesOf(annotated(note))).toEqual(['The first line', 'Paid on 2026-03-01', 'The last line']);
  });

  test('as remarks comes behind the page, with who wrote it, and once', async () => {
    const lines = await linesOf(
      annotated(
        annotation('Text', '/T (Ada) /Contents (Please check the sum)'),
        annotation('Highlight', '/QuadPoints [72 710 150 710 72 698 150 698] /Contents (The first line)'),
        annotation('StrikeOut', '/QuadPoints [72 710 150 710 72 698 150 698] /Contents (Not any more)'),
        annotation('Popup', '/Contents (Please check the sum)'),
        annotation('Link', '/Contents (somewhere else)'),
        annotation('Text', '/F 2 /Contents (hidden)').replace('/F 4', ''),
      ),
    );
    expect(lines).toEqual(['The first line', 'The last line', 'Note by Ada: Please check the sum', 'Note: Not any more']);
  });

  test('in a document of pdf-lib is found too', async () => {
    const bytes = await formPdf((document) => {
      const { context } = document;
      const note = context.register(
        context.obj({
          Type: 'Annot',
          Subtype: 'FreeText',
          Rect: [50, 600, 250, 620],
          Contents: PDFString.of('seen by Grace'),
          F: 4,
          DA: PDFString.of('/Helv 9 Tf'),
        }),
      );
      const annotations = PDFArray.withContext(context);
      annotations.push(note);
      document.getPages()[0]!.node.set(PDFName.of('Annots'), annotations);
      document.getPages()[0]!.drawText('Approved', { x: 50, y: 640, size: 12 });
    });
    expect(await linesOf(bytes)).toEqual(['Approved', 'seen by Grace']);
  });
});
