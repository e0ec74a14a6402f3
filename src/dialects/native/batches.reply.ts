export class DeletedBatch {
  deleted: true;
}

export class RecordedMetrics {
  recorded: true;
}
