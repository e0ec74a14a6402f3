/** What to tell a caller whose number is taken as the greatest one that the service knows. */
export function takenAsAtMost(field: string, asked: number | null | undefined, most: number): string[] {
  return (asked ?? 0) > most ? [`${field} is ${asked}, and taken as ${most}, which is the most`] : [];
}
