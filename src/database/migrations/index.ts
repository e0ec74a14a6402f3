import { Engine1764000001000 } from './1764000001000-engine.js';
import { Records1764000002000 } from './1764000002000-records.js';
import { RecordBackups1764000007000 } from './1764000007000-record-backups.js';

/** Every migration, oldest first. They run at start under a lock, so that several processes may start at once. */
export const MIGRATIONS = [Engine1764000001000, Records1764000002000, RecordBackups1764000007000];
