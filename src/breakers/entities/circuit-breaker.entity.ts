import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A tenant's circuit to one provider. One that is not there is closed, and has the service's settings. */
@Entity('circuit_breaker')
export class CircuitBreakerEntity {
  @PrimaryColumn('text') tenant: string;
  @PrimaryColumn('text') provider: string;
  /** Failures in a row that open it; null for the service's setting. */
  @Column('integer', { nullable: true }) failures: number | null;
  /** Milliseconds that it stays open; null for the service's setting. */
  @Column('integer', { name: 'open_ms', nullable: true }) openMs: number | null;
  /** How it is whatever happens, because somebody said so. */
  @Column('text', { nullable: true }) forced: 'open' | 'closed' | null;
  @Column('text', { name: 'changed_by', nullable: true }) changedBy: string | null;
  @Column('timestamptz', { name: 'changed_at', nullable: true }) changedAt: Date | null;
  /** Failures in a row, as far as processes have told them; while it is open, those that opened it. */
  @Column('integer', { default: 0 }) failed: number;
  @Column('text', { name: 'last_error', nullable: true }) lastError: string | null;
  /** Null while it is closed. */
  @Column('timestamptz', { name: 'opened_at', nullable: true }) openedAt: Date | null;
  /** From then on one item at a time may try. */
  @Column('timestamptz', { name: 'open_until', nullable: true }) openUntil: Date | null;
  /** Who tries. */
  @Column('uuid', { nullable: true }) probe: string | null;
  /** The lease of who tries: after it, another may. */
  @Column('timestamptz', { name: 'probe_until', nullable: true }) probeUntil: Date | null;
}
