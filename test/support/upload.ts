import type { AcceptedUploadReply, UploadJobReply } from '../../src/dialects/uploads/uploads.reply.js';
import type { Answer, Api } from '../contracts/api.js';
import { eventually } from './eventually.js';

export interface FormFile {
  name: string;
  bytes: Buffer;
  /** Default: file. */
  field?: string;
}

/** A form as a page sends it; the fields come after the files. */
export function formOf(files: FormFile[], fields: Record<string, string> = {}): FormData {
  const form = new FormData();
  for (const { name, bytes, field = 'file' } of files) form.append(field, new Blob([new Uint8Array(bytes)]), name);
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return form;
}

export async function upload<Body = AcceptedUploadReply>(
  url: string,
  form: FormData,
  headers: Record<string, string> = {},
): Promise<Answer<Body>> {
  const answer = await fetch(`${url}/api/batch/upload`, { method: 'POST', body: form, headers });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Body };
}

/** An upload's batch once it is done, as its own interface shows it. */
export async function uploadDone(api: Api, batchId: string, withinMs = 60_000): Promise<UploadJobReply['data']> {
  const answer = await eventually(
    () => api.get<UploadJobReply>(`/api/batch/jobs/${batchId}`),
    ({ body }) => ['completed', 'failed'].includes(body.data.batch.status),
    withinMs,
  );
  return answer.body.data;
}
