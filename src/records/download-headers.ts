import type { FileView } from './record.view.js';

const MEDIA_TYPE = /^[\w.+-]+\/[\w.+-]+$/;
/** What RFC 8187 does not let stand as it is, and encodeURIComponent does. */
const RESERVED = /['()*]/g;

/**
 * Headers of an answer with a file's bytes. It is saved and not shown, whatever its sender said that it is: a page that somebody stored
 * must not run as one of the service's own.
 */
export function downloadHeaders({ id, name, mediaType, size, sha256 }: FileView): Record<string, string> {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(name.toWellFormed()).replace(RESERVED, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  return {
    'content-type': MEDIA_TYPE.test(mediaType) ? mediaType : 'application/octet-stream',
    'content-length': String(size),
    'content-disposition': `attachment; filename="${plain || id}"; filename*=UTF-8''${encoded || id}`,
    'content-security-policy': "sandbox; default-src 'none'",
    'x-content-type-options': 'nosniff',
    etag: `"${sha256}"`,
    'cache-control': 'private, no-cache',
  };
}
