export const PROVIDER_NAME = /^[\w.:-]{1,100}$/;

export function isProviderName(name: string): boolean {
  return PROVIDER_NAME.test(name);
}
