// Everything that can be asked of the service, as the addresses that a page or a program asks.

/** @returns `{ name, path }`, where the path is new each time it is asked for */
export function readRoutes({ small, large, running, items, failed, far }) {
  const one = () => small[Math.floor(Math.random() * small.length)];
  const somewhere = () => Math.floor(Math.random() * items);
  return [
    ...ofLists(far),
    ...ofOneBatch({ one, large, running }),
    ...ofResults(large, items, failed),
    ...ofItems(large, somewhere, items),
    ...ofDialects(one, large, far),
  ].map(([name, path]) => ({ name, path }));
}

function ofLists(far) {
  return [
    ['list', () => '/api/batches'],
    ['list, completed ones', () => '/api/batches?status=completed'],
    ['list, failed ones', () => '/api/batches?status=failed'],
    ['list, running ones', () => '/api/batches?status=running'],
    ['list, of an operation', () => '/api/batches?operation=validate'],
    ['list, part of a name', () => '/api/batches?name=day%203'],
    ['list, of the last hour', () => `/api/batches?createdAfter=${new Date(Date.now() - 3_600_000).toISOString()}`],
    ['list, a far page', () => `/api/batches?offset=${far}`],
    ['figures of all batches', () => '/api/batches/stats'],
    ['breakers', () => '/api/breakers'],
    ['metrics of the process', () => '/metrics'],
  ];
}

function ofOneBatch({ one, large, running }) {
  return [
    ['a batch', () => `/api/batches/${one()}`],
    ['the large batch', () => `/api/batches/${large}`],
    ['the running batch', () => `/api/batches/${running}`],
    ['stats of a batch', () => `/api/batches/${one()}/stats`],
    ['stats of the large batch', () => `/api/batches/${large}/stats`],
    ['analytics of a batch', () => `/api/batches/${one()}/analytics`],
    ['analytics of the large batch', () => `/api/batches/${large}/analytics`],
    ['analytics of the running batch', () => `/api/batches/${running}/analytics`],
    ['metrics of the large batch', () => `/api/batches/${large}/metrics`],
    ['events of the large batch', () => `/api/batches/${large}/events`],
    ['its last events', () => `/api/batches/${large}/events?afterSeq=900`],
    ['audit of the running batch', () => `/api/batches/${running}/audit`],
    ['what the running batch waits for', () => `/api/batches/${running}/waiting`],
    ['rollback of a batch', () => `/api/batches/${one()}/rollback`],
  ];
}

function ofResults(large, items, failed) {
  const results = `/api/batches/${large}/results`;
  return [
    ['results, first page', () => results],
    ['results, 1,000', () => `${results}?limit=1000`],
    ['results, in the middle', () => `${results}?offset=${Math.floor(items / 2)}`],
    ['results, last page', () => `${results}?offset=${items - 100}`],
    ['failed results', () => `${results}?status=failed`],
    ['failed results, in the middle', () => `${results}?status=failed&offset=${Math.floor(failed / 2)}`],
    ['results of a key', () => `${results}?key=${Math.floor(items / 2)}`],
  ];
}

function ofItems(large, somewhere, items) {
  const batch = `/api/batches/${large}`;
  return [
    ['items, first page', () => `${batch}/items`],
    ['items, in the middle', () => `${batch}/items?offset=${Math.floor(items / 2)}`],
    ['items as jobs, in the middle', () => `${batch}/jobs?offset=${Math.floor(items / 2)}`],
    ['an item’s history, by its position', () => `${batch}/items/${somewhere()}/history?by=seq`],
    ['an item’s history, by its key', () => `${batch}/items/${1 + somewhere()}/history`],
    ['what an item waits for', () => `${batch}/items/${somewhere()}/waiting?by=seq`],
  ];
}

function ofDialects(one, large, far) {
  return [
    ['ERP: history', () => '/api/batch/history'],
    ['ERP: history, failed ones', () => '/api/batch/history?status=failed'],
    ['ERP: history, a far page', () => `/api/batch/history?offset=${Math.floor(far / 6)}`],
    ['ERP: stats', () => '/api/batch/stats'],
    ['ERP: a batch', () => `/api/batch/${one()}`],
    ['ERP: charts of the large batch', () => `/api/batch/${large}/viz`],
    ['ERP: 100 results of the large batch', () => `/api/batch/${large}/results?limit=100`],
    ['ERP: its results, as many as come', () => `/api/batch/${large}/results`],
    ['annotations: active', () => '/api/batch/annotations/active'],
    ['annotations: stats', () => '/api/batch/annotations/stats'],
    ['annotations: a job', () => `/api/batch/annotations/${one()}/status`],
    ['annotations: the large job', () => `/api/batch/annotations/${large}/status`],
    ['uploads: list', () => '/api/batch/jobs'],
    ['uploads: a job', () => `/api/batch/jobs/${one()}`],
    ['uploads: the large job', () => `/api/batch/jobs/${large}`],
    ['documents: list', () => '/api/v1/documents/batch-process'],
    ['documents: a job', () => `/api/v1/documents/batch-process/${one()}`],
    ['documents: the large job', () => `/api/v1/documents/batch-process/${large}`],
  ];
}
