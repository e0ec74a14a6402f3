export const CACHE: string;
export function fetchDebianPackage(name: string, report: (message: string) => void): string | undefined;
