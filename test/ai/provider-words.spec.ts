import { complaintIn, shownWords } from '../../src/ai/provider/provider-words.js';

const KEY = 'own-key/With+odd=(signs)';

test.each([
  [`it is ${KEY}.`, 'it is [hidden].'],
  [`it is ${KEY.toUpperCase()}.`, 'it is [hidden].'],
  [`at /v1?key=${encodeURIComponent(KEY)}&a`, 'at /v1?key=[hidden]&a'],
  [`broken ${KEY.slice(0, 8)}\n  ${KEY.slice(8)} over lines`, 'broken [hidden] over lines'],
  [`with ${KEY.slice(0, 8)}\u200b${KEY.slice(8)} nothing in between`, 'with [hidden] nothing in between'],
  ['Incorrect API key provided: sk-abcd***********wxyz.', 'Incorrect API key provided: [hidden]'],
  ['Authorization: Bearer abc.def_ghi', 'Authorization: [hidden]'],
  ['your key gsk_0a1b2c3d4e5f is blocked', 'your key [hidden] is blocked'],
  ['AIzaSyA1234567890 is not valid', '[hidden] is not valid'],
  ['token eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9 expired', 'token [hidden] expired'],
  ['a\u0000b\tc\r\nd\u001b[31m', 'a b c d [31m'],
  ['id 0b54a1c2-3d4e-5f60-8a9b-0c1d2e3f4a5b', 'id [hidden]'],
  ['half of a pair \ud800', 'half of a pair \ufffd'],
  ['the model gpt-4o-mini-2024-07-18 takes 128000 tokens', 'the model gpt-4o-mini-2024-07-18 takes 128000 tokens'],
])('of %j is shown %j', (words, shown) => {
  expect(shownWords(words, KEY)).toBe(shown);
});

test('a key of a few letters hides no words, and nothing at all is not shown', () => {
  expect(shownWords('none of them', 'none')).toBe('none of them');
  expect(shownWords(' \n ', KEY)).toBeUndefined();
  expect(shownWords(undefined, KEY)).toBeUndefined();
  expect(shownWords('x'.repeat(1_000), KEY)).toBe(`${'x'.repeat(299)}…`);
});

test.each([
  ['{"error":{"message":"m","type":"T","code":"C"}}', ['c', 't'], 'm'],
  ['{"error":{"message":"m","code":429}}', ['429'], 'm'],
  ['{"type":"error","error":{"type":"billing_error","message":"m"}}', ['billing_error'], 'm'],
  ['[{"error":{"message":"m","status":"RESOURCE_EXHAUSTED"}}]', ['resource_exhausted'], 'm'],
  ['{"error":"m"}', [], 'm'],
  ['{"object":"error","message":"m","type":"rate_limited","code":"1300"}', ['1300', 'rate_limited'], 'm'],
  ['{"error":{"message":{"odd":true},"code":["x"]}}', [], undefined],
  ['<html>no JSON</html>', [], undefined],
  ['null', [], undefined],
  ['', [], undefined],
])('the error body %s is understood', (body, codes, message) => {
  expect(complaintIn(body)).toEqual({ codes, message });
});
