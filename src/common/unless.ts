import { AppError, type ErrorCode } from './app-error.js';

/** What services in the same process answer with in place of some errors: false for what cannot be cancelled, say. */
export async function unless<T, Instead>(codes: ErrorCode[], work: () => Promise<T>, instead: Instead): Promise<T | Instead> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AppError && codes.includes(error.code)) return instead;
    throw error;
  }
}

export function unlessUnknown<T, Instead>(work: () => Promise<T>, instead: Instead): Promise<T | Instead> {
  return unless(['NOT_FOUND'], work, instead);
}
