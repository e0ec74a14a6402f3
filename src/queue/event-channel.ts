/** What travels between processes: records of batches' event logs, and notices that a run's state changed, or that it finds no room. */
export type Topic = 'batch-event' | 'run-changed' | 'room-wanted';

/**
 * Carries messages to every process, at most once to each, the own one included. Two implementations: Redis
 * publish/subscribe, and in-process. Nothing depends on it: events are in the log, and workers see a run's state with every flush.
 */
export abstract class EventChannel {
  private readonly listeners = new Map<Topic, ((message: never) => void)[]>();

  /** Never rejects: it is called after the commit it tells of. */
  abstract publish(topic: Topic, messages: object[]): Promise<void>;

  subscribe<Message extends object>(topic: Topic, listener: (message: Message) => void): void {
    this.listeners.set(topic, [...(this.listeners.get(topic) ?? []), listener]);
  }

  protected deliver(topic: Topic, messages: object[]): void {
    for (const listener of this.listeners.get(topic) ?? []) for (const message of messages) listener(message as never);
  }
}

export class InProcessEventChannel extends EventChannel {
  publish(topic: Topic, messages: object[]): Promise<void> {
    this.deliver(topic, messages);
    return Promise.resolve();
  }
}
