import type { Client } from 'pg';
import { Explainer, nodesOf, type Plan } from './explain.js';
import { type Indexes, readIndexes, readsTooMuch } from './judge.js';
import { planText } from './plan-text.js';
import type { Recorded } from './recorder.js';

interface Planned {
  group: string;
  name: string;
  /** Texts of the plans for any values and for given ones, each once. */
  any: Set<string>;
  given: Set<string>;
  reads: Set<string>;
}

export const CAN_BE_PLANNED = /^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b/i;

/** The statements that were recorded, with their plans. */
export class PlannedStatements {
  private readonly byNameAndText = new Map<string, Planned>();

  /** How many texts were seen under a name: a call makes several statements without a name. */
  private readonly textsOf = new Map<string, number>();

  private constructor(
    private readonly explainer: Explainer,
    private readonly indexes: Indexes,
  ) {}

  static async on(client: Client): Promise<PlannedStatements> {
    return new PlannedStatements(await Explainer.onAnyServer(client), await readIndexes(client));
  }

  /** Also of statements that read no table. */
  get names(): Set<string> {
    return new Set(this.textsOf.keys());
  }

  async add(group: string, statements: Recorded[]): Promise<void> {
    for (const statement of statements.filter(({ text }) => CAN_BE_PLANNED.test(text))) {
      const planned = this.plannedOf(group, statement);
      this.addPlan(planned, 'given', await this.explainer.forGiven(statement));
      if (statement.isNamed && planned.any.size === 0) this.addPlan(planned, 'any', await this.explainer.forAny(statement));
    }
  }

  /** Those of a group that read a table, by name: statements that are sent side by side are seen in any order. */
  textOf(group: string): string {
    const own = [...this.byNameAndText.values()].filter((planned) => planned.group === group && planned.given.size > 0);
    own.sort((one, other) => (one.name < other.name ? -1 : 1));
    return own.map(statementText).join('\n');
  }

  /** What they read too much of: the statement's name, and the table. */
  get reads(): string[] {
    return [...this.byNameAndText.values()].flatMap(({ name, reads }) => [...reads].map((read) => `${name}: ${read}`)).sort();
  }

  private plannedOf(group: string, { name, text }: Recorded): Planned {
    const key = `${name}\n${text}`;
    const known = this.byNameAndText.get(key);
    if (known) return known;
    const texts = (this.textsOf.get(name) ?? 0) + 1;
    this.textsOf.set(name, texts);
    const shown = texts === 1 ? name : `${name} (${texts})`;
    const planned = { group, name: shown, any: new Set<string>(), given: new Set<string>(), reads: new Set<string>() };
    this.byNameAndText.set(key, planned);
    return planned;
  }

  private addPlan(planned: Planned, values: 'any' | 'given', plan: Plan): void {
    if (!nodesOf(plan).some((node) => node['Relation Name'] !== undefined)) return;
    planned[values].add(planText(plan, '    '));
    for (const read of readsTooMuch(plan, this.indexes)) planned.reads.add(read);
  }
}

function statementText({ name, any, given }: Planned): string {
  const texts = [...new Set([...any, ...given])];
  if (texts.length === 1) return `${name}\n${texts[0]}\n`;
  const values = (text: string): string => (!any.has(text) ? 'given' : given.has(text) ? 'any or given' : 'any');
  return `${name}\n${texts.map((text) => `  for ${values(text)} values\n${text}\n`).join('')}`;
}
