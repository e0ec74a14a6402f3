/** An item as its chunk holds it. */
export interface PackedItem {
  /** Its position, of an item that is repeated; else it follows from its place in the chunk. */
  seq?: number;
  /** The coming try. */
  attempt?: number;
  key?: string;
  payload?: unknown;
  /** Of a retry: milliseconds that it was told to wait in a row. */
  waited?: number;
  /** Of a retry: what it ran into before, and when. */
  last?: { kind: string; error: string; at: string } | null;
}

/** An item without a key is called by its number. */
export function keyOf({ key }: PackedItem, seq: number): string {
  return key ?? String(seq + 1);
}
