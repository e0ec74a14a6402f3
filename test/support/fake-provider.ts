import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as the provider got it. */
export interface ProviderRequest {
  headers: IncomingHttpHeaders;
  body: { model: string; messages: { role: string; content: string }[]; response_format: { type: string; json_schema: object } };
  /** When it came, as performance.now() says. */
  at: number;
}

/** What the provider does with a request: an answer, the choice of a completion, or to answer by itself (or never). */
export type ProviderAnswer =
  | { status: number; headers?: Record<string, string>; body?: unknown }
  | { findings: unknown }
  | { text: string }
  | { choice: object }
  | ((response: ServerResponse) => void);

/** An OpenAI-compatible endpoint that does what a test says. */
export class FakeProvider {
  readonly requests: ProviderRequest[] = [];
  /** Decides what comes next; by default every document is found to be good. */
  answer: (request: ProviderRequest) => ProviderAnswer | Promise<ProviderAnswer> = () => ({ findings: GOOD_FINDINGS });

  private constructor(private readonly server: Server) {}

  static async start(): Promise<FakeProvider> {
    const server = createServer();
    const provider = new FakeProvider(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as ProviderRequest['body'];
        void provider.respond({ headers: request.headers, body, at: performance.now() }, response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return provider;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async respond(request: ProviderRequest, response: ServerResponse): Promise<void> {
    this.requests.push(request);
    const answer = await this.answer(request);
    if (typeof answer === 'function') return answer(response);
    if ('status' in answer) {
      response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
      response.end(JSON.stringify(answer.body ?? { error: { message: 'as told' } }));
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(completion(choiceOf(answer))));
  }
}

/** What fits every type of job: fields that were not asked for are left out by whoever reads it. */
export const GOOD_FINDINGS = {
  summary: 'A letter about nothing.',
  classification: { category: 'letter', confidence: 0.9 },
  language: 'en',
  entities: { people: ['Ada Lovelace'], places: [], organizations: [], money: [], dates: [] },
  extraction: { dates: [], amounts: [], emails: ['ada@example.org'], phones: [], urls: [], identifiers: [], keyValues: [], tables: [] },
  quality: { score: 0.8, issues: [] },
  anomalies: [],
  keyFacts: ['from: Ada'],
};

function choiceOf(answer: { findings: unknown } | { text: string } | { choice: object }): object {
  if ('choice' in answer) return answer.choice;
  const content = 'text' in answer ? answer.text : JSON.stringify(answer.findings);
  return { finish_reason: 'stop', message: { role: 'assistant', content } };
}

function completion(choice: object): object {
  return {
    id: 'completion-1',
    object: 'chat.completion',
    created: 1_700_000_000,
    model: 'fake',
    choices: [{ index: 0, ...choice }],
    usage: { prompt_tokens: 10, completion_tokens: 10, total_tokens: 20 },
  };
}
