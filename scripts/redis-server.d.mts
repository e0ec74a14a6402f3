export interface RedisServer {
  url: string;
  port: number;
  stop(): Promise<void>;
  /** As a power cut would. */
  kill(): Promise<void>;
}

export function findRedisProgram(report: (message: string) => void): string | undefined;
export function startRedisServer(program: string, folder: string, port?: number): Promise<RedisServer>;
