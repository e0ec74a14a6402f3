/** How what a batch did is taken back: by compensations of its items' handler, and in records. */
export class RollbackView {
  /** `due`: under way, or about to be. */
  status: 'due' | 'done';
  /** Items whose work their handler has undone; 0 until it is done, as all that follow. */
  compensated: number;
  /** Items whose work could not be undone; `GET /api/batches/:id/rollback` says why. */
  compensationsFailed: number;
  /** Records that got their earlier version back. */
  restored: number;
  /** Records that the batch had created, removed. */
  removed: number;
  /** Records that somebody else has changed since. */
  leftAlone: number;
  /** When it became due, or was done. */
  at: string;
}

/** Items whose handler said what would undo them; `compensated + failed + left` is `total`. */
export class CompensationCounts {
  total: number;
  compensated: number;
  failed: number;
  /** Waiting, or being undone. */
  left: number;
}

/** The item that a rollback is at, or comes to next. */
export class CurrentCompensation {
  /** Number of the run that worked the item. */
  run: number;
  seq: number;
  key: string;
  /** Tries that have failed. */
  attempts: number;
  /** Why the last try failed. */
  error: string | null;
  /** When it is tried again; null: now. */
  dueAt: string | null;
}

/** An item whose work could not be undone. */
export class FailedCompensation {
  run: number;
  seq: number;
  key: string;
  message: string;
  attempts: number;
}

/** How far the rollback of a batch has come. */
export class RollbackReport {
  /** `none`: the batch is not rolled back. `due`: under way, or about to be. */
  status: 'none' | RollbackView['status'];
  /** When it became due, or was done. */
  at: string | null;
  compensations: CompensationCounts;
  current: CurrentCompensation | null;
  /** The first hundred, in the order in which they were tried. */
  failures: FailedCompensation[];
  /** Records, as in the batch's `rollback`: 0 until it is done. */
  restored: number;
  removed: number;
  leftAlone: number;
}
