import { SaxesParser } from 'saxes';

/** What is told of an XML document. Names of elements come without their prefix. */
export interface XmlListener {
  open(name: string, attributes: Record<string, string>): void;
  text?(text: string): void;
  close?(name: string): void;
}

/** Reads XML piece by piece. @throws Error when it is broken, or has a document type: its entities could grow without bound */
export async function readXml(pieces: AsyncIterable<string>, listener: XmlListener): Promise<void> {
  const parser = new SaxesParser();
  parser.on('doctype', () => {
    throw new Error('a part of it has a document type (<!DOCTYPE>)');
  });
  parser.on('opentag', ({ name, attributes }) => listener.open(withoutPrefix(name), attributes));
  parser.on('text', (text) => listener.text?.(text));
  parser.on('cdata', (text) => listener.text?.(text));
  parser.on('closetag', ({ name }) => listener.close?.(withoutPrefix(name)));
  for await (const piece of pieces) parser.write(piece);
  parser.close();
}

function withoutPrefix(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}
