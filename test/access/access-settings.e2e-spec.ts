import { Api, type Problem } from '../contracts/api.js';
import { startTestService } from '../support/service.js';

const KEY = 'acme-key-0123456789';
const DOCS = ['/docs', '/docs/', '/docs-json', '/docs-yaml', '/docs/swagger-ui.css'];

/** The status that a stranger, and the holder of a key, are answered with. */
async function statuses(env: Record<string, string>, paths: string[]): Promise<Record<string, [number, number]>> {
  const service = await startTestService({ API_KEYS: `acme:${KEY}`, ...env });
  const status = async (path: string, headers: Record<string, string>) => {
    const answer = await fetch(service.url + path, { headers });
    await answer.arrayBuffer();
    return answer.status;
  };
  const found: Record<string, [number, number]> = {};
  for (const path of paths) found[path] = [await status(path, {}), await status(path, { authorization: `Bearer ${KEY}` })];
  await service.close();
  return found;
}

const each = (paths: string[], pair: [number, number]) => Object.fromEntries(paths.map((path) => [path, pair]));

test('as it comes, metrics want a key, and the documentation does not', async () => {
  expect(await statuses({}, ['/metrics', ...DOCS])).toEqual({ '/metrics': [401, 200], ...each(DOCS, [200, 200]) });
});

test('each may be public, or want a key', async () => {
  const found = await statuses({ METRICS_ACCESS: 'public', DOCS_ACCESS: 'authenticated' }, ['/metrics', ...DOCS]);
  expect(found).toEqual({ '/metrics': [200, 200], ...each(DOCS, [401, 200]) });
});

test('each may be switched off', async () => {
  const found = await statuses({ METRICS_ACCESS: 'off', DOCS_ACCESS: 'off' }, ['/metrics', ...DOCS]);
  expect(found).toEqual(each(['/metrics', ...DOCS], [404, 404]));
});

test('the address alone shows where to go, to people and to programs, also without a key', async () => {
  const service = await startTestService({ API_KEYS: `acme:${KEY}` });
  const page = await fetch(service.url, { headers: { accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8' } });
  expect(page).toMatchObject({ status: 200 });
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  const links = [...(await page.text()).matchAll(/href="([^"]+)"/g)].map(([, path]) => path!);
  const { status, body } = await new Api(service.url).get<{ data: { links: { path: string }[] } }>('/');
  expect(status).toBe(200);
  expect(body.data.links.map(({ path }) => path)).toEqual(links);
  const api = new Api(service.url, { 'x-api-key': KEY });
  for (const path of links) expect((await fetch(service.url + path, { headers: { 'x-api-key': KEY } })).status).toBe(200);
  expect(await api.get<Problem>('/elsewhere')).toMatchObject({ status: 404 });
  await service.close();
});
