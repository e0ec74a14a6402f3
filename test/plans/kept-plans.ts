import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(__dirname, 'expected');

/** Set to write the plans anew instead of comparing them. */
const IS_RENEWED = process.env.UPDATE_PLANS === '1';

/** The plans as they are kept. @param now as they are */
export function keptPlans(group: string, now: string): string {
  const file = join(FOLDER, `${group}.txt`);
  if (IS_RENEWED) writeFileSync(file, now);
  return readFileSync(file, 'utf8');
}
