/** Text that is often called CSV by mistake or on purpose: the page of an error or of a login, a script. */
const OTHER_TEXT: [begins: RegExp, what: string][] = [
  [/^<(?:!doctype|html|svg|\?xml)\b/i, 'a page of HTML or XML'],
  [/^#!/, 'a script'],
];

/** What a text is, when it is certainly no CSV. @param start without blanks in front */
export function otherText(start: string): string | undefined {
  return OTHER_TEXT.find(([begins]) => begins.test(start))?.[1];
}
