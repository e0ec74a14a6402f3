/** Replacement and control characters, private use, and UTF-8 that was read as Latin-1 ("Ã¤"). */
const ODD = /[\ufffd\ue000-\uf8ff]|(?![\t\n\r\f])\p{Cc}|Ã[\x80-\xbf]|â€[\x80-\xbf™œ]/gu;
/** Shorter lines repeat by nature. */
const MIN_LINE = 20;

/** Share of a text's characters that no writer wrote, 0 to 1. */
export function oddShare(text: string): number {
  return text.length === 0 ? 0 : (text.match(ODD)?.length ?? 0) / text.length;
}

/** Lines that stand in a text more than once, with how often; the most frequent first. */
export function repeatedLines(text: string): { line: string; times: number }[] {
  const counts = new Map<string, number>();
  for (const line of text.split('\n').map((line) => line.trim())) {
    if (line.length >= MIN_LINE && /\p{L}/u.test(line)) counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, times]) => times > 1)
    .map(([line, times]) => ({ line, times }))
    .sort((a, b) => b.times - a.times);
}
