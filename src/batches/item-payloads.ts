import { Injectable } from '@nestjs/common';
import { AppError, invalidField } from '../common/app-error.js';
import { checkInput } from '../common/check-input.js';
import { toJson } from '../common/json-value.js';
import { unsafeKey } from '../common/safe-json.js';
import { type Connection } from '../database/sql.js';
import { ItemHandlerRegistry } from '../operations/item-handler.registry.js';
import { MAX_ITEM_CHARACTERS } from './item-source.js';
import { appendAudit } from './store/append-audit.js';
import { insertEdit, measureEdits } from './store/item-edits.js';
import type { BatchRow } from './store/select-batches.js';

/** Edits that a batch keeps: as many as fit into memory at once, so that no list of items has to be cut short for them. */
const MAX_EDITS = 10_000;
const MAX_EDIT_BYTES = 32_000_000;

/** New payloads for items that are there already. */
@Injectable()
export class ItemPayloads {
  constructor(private readonly registry: ItemHandlerRegistry) {}

  /** @returns JSON text. @throws AppError INVALID_INPUT that names the field, as the operation's handler would refuse it */
  check(batch: Pick<BatchRow, 'operation' | 'external'>, payload: unknown): string {
    const text = toText(payload);
    const registered = batch.external ? undefined : this.registry.get(batch.operation);
    if (registered?.payload) checkInput(registered.payload, payload ?? {}, 'payload');
    const problem = registered?.handler.refuseItem?.(`{"payload":${text}}`);
    if (problem !== undefined) throw invalidField('payload', problem);
    return text;
  }

  /** Keeps an item's new payload beside its earlier ones. The caller holds the lock of the batch's current run. */
  async keep(connection: Connection, batchId: string, edit: { seq: number; payload: string; editedBy: string | null }): Promise<void> {
    const { count, bytes } = await measureEdits(connection, batchId);
    if (count >= MAX_EDITS || bytes + edit.payload.length > MAX_EDIT_BYTES) {
      throw new AppError(
        'CONFLICT',
        `batch ${batchId} keeps ${count} edited payloads of ${bytes} bytes; at most ${MAX_EDITS} of ${MAX_EDIT_BYTES} bytes are kept: make a new batch`,
      );
    }
    await insertEdit(connection, { batchId, ...edit });
    await appendAudit(connection, { batchId, by: edit.editedBy, action: 'edit item', details: { seq: edit.seq } });
  }
}

function toText(payload: unknown): string {
  const text = toJson(payload, 'payload');
  if (text === undefined) throw invalidField('payload', 'must be any JSON value but null', 'invalid_type');
  const unsafe = unsafeKey(payload);
  if (unsafe) throw invalidField(`payload.${unsafe}`, 'is a forbidden key', 'unrecognized_keys');
  if (text.length > MAX_ITEM_CHARACTERS) throw invalidField('payload', `may have at most ${MAX_ITEM_CHARACTERS} characters`, 'too_big');
  return text;
}
