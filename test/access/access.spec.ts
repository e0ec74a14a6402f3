import { SignJWT, UnsecuredJWT } from 'jose';
import { Access, assertAccessControl, credentialsOf } from '../../src/access/access.js';
import { Config } from '../../src/config.js';
import { mayConnect } from '../../src/realtime/origin.js';

const KEY = 'acme-key-0123456789';
const SECRET = 'a secret of at least thirty-two characters';
const env = { API_KEYS: `acme:${KEY},globex:globex-key-0123456789`, JWT_SECRET: SECRET };
const access = new Access(Config.from(env));
const now = Math.floor(Date.now() / 1000);

function token(claims: object, { secret = SECRET, alg = 'HS256' } = {}): Promise<string> {
  return new SignJWT({ ...claims }).setProtectedHeader({ alg }).sign(new TextEncoder().encode(secret));
}

const good = { sub: 'ada', tenant: 'acme', exp: now + 60 };

test('a key names its tenant, in either header', async () => {
  const expected = { caller: { tenant: 'acme', subject: expect.stringMatching(/^key:[0-9a-f]{8}$/) as string } };
  expect(await access.identify(credentialsOf({ 'x-api-key': KEY }))).toEqual(expected);
  expect(await access.identify(credentialsOf({ authorization: `Bearer ${KEY}` }))).toEqual(expected);
  expect((await access.identify({ apiKey: 'globex-key-0123456789' })).caller.tenant).toBe('globex');
});

test('a token names tenant and user, and its end', async () => {
  const identity = await access.identify(credentialsOf({ authorization: `bearer ${await token(good)}` }));
  expect(identity).toEqual({ caller: { tenant: 'acme', subject: 'ada', personal: true }, expiresAt: good.exp * 1000 });
});

test.each([
  ['nothing', {}],
  ['an empty key', { 'x-api-key': '' }],
  ['a wrong key', { 'x-api-key': 'acme-key-0123456780' }],
  ['the beginning of a key', { 'x-api-key': KEY.slice(0, -1) }],
  ['a key with its tenant', { 'x-api-key': `acme:${KEY}` }],
  ['another scheme', { authorization: `Basic ${KEY}` }],
  ['a wrong key beside a right one', { 'x-api-key': 'wrong', authorization: `Bearer ${KEY}` }],
])('%s is refused', async (_what, headers) => {
  await expect(access.identify(credentialsOf(headers))).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
});

test.each([
  ['of another secret', () => token(good, { secret: SECRET.toUpperCase() })],
  ['of another algorithm', () => token(good, { alg: 'HS512' })],
  ['without a signature', () => Promise.resolve(new UnsecuredJWT(good).encode())],
  ['that has ended', () => token({ ...good, exp: now - 1 })],
  ['that never ends', () => token({ sub: 'ada', tenant: 'acme' })],
  ['that is not valid yet', () => token({ ...good, nbf: now + 3600 })],
  ['without a user', () => token({ tenant: 'acme', exp: now + 60 })],
  ['without a tenant', () => token({ sub: 'ada', exp: now + 60 })],
  ['with a tenant that is not text', () => token({ ...good, tenant: { id: 1 } })],
  ['with an empty tenant', () => token({ ...good, tenant: '' })],
  ['with a NUL in its user', () => token({ ...good, sub: 'a\0da' })],
  ['with half a surrogate pair in its user', () => token({ ...good, sub: '\udc00ada' })],
  ['with half a surrogate pair in its tenant', () => token({ ...good, tenant: 'acme\ud83d' })],
  ['that is no token', () => Promise.resolve('a.b.c')],
])('a token %s is refused', async (_what, make) => {
  await expect(access.identify({ bearer: await make() })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
});

test('a token is not taken for a key, nor a key of nobody for a token where no secret is set', async () => {
  await expect(access.identify({ apiKey: await token(good) })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  const keysOnly = new Access(Config.from({ API_KEYS: env.API_KEYS }));
  await expect(keysOnly.identify({ bearer: await token(good) })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
});

test('without keys and secret everybody is the one tenant "default"', async () => {
  expect(await new Access(Config.from({})).identify({})).toEqual({ caller: { tenant: 'default' } });
});

test('production refuses to start open, and says what to set', () => {
  expect(() => assertAccessControl(Config.from({ NODE_ENV: 'production' }))).toThrow(/API_KEYS.*JWT_SECRET/);
  expect(() => assertAccessControl(Config.from({ NODE_ENV: 'production', JWT_SECRET: SECRET }))).not.toThrow();
  expect(() => assertAccessControl(Config.from({}))).not.toThrow();
});

describe('a page may open a socket', () => {
  const from = (origin: string | undefined, settings: Record<string, string> = {}) =>
    mayConnect({ host: 'batch.example:3000', origin }, Config.from(settings));

  test('when it is of this host, of this machine, or no page at all', () => {
    expect(from(undefined)).toBe(true);
    expect(from('http://batch.example:3000')).toBe(true);
    expect(from('http://localhost:5173')).toBe(true);
  });

  test('but not from a foreign page while access is open', () => {
    for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example', 'nonsense', ''])
      expect(from(origin)).toBe(false);
  });

  test('from the named pages only, once some are named', () => {
    const settings = { CORS_ORIGINS: 'https://shop.example', JWT_SECRET: SECRET };
    expect(from('https://shop.example', settings)).toBe(true);
    expect(from('http://batch.example:3000', settings)).toBe(true);
    expect(from('https://evil.example', settings)).toBe(false);
    expect(from('http://localhost:5173', settings)).toBe(false);
    expect(from('https://evil.example', { CORS_ORIGINS: '*' })).toBe(true);
  });

  test('from anywhere when it must show credentials, which a foreign page has not', () => {
    expect(from('https://elsewhere.example', { JWT_SECRET: SECRET })).toBe(true);
  });
});
