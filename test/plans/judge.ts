import type { Connection } from '../../src/database/sql.js';
import type { Plan } from './explain.js';
import { FEW_ROWS, GROWING_TABLES, OWNERS } from './tables.js';

interface Index {
  table: string;
  /** Its first column or expression. */
  first: string;
  isPartial: boolean;
}

export type Indexes = Map<string, Index>;

export async function readIndexes(connection: Connection): Promise<Indexes> {
  const { rows } = await connection.query<Index & { name: string }>(`
    SELECT i.indexrelid::regclass::text AS name, i.indrelid::regclass::text AS table, i.indpred IS NOT NULL AS "isPartial",
      trim(pg_get_indexdef(i.indexrelid, 1, true), '()') AS first
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace`);
  return new Map(rows.map(({ name, ...index }) => [name, index]));
}

/** What a plan reads that grows: a table from one end to the other, or all that a run has in a table with a row for each item, and the like. */
export function readsTooMuch(plan: Plan, indexes: Indexes, isCut = false): string[] {
  const own = ownRead(plan, indexes, isCut);
  const children = plan.Plans ?? [];
  return [...(own ? [own] : []), ...children.flatMap((child, at) => readsTooMuch(child, indexes, isCutShort(plan, child, at, isCut)))];
}

function ownRead(plan: Plan, indexes: Indexes, isCut: boolean): string | undefined {
  const { 'Node Type': type, 'Relation Name': table, 'Index Name': name, 'Index Cond': condition = '' } = plan;
  if (type === 'Seq Scan' && GROWING_TABLES.includes(table!)) return `all of ${table}`;
  if (name === undefined) return undefined;
  const index = indexes.get(name)!;
  if (!condition.includes(`(${index.first}`) && GROWING_TABLES.includes(index.table))
    return name in FEW_ROWS ? undefined : `all of ${index.table}`;
  const owner = OWNERS[index.table];
  const isWhole = owner && !index.isPartial && columnsOf(condition).every((column) => owner.columns.includes(column));
  // Whoever asks for one row may be handed none of those that are read.
  return isWhole && (!isCut || plan.Filter !== undefined) ? `all of a ${owner.name} in ${index.table}` : undefined;
}

/** Those that are looked up: run_id and no of `((run_id = $1) AND (no > 7))`. */
function columnsOf(condition: string): string[] {
  return condition.split(' AND ').map((part) => part.replace(/^\(+/, '').split(' ')[0]!);
}

const HANDS_ON = ['Limit', 'LockRows', 'Result', 'Subquery Scan', 'Append', 'Nested Loop'];

/** Whether somebody above stops asking the child for rows after the first ones. */
function isCutShort(plan: Plan, child: Plan, at: number, isCut: boolean): boolean {
  const { 'Node Type': type, 'Join Type': join } = plan;
  const relation = child['Parent Relationship'];
  // EXISTS looks for one row; a sum or an array over all of them has a node of its own above the scan.
  if (relation === 'InitPlan' || relation === 'SubPlan') return true;
  if (type === 'Nested Loop' && at > 0) return join === 'Semi' || join === 'Anti';
  return type === 'Limit' || (isCut && HANDS_ON.includes(type));
}
