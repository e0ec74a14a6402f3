export { eventually as until } from '../support/eventually.js';

export interface Answer<Body> {
  status: number;
  headers: Headers;
  body: Body;
}

/** The one error body. */
export interface Problem {
  success: false;
  error: string;
  message: string;
  statusCode: number;
  details: { errors: { path: string; message: string; code: string }[] };
}

/** The service over real HTTP. */
export class Api {
  constructor(
    readonly url: string,
    private readonly headers: Record<string, string> = {},
  ) {}

  get<Body>(path: string): Promise<Answer<Body>> {
    return this.send('GET', path);
  }

  post<Body>(path: string, body?: unknown): Promise<Answer<Body>> {
    return this.send('POST', path, body);
  }

  delete<Body>(path: string, body?: unknown): Promise<Answer<Body>> {
    return this.send('DELETE', path, body);
  }

  async send<Body>(method: string, path: string, body?: unknown): Promise<Answer<Body>> {
    const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    const text = body === undefined ? undefined : JSON.stringify(body);
    return answerOf(await fetch(this.url + path, { method, body: text, headers: { ...type, ...this.headers } }));
  }

  async sendText<Body>(path: string, text: string, type: string): Promise<Answer<Body>> {
    return answerOf(await fetch(this.url + path, { method: 'POST', body: text, headers: { ...this.headers, 'content-type': type } }));
  }
}

async function answerOf<Body>(response: Response): Promise<Answer<Body>> {
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: (text === '' ? undefined : JSON.parse(text)) as Body };
}

export const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
