/** A list that a reply leaves out when there is nothing in it. */
export function nonEmpty<T>(list: T[] | undefined): T[] | undefined {
  return list?.length ? list : undefined;
}
