import type { Connection } from '../../src/database/sql.js';
import type { Recorded } from './recorder.js';

/** A node of a plan, as far as anybody looks at it. */
export interface Plan {
  'Node Type': string;
  'Join Type'?: string;
  Operation?: string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Index Cond'?: string;
  Filter?: string;
  'CTE Name'?: string;
  'Subplan Name'?: string;
  'Parent Relationship'?: string;
  'Conflict Arbiter Indexes'?: string[];
  Plans?: Plan[];
}

/** The planner's other settings, as PostgreSQL comes with them: plans are compared from one server to another. */
const SETTINGS = `
  SET max_parallel_workers_per_gather = 0; SET work_mem = '4MB'; SET effective_cache_size = '4GB';
  SET seq_page_cost = 1; SET random_page_cost = 4; SET cpu_tuple_cost = 0.01; SET cpu_index_tuple_cost = 0.005; SET cpu_operator_cost = 0.0025`;

export class Explainer {
  constructor(private readonly connection: Connection) {}

  /** On any server alike. */
  static async onAnyServer(connection: Connection): Promise<Explainer> {
    await connection.query(SETTINGS);
    return new Explainer(connection);
  }

  /** The plan for just these values, which PostgreSQL makes for the first five executions on a connection, and for statements without a name. */
  forGiven({ text, values }: Recorded): Promise<Plan> {
    return this.explain('FORMAT JSON', text, values);
  }

  /** The plan for any values, which PostgreSQL keeps when it seems no dearer than the others were. */
  forAny({ text }: Recorded): Promise<Plan> {
    return this.explain('GENERIC_PLAN, FORMAT JSON', text);
  }

  private async explain(options: string, text: string, values?: unknown[]): Promise<Plan> {
    const { rows } = await this.connection.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(`EXPLAIN (${options}) ${text}`, values);
    return rows[0]!['QUERY PLAN'][0].Plan;
  }
}

/** A plan's nodes, from the top down. */
export function nodesOf(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}
