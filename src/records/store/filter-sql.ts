import type { RecordCondition, Scalar } from '../record-filter.js';

const COMPARE = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

/**
 * The filter as one SQL condition on the columns of `record`. Nothing of the filter is in the text: names and values are
 * parameters, pushed to `values`. Equality is written with `@>`, which the GIN index answers.
 */
export function filterSql(conditions: RecordCondition[], values: unknown[]): string {
  const parameter = (value: unknown, type: string): string => `$${values.push(value)}::${type}`;
  return ['true', ...conditions.map((condition) => `(${conditionSql(condition, parameter)})`)].join(' AND ');
}

type Parameter = (value: unknown, type: string) => string;

function conditionSql(condition: RecordCondition, parameter: Parameter): string {
  const { path, operator, value } = condition;
  const field = (): string => `fields #> ${parameter(path, 'text[]')}`;
  switch (operator) {
    case 'eq':
      return equalsSql(path, value, parameter);
    case 'in':
      return value.map((entry) => `(${equalsSql(path, entry, parameter)})`).join(' OR ');
    case 'ne':
      return `coalesce(${field()}, 'null') <> ${parameter(JSON.stringify(value), 'jsonb')}`;
    case 'exists':
      return `(${field()}) IS ${value ? 'NOT ' : ''}NULL`;
    case 'contains':
      return containsSql(path, value, parameter);
    default:
      return comparesSql(path, COMPARE[operator], value, parameter);
  }
}

/**
 * null also means "not there", and so does `annotation_status: "pending"`: a record that nobody has annotated carries no status.
 * An index into a list ("lines.0.price") is no key of an object, so `@>` cannot express it.
 */
function equalsSql(path: string[], value: Scalar, parameter: Parameter): string {
  if (value === null) return `coalesce(fields #> ${parameter(path, 'text[]')}, 'null') = 'null'`;
  if (path.some((name) => /^-?\d+$/.test(name))) {
    return `fields #> ${parameter(path, 'text[]')} = ${parameter(JSON.stringify(value), 'jsonb')}`;
  }
  const nested = path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
  const isEqual = `fields @> ${parameter(JSON.stringify(nested), 'jsonb')}`;
  return path.length === 1 && path[0] === 'annotation_status' && value === 'pending'
    ? `${isEqual} OR NOT fields ? 'annotation_status'`
    : isEqual;
}

/** Numbers compare with numbers and text with text; a field of another type does not match. CASE, because AND promises no order. */
function comparesSql(path: string[], sign: string, value: string | number, parameter: Parameter): string {
  const at = parameter(path, 'text[]');
  if (typeof value === 'number') {
    return `CASE jsonb_typeof(fields #> ${at}) WHEN 'number' THEN (fields #>> ${at})::numeric ${sign} ${parameter(value, 'numeric')} ELSE false END`;
  }
  return `CASE jsonb_typeof(fields #> ${at}) WHEN 'string' THEN (fields #>> ${at}) COLLATE "C" ${sign} ${parameter(value, 'text')} ELSE false END`;
}

/** A text that has the value in it, upper or lower case, or a list with the value as an entry. */
function containsSql(path: string[], value: Scalar, parameter: Parameter): string {
  const at = parameter(path, 'text[]');
  const inList = `WHEN 'array' THEN (fields #> ${at}) @> ${parameter(JSON.stringify([value]), 'jsonb')}`;
  const inText =
    typeof value === 'string' ? `WHEN 'string' THEN strpos(lower(fields #>> ${at}), lower(${parameter(value, 'text')})) > 0` : '';
  return `CASE jsonb_typeof(fields #> ${at}) ${inList} ${inText} ELSE false END`;
}
