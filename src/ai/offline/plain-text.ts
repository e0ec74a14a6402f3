/** The prose of a text that may hold Markdown or HTML: without code, markup, images and the addresses behind links. */
export function toPlainText(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/[ \t]{9,}/g, '        ')
    .replace(/[ \t]+$/gm, '')
    .replace(/\n{3,}/g, '\n\n')
    .replace(/```[\s\S]*?(?:```|$)|~~~[\s\S]*?(?:~~~|$)/g, '\n')
    .replace(/<!--[\s\S]*?(?:-->|$)/g, ' ')
    .replace(/<(script|style|pre)\b[\s\S]*?(?:<\/\1>|$)/gi, ' ')
    .replace(/<\/?[a-zA-Z][^<>]{0,2000}>/g, ' ')
    .replace(/!\[[^[\]]{0,500}\](?:\([^()\s]{0,1000}[^()]{0,200}\)|\[[^[\]]{0,200}\])/g, ' ')
    .replace(/\[([^[\]]{0,500})\](?:\([^()\s]{0,1000}[^()]{0,200}\)|\[[^[\]]{0,200}\])/g, '$1')
    .replace(/^[ \t]*\[[^[\]\n]{1,200}\]:[ \t].*$/gm, '')
    .replace(/^[ \t]*\|.*\|$/gm, '')
    .replace(/(?<=^|\n\n)(?:(?:\t| {4}).*\n?)+/g, '\n')
    .replace(/^[ ]{0,3}(?:#{1,6}\s+|>\s?|[-*+]\s+|\d+[.)]\s+)(?:\[[ xX]\]\s+)?/gm, '')
    .replace(/^[ \t]*(?:[-=*_][ \t]*){3,}$/gm, '')
    .replace(/`([^`\n]*)`/g, '$1')
    .replace(/(\*\*|__)(?=\S)(.{1,500}?)\1/g, '$2')
    .replace(/&nbsp;/g, ' ')
    .replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => ENTITIES[entity]!)
    .replace(/https?:\/\/\S+/g, ' ')
    .replace(/[ \t]+/g, ' ')
    .replace(/ ?\n ?/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

const ENTITIES: Record<string, string> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" };

const MIN_SENTENCE = 20;
const MAX_SENTENCE = 400;

/** Sentences of plain text, in order. Headings, menus and crumbs, which are no sentences, are left out. */
export function sentencesOf(text: string): string[] {
  return (
    text
      .split(
        /\n{2,}|(?<=[.!?。！？])(?<!\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|Nr|Str|vs|e\.g|i\.e|z\.B|bzw)\.)["')\]]?\s+(?=[\p{Lu}\p{N}"'([])|(?<=[。！？])/u,
      )
      // Spaces that keep digits together stay what they are.
      .map((sentence) => sentence.replace(/[^\S\u00a0\u2007\u2009\u202f]+/g, ' ').trim())
      .filter((sentence) => sentence.length >= MIN_SENTENCE && sentence.length <= MAX_SENTENCE && isProse(sentence))
  );
}

/** Mostly letters and spaces, and several words: not a line of code, a table or a path. */
function isProse(sentence: string): boolean {
  const letters = sentence.match(/[\p{L}\s]/gu)?.length ?? 0;
  return letters / sentence.length > 0.7 && (sentence.includes(' ') || /\p{Script=Han}|\p{Script=Hiragana}/u.test(sentence));
}

/** Cuts at the end of a word, never through a character. */
export function cutText(text: string, length: number): string {
  if (text.length <= length) return text;
  const cut = text.slice(0, length - 1);
  const lastSpace = cut.lastIndexOf(' ');
  const whole = cut.slice(0, lastSpace > length / 2 ? lastSpace : undefined);
  return `${whole.replace(/[\ud800-\udbff]$|[\s,;:.–-]+$/, '')}…`;
}
