import type { Plan } from './explain.js';

/** A plan's nodes, tables, indexes and what is looked up in these; without costs, numbers of rows and values. */
export function planText(plan: Plan, indent: string): string {
  const name = plan['Subplan Name']?.replace(/ \d+$/, ': ') ?? '';
  const search = plan['Index Cond'] === undefined ? '' : ` (${conditionText(plan['Index Cond'])})`;
  const own = indent + name.replace(/[^ ]$/, '$&: ') + nodeText(plan) + search;
  return [own, ...(plan.Plans ?? []).map((child) => planText(child, `${indent}  `))].join('\n');
}

function nodeText(plan: Plan): string {
  const { 'Node Type': type, 'Join Type': join = 'Inner', Operation: operation, 'Conflict Arbiter Indexes': arbiters } = plan;
  const table = plan['Relation Name'] ?? plan['CTE Name'];
  const index = plan['Index Name'];
  const parts = [operation ?? type, join !== 'Inner' && join, table && `on ${table}`, index && `by ${index}`];
  return [...parts, arbiters && `unless in ${arbiters.join(', ')}`].filter(Boolean).join(' ');
}

/** `((run_id = $1) AND (no > '7'::bigint))` becomes `run_id = ?, no > ?`. */
function conditionText(condition: string): string {
  return condition
    .replace(/'(?:[^']|'')*'|\$\d+|\(InitPlan \d+\)\.col\d+/g, '?')
    .replace(/::[a-z]+(?: with time zone| precision)?(?:\[\])?/g, '')
    .replace(/(?<![\w.])-?\d+(?:\.\d+)?/g, '?')
    .replace(/\(\?\)/g, '?')
    .replace(/^\(+|\)+$/g, '')
    .replace(/\) AND \(/g, ', ');
}
