import type { Answer, Problem } from '../contracts/api.js';

interface Told {
  warnings?: string[];
  data?: { warnings?: string[] };
}

/** What an answer to a creation says of the request: that it is refused, and which field is wrong, or what its maker should know. */
export function toldOf({ status, body }: Answer<Partial<Problem> & Told>): string[] {
  if (status >= 500) throw new Error(`${status}: ${JSON.stringify(body)}`);
  if (status >= 400) return body.details!.errors.map(({ path, message }) => `${path} ${message}`);
  return body.warnings ?? body.data?.warnings ?? [];
}

/** Whether the sentence begins with the field's path, or that of an object that it is in, or of a part of it. */
export function namesField(sentence: string, path: string): boolean {
  const [named] = sentence.split(' ') as [string];
  return `${path}.`.startsWith(`${named}.`) || named.startsWith(`${path}.`);
}
