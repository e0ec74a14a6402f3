/** Rings for a run's lanes: "look for work at this run". It carries no fact; a lost one is found by the sweeper. */
export interface Bell {
  runId: string;
  /** Whose run it is: workers share their lanes between tenants. */
  tenant: string;
  /** 1 (critical) to 4 (low); a lower rank is heard first. */
  rank: number;
  /** Heard before all others, in lanes that are kept for it: a run that has just come, or whose tenant has less than its share. */
  express: boolean;
}

/** What a worker does when it hears a bell. Never rejects. */
export type BellHandler = (bell: Bell) => Promise<void>;

/**
 * Hands bells to workers, in order of rank and then of age; express ones have a queue of their own. Two implementations: Bull on
 * Redis for many machines, and in-process. Neither is the truth: whatever they lose, the sweeper finds in the database.
 */
export abstract class LaneQueue {
  /** Rings `count` times. Never rejects and never waits long: it is called after the commit it tells of. */
  abstract ring(bell: Bell, count: number): Promise<void>;

  /** Starts hearing: at most so many bells at the same time, and beside them so many express ones. */
  abstract listen(handler: BellHandler, concurrency: { common: number; express: number }): Promise<void>;

  /** Stops hearing new bells; those being worked go on. */
  abstract mute(): Promise<void>;

  /** Whether bells arrive at the moment. Work goes on without, only later. */
  abstract isHealthy(): Promise<boolean>;
}
