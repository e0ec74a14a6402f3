import { Engine1764000001000 } from './1764000001000-engine.js';
import { Records1764000002000 } from './1764000002000-records.js';
import { Uploads1764000004000 } from './1764000004000-uploads.js';

/** Every migration, oldest first. They run at start under a lock, so that several processes may start at once. */
export const MIGRATIONS = [Engine1764000001000, Records1764000002000, Uploads1764000004000];
