import type { ClaimedChunk } from '../batches/store/claim-chunks.js';
import type { MovedChunk } from '../batches/store/record-outcomes.js';
import { CHUNK_STATE } from '../batches/entities/chunk.entity.js';
import type { PackedItem } from '../batches/packed-item.js';
import type { FailureKind } from './item-failure.js';
import type { Settlement } from './settlement.js';

/** One call of a handler, with one item or with several. Abandoned: it ignored its abort signal and still runs. */
export interface HandlerCall {
  abandoned: boolean;
}

/** One item of a claimed chunk on its way through its handler. */
export interface WorkItem {
  readonly chunk: HeldChunk;
  readonly index: number;
  readonly seq: number;
  readonly key: string;
  readonly payload: unknown;
  readonly attempt: number;
  /** Milliseconds that it was told to wait in a row. */
  readonly waitedMs: number;
  /** What it ran into before. */
  readonly last?: { kind: FailureKind; message: string };
  /** Made when the handler asks for its signal, or when it has to stop. */
  controller?: AbortController;
  /** performance.now() values */
  startedAt: number;
  deadline: number;
  call?: HandlerCall;
  /** Items in the handler's call: more than one for a handler that takes chunks. */
  sharedBy: number;
  timedOut: boolean;
  /** Its batch was stopped while it ran. */
  stopped: boolean;
  /** Its slot was freed without it: whatever it still returns is dropped. */
  abandoned: boolean;
}

/** A crash of its worker may have been chance once; from then on the items run one by one, each named before it starts. */
const CRASHES_BEFORE_CAUTION = 2;
/** An item that was alone when its worker died, so many times, is not run again. */
const LONE_CRASHES_OF_POISON = 2;

/** A claimed chunk in the worker's memory: its items to do, and what came of them since the last flush. */
export class HeldChunk {
  readonly no: string;
  readonly cautious: boolean;
  private readonly firstSeq: number;
  private readonly text: string;
  private parsed?: readonly PackedItem[];
  /** Indexes of items that may start, first one last. */
  private readonly waiting: number[];
  /** Indexes of items that are through, in the order of their results; the last ones' are not recorded yet. */
  private readonly settled: number[];
  private readonly suspects: readonly number[];
  /** What came of items and is not recorded yet. */
  private results: Settlement[] = [];
  private unsettled: number;
  /** performance.now() of the oldest result that is not recorded. */
  private bufferedSince = Infinity;

  constructor(claimed: ClaimedChunk, gate: number | null) {
    this.no = claimed.no;
    this.firstSeq = Number(claimed.no);
    this.text = claimed.items;
    this.settled = claimed.settled;
    this.suspects = claimed.suspects;
    this.cautious = claimed.crashes >= CRASHES_BEFORE_CAUTION;
    const left = indexesBut(claimed.settled, claimed.size);
    this.waiting = gate === null ? left : left.filter((index) => this.seqOf(index) < gate);
    this.unsettled = left.length;
  }

  get waitingCount(): number {
    return this.waiting.length;
  }

  get isComplete(): boolean {
    return this.unsettled === 0;
  }

  get hasResults(): boolean {
    return this.results.length > 0;
  }

  bufferedFor(now: number): number {
    return Math.max(0, now - this.bufferedSince);
  }

  next(): WorkItem | undefined {
    const index = this.waiting.pop();
    return index === undefined ? undefined : this.workItem(index);
  }

  /** The next items, for a handler that takes several at once. */
  nextSeveral(count: number): WorkItem[] {
    return this.waiting
      .splice(-count)
      .reverse()
      .map((index) => this.workItem(index));
  }

  isPoison(item: WorkItem): boolean {
    return this.suspects.filter((suspect) => suspect === item.index).length >= LONE_CRASHES_OF_POISON;
  }

  settle(item: WorkItem, settlement: Settlement): void {
    this.results.push(settlement);
    this.settled.push(item.index);
    this.unsettled -= 1;
    if (this.bufferedSince === Infinity) this.bufferedSince = performance.now();
  }

  /** Hands out what came since the last flush, up to about so many characters; the rest waits for the next one. */
  takeResults(maxCharacters: number): Settlement[] {
    let characters = 0;
    let count = 0;
    while (count < this.results.length && characters < maxCharacters) characters += sizeOf(this.results[count++]!);
    const taken = this.results.splice(0, count);
    if (this.results.length === 0) this.bufferedSince = Infinity;
    return taken;
  }

  /** Where the flush that takes its results moves it. @param release the lane is given back: what is left becomes pending */
  moved(release: boolean): MovedChunk {
    if (this.isComplete && !this.hasResults) return { no: this.no, state: CHUNK_STATE.done, settled: [] };
    return { no: this.no, state: release ? CHUNK_STATE.pending : CHUNK_STATE.claimed, settled: this.recorded() };
  }

  private recorded(): number[] {
    return this.settled.slice(0, this.settled.length - this.results.length);
  }

  /** Parsed when the first one is wanted: what is claimed ahead would be looked through by each garbage collection meanwhile. */
  private get items(): readonly PackedItem[] {
    return (this.parsed ??= JSON.parse(this.text) as PackedItem[]);
  }

  private seqOf(index: number): number {
    return this.items[index]!.seq ?? this.firstSeq + index;
  }

  private workItem(index: number): WorkItem {
    const { key, payload, attempt = 1, waited = 0, last } = this.items[index]!;
    const seq = this.seqOf(index);
    return {
      chunk: this,
      index,
      seq,
      key: key ?? String(seq + 1),
      payload,
      attempt,
      waitedMs: waited,
      last: last ? { kind: last.kind as FailureKind, message: last.error } : undefined,
      controller: undefined,
      startedAt: 0,
      deadline: Infinity,
      call: undefined,
      sharedBy: 1,
      timedOut: false,
      stopped: false,
      abandoned: false,
    };
  }
}

/** Last one first. */
function indexesBut(settled: readonly number[], size: number): number[] {
  const done = new Set(settled);
  const indexes: number[] = [];
  for (let index = size - 1; index >= 0; index -= 1) if (!done.has(index)) indexes.push(index);
  return indexes;
}

function sizeOf(settlement: Settlement): number {
  if ('deferred' in settlement) return settlement.deferred.length;
  const { output, compensation } = settlement.outcome;
  return output.length + (compensation?.length ?? 0);
}
