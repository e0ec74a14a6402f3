import { statfs } from 'node:fs/promises';

const MB = 1_048_576;

/** What a process uses, of whatever it does. */
export interface ProcessLoad {
  /** Resident memory of the process, MB. */
  memoryUsage: number;
  /** CPU time of the process since it was read last, in percent of one core. */
  cpuUsage: number;
  /** Percent in use of the file system that holds the data directory; left out when there is none. */
  diskUsage?: number;
}

/** Measures this process between one reading and the next. */
export class ProcessMeter {
  private cpu = process.cpuUsage();
  private readAt = performance.now();

  constructor(private readonly dataDir: string) {}

  /** Begins a new measurement: what was before is not counted. */
  restart(): void {
    this.cpu = process.cpuUsage();
    this.readAt = performance.now();
  }

  async read(): Promise<ProcessLoad> {
    const { user, system } = process.cpuUsage(this.cpu);
    const elapsedMs = Math.max(1, performance.now() - this.readAt);
    this.restart();
    const diskUsage = await usedOf(this.dataDir);
    return {
      memoryUsage: round(process.memoryUsage.rss() / MB),
      cpuUsage: round((user + system) / 10 / elapsedMs),
      ...(diskUsage !== undefined && { diskUsage }),
    };
  }
}

async function usedOf(folder: string): Promise<number | undefined> {
  try {
    const { blocks, bavail } = await statfs(folder);
    return round(100 * (1 - bavail / blocks));
  } catch {
    return undefined;
  }
}

export function round(value: number): number {
  return Number(value.toFixed(2));
}
