import { z } from 'zod';

export const port = z.coerce.number().int().min(0).max(65_535);

export const count = z.coerce.number().int().min(1);

export const optionalUrl = (protocols: string[]) =>
  z
    .string()
    .refine((value) => URL.canParse(value) && protocols.some((protocol) => value.startsWith(`${protocol}://`)), {
      message: `must be a URL that starts with ${protocols.map((protocol) => `${protocol}://`).join(' or ')}`,
    })
    .optional();

/** Separated by commas. */
export const wordList = z
  .string()
  .default('')
  .transform((list) =>
    list
      .split(',')
      .map((word) => word.trim())
      .filter(Boolean),
  );

/** `name:number` pairs: limits of some by their name. */
export const numbersByName = wordList.transform((words, context) => {
  const pairs = words.map((word) => {
    const colon = word.lastIndexOf(':');
    return [word.slice(0, Math.max(0, colon)), Number(word.slice(colon + 1))] as const;
  });
  if (pairs.some(([name, number]) => name === '' || !Number.isInteger(number) || number < 1)) {
    context.addIssue({ code: 'custom', message: 'must be a list of name:number with whole numbers from 1' });
  }
  return new Map(pairs);
});

/** `tenant:key` pairs. A key that is there twice would be somebody's by accident. */
export const apiKeys = wordList.transform((words, context) => {
  const tenants = new Map<string, string>();
  return words.map((word) => {
    const colon = word.indexOf(':');
    const [tenant, key] = [word.slice(0, colon), word.slice(colon + 1)];
    if (colon < 1 || key.length < 16) {
      context.addIssue({ code: 'custom', message: 'must be a list of tenant:key with keys of at least 16 characters' });
      return { tenant, key };
    }
    const other = tenants.get(key);
    if (other !== undefined) {
      const message = other === tenant ? `has a key of ${tenant} twice; leave one out` : `has the same key for ${other} and ${tenant}`;
      context.addIssue({ code: 'custom', message: `${message}; give each tenant keys of its own` });
    }
    tenants.set(key, tenant);
    return { tenant, key };
  });
});

/** A variable that is left blank, as in .env.example, is not set. */
export function withoutBlanks(env: Record<string, string | undefined>): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
}
