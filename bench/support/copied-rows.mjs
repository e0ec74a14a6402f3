// Fills the service's tables with many batches, by copying the rows of batches that it worked itself: so they have its shape.

/**
 * Inserts copies of a table's rows into it.
 * @param rows alias t; `per` names what is copied for what, in SQL
 * @param set what a copy has otherwise, in SQL, by column
 */
export async function copyRows(database, table, { per, set }) {
  const { rows } = await database.query(
    `SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''`,
    [table],
  );
  const columns = rows.map(({ attname }) => attname);
  const values = columns.map((column) => set[column] ?? `t.${column}`);
  await database.query(`INSERT INTO ${table} (${columns.join(', ')}) SELECT ${values.join(', ')} FROM ${table} t, ${per}`);
}

/** The guards of what is finished would refuse the copies of it. */
export async function withoutGuards(database, work) {
  for (const table of ['run', 'batch_event']) await database.query(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
  await work();
  for (const table of ['run', 'batch_event']) await database.query(`ALTER TABLE ${table} ENABLE TRIGGER USER`);
}

/**
 * Many finished batches of several tenants, interfaces and operations, one every ten seconds until now.
 * @param templates IDs of finished batches; most copies are of the first one
 */
export async function copyBatches(database, count, { templates, tenants, dialects, operations }) {
  await database.query(
    `CREATE TEMP TABLE copy AS
     SELECT b.id AS template, b.run_id AS template_run, gen_random_uuid()::text AS id, nextval('run_id') AS run_id, n,
       ($3::text[])[1 + n / 3 % cardinality($3)] AS tenant, ($4::text[])[1 + n % cardinality($4)] AS dialect,
       ($5::text[])[1 + n / 7 % cardinality($5)] AS operation, now() - ($1 - n) * interval '10 seconds' AS created_at
     FROM generate_series(1, $1::int) n JOIN batch b ON b.id = ($2::text[])[greatest(1, n / 11 % 20 - 19 + cardinality($2))]`,
    [count, templates, tenants, dialects, operations],
  );
  const ofBatch = { per: 'copy c WHERE t.batch_id = c.template', set: { batch_id: 'c.id', run_id: 'c.run_id' } };
  const ofRun = { per: 'copy c WHERE t.run_id = c.template_run', set: { run_id: 'c.run_id' } };
  const times = Object.fromEntries(
    ['created', 'started', 'ended'].map((when) => [`${when}_at`, `c.created_at + (t.${when}_at - t.created_at)`]),
  );
  const named = { tenant: 'c.tenant', dialect: 'c.dialect', operation: 'c.operation', name: `'import of day ' || c.n / 8640` };
  await copyRows(database, 'batch', {
    per: 'copy c WHERE t.id = c.template',
    set: { ...named, id: 'c.id', run_id: 'c.run_id', created_at: 'c.created_at' },
  });
  await copyRows(database, 'run', { per: 'copy c WHERE t.id = c.template_run', set: { ...times, id: 'c.run_id', batch_id: 'c.id' } });
  for (const table of ['lane', 'chunk', 'chunk_items', 'outcome']) await copyRows(database, table, ofRun);
  for (const table of ['batch_event', 'batch_metric']) await copyRows(database, table, ofBatch);
}
