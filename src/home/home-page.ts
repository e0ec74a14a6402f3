const LINKS = [
  { path: '/docs', what: 'every route, to read and to try out' },
  { path: '/docs-json', what: 'the same as OpenAPI' },
  { path: '/api/batches', what: 'the batches' },
  { path: '/health/ready', what: 'whether the service is ready' },
  { path: '/metrics', what: 'its figures, for Prometheus' },
];

const FIRST_BATCH =
  `curl -s localhost:3000/api/batches -H 'content-type: application/json' \\\n` +
  `  -d '{ "operation": "noop", "items": [{ "key": "a" }, { "key": "b" }] }'`;

/** Addresses to go to, for programs. */
export function homeLinks(): { name: string; links: { path: string; what: string }[] } {
  return { name: 'Batchwise', links: LINKS };
}

/** The same for people. */
export function homePage(): string {
  const rows = LINKS.map(({ path, what }) => `<li><a href="${path}">${path}</a>: ${what}</li>`).join('\n');
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Batchwise</title></head>
<body>
<h1>Batchwise</h1>
<p>Large batches of work: created, worked in parallel, watched, paused, cancelled, every result recorded once.</p>
<ul>
${rows}
</ul>
<p>A first batch (with access control, add <code>-H 'x-api-key: ...'</code>); README.md has a tour of five minutes:</p>
<pre>${FIRST_BATCH}</pre>
</body>
</html>
`;
}
