import type { UploadStatus } from './uploads.request.js';

export class AcceptedFile {
  id: string;
  filename: string;
  /** bytes */
  fileSize: number;
  status: 'pending';
}

export class AcceptedUpload {
  batchId: string;
  totalFiles: number;
  status: 'pending';
  /** In the order of the form. */
  files: AcceptedFile[];
  /** What the uploader should know; left out when there is nothing. */
  warnings?: string[];
}

export class AcceptedUploadReply {
  success: true;
  data: AcceptedUpload;
}

/** An upload's batch. Times are ISO 8601. */
export class UploadJob {
  id: string;
  user_id: string | null;
  status: UploadStatus;
  total_files: number;
  processed_files: number;
  failed_files: number;
  priority: 'high' | 'normal' | 'low';
  created_at: string;
  started_at: string | null;
  completed_at: string | null;
  /** Why it failed as a whole: "cancelled", say. */
  error: string | null;
  /** What the uploader should know; left out when there is nothing. */
  warnings?: string[];
}

export class UploadPagination {
  total: number;
  limit: number;
  offset: number;
  hasMore: boolean;
}

export class UploadJobsReply {
  success: true;
  data: UploadJob[];
  pagination: UploadPagination;
}

export class UploadJobProgress extends UploadJob {
  /** Whole percent of the files that are done; 100 only when all are. */
  progressPercent: number;
}

export class UploadedFile {
  id: string;
  filename: string;
  /** bytes; null when unknown */
  file_size: number | null;
  /** SHA-256, in hexadecimal digits */
  file_hash: string | null;
  status: UploadStatus;
  /** 0 to 100 */
  progress: number;
  /** What was read, as JSON text; only when completed. */
  result?: string;
  /** Why it failed, or why its last try did while it waits for another. */
  error?: string;
  /** Tries after the first. */
  retry_count: number;
  created_at: string;
  started_at: string | null;
  completed_at: string | null;
}

export class UploadSummary {
  total: number;
  completed: number;
  processing: number;
  pending: number;
  failed: number;
}

export class UploadJobDetails {
  batch: UploadJobProgress;
  /** In the order of the form; the first thousand. */
  files: UploadedFile[];
  summary: UploadSummary;
}

export class UploadJobReply {
  success: true;
  data: UploadJobDetails;
}
