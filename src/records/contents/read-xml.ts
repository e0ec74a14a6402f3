import { SaxesParser, type SaxesAttributeNS, type SaxesTagNS } from 'saxes';

export type XmlAttributes = Readonly<Record<string, SaxesAttributeNS | undefined>>;

/**
 * What is told of an XML document: the elements of its own namespace, which is that of its root. Elements of other namespaces are
 * extensions, which may be called as the format's own elements are; they are passed over with all that is in them.
 */
export interface XmlListener {
  /** @param parent the name of the element around it, empty for the root */
  open(name: string, attributes: XmlAttributes, parent: string): void;
  text?(text: string): void;
  close?(name: string): void;
}

/** The namespace of prefixes that a program uses and does not declare. */
export const UNDECLARED = 'undeclared';
const MARKUP_COMPATIBILITY = 'http://schemas.openxmlformats.org/markup-compatibility/2006';
/** Elements of this format lie in each other ten deep; each open one is held in memory. */
const MAX_DEPTH = 100;
/** Characters without the begin or end of an element, which the parser holds until one comes. */
const MAX_TOKEN = 16_777_216;
/** Characters before the root of a document, when only that is asked for. */
const MAX_PROLOG = 1_048_576;

/**
 * Reads XML piece by piece.
 * @throws Error when it is broken or nested too deep, and when it has a document type: its entities could grow without bound
 */
export async function readXml(pieces: AsyncIterable<string>, listener: XmlListener): Promise<void> {
  const parser = parserOf();
  const elements = new OwnElements(listener);
  let waiting = 0;
  parser.on('opentag', (tag) => {
    waiting = 0;
    elements.open(tag);
  });
  parser.on('closetag', (tag) => {
    waiting = 0;
    elements.close(tag);
  });
  parser.on('text', (text) => elements.text(text));
  parser.on('cdata', (text) => elements.text(text));
  for await (const piece of pieces) {
    parser.write(piece);
    waiting += piece.length;
    if (waiting > MAX_TOKEN) throw new Error(`a part of it has ${MAX_TOKEN} characters in one piece`);
  }
  parser.close();
}

/** The name of the root of an XML document; undefined when it has none within its first pieces. @throws Error when it is broken */
export async function rootOf(pieces: AsyncIterable<string>): Promise<string | undefined> {
  const parser = parserOf();
  let root: string | undefined;
  parser.on('opentag', ({ local }) => (root ??= local));
  let seen = 0;
  for await (const piece of pieces) {
    parser.write(piece);
    seen += piece.length;
    if (root || seen > MAX_PROLOG) break;
  }
  return root;
}

function parserOf() {
  const parser = new SaxesParser({ xmlns: true, position: false, resolvePrefix: () => UNDECLARED });
  parser.on('doctype', () => {
    throw new Error('a part of it has a document type (<!DOCTYPE>)');
  });
  return parser;
}

/** Passes on what lies in the namespace of the root, and of alternatives the one that every program understands. */
class OwnElements {
  private readonly path: string[] = [];
  private own?: string;
  /** Open elements from the passed one on. */
  private passed = 0;
  private depth = 0;

  constructor(private readonly listener: XmlListener) {}

  open({ local, uri, attributes }: SaxesTagNS): void {
    this.depth += 1;
    if (this.depth > MAX_DEPTH) throw new Error(`a part of it has more than ${MAX_DEPTH} elements within each other`);
    this.own ??= uri;
    if (this.passed > 0 || this.isForeign(local, uri)) this.passed += 1;
    else if (uri === this.own) {
      this.listener.open(local, attributes, this.path.at(-1) ?? '');
      this.path.push(local);
    }
  }

  text(text: string): void {
    if (this.passed === 0) this.listener.text?.(text);
  }

  close({ local, uri }: SaxesTagNS): void {
    this.depth -= 1;
    if (this.passed > 0) {
      this.passed -= 1;
    } else if (uri === this.own) {
      this.path.pop();
      this.listener.close?.(local);
    }
  }

  /** A choice is for programs that know an extension; its fallback is for all others. */
  private isForeign(local: string, uri: string): boolean {
    if (uri === this.own) return local === 'extLst';
    return uri !== MARKUP_COMPATIBILITY || local === 'Choice';
  }
}
