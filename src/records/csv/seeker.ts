/** Finds the next place of a character in a text, and looks at no part of the text twice while it is asked from left to right. */
export class Seeker {
  private text = '';
  private asked = 0;
  private found = -1;

  constructor(private readonly character: string) {}

  lookIn(text: string): void {
    this.text = text;
    this.asked = 0;
    this.found = -1;
  }

  /** Its first place at or after this one; Infinity when there is none. */
  from(at: number): number {
    if (at >= this.asked && at <= this.found) return this.found;
    const found = this.text.indexOf(this.character, at);
    this.asked = at;
    this.found = found === -1 ? Infinity : found;
    return this.found;
  }
}
