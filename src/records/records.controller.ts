import { Body, Controller, Delete, Get, Headers, Param, Post, Put, Query } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiExtraModels, ApiTags, getSchemaPath } from '@nestjs/swagger';
import { Readable } from 'node:stream';
import { LimitCreation } from '../access/creation-limit.js';
import { CurrentCaller } from '../access/current-caller.js';
import { invalidField } from '../common/app-error.js';
import { checkInput } from '../common/check-input.js';
import { JsonAsText, parseJsonBody } from '../common/json-body.js';
import { jsonError, parseJson } from '../common/json-text.js';
import { type Caller, type InputOf, Procedures } from '../common/procedure.js';
import { Config } from '../config.js';
import { DeleteCollection } from './commands/delete-collection.command.js';
import { DeleteRecord } from './commands/delete-record.command.js';
import { ImportRecords } from './commands/import-records.command.js';
import { PutRecord } from './commands/put-record.command.js';
import { GetRecord } from './queries/get-record.query.js';
import { ListCollections } from './queries/list-collections.query.js';
import { ListRecords } from './queries/list-records.query.js';
import { CollectionsReply, DeletedRecordsReply, ImportReply, RecordReply, RecordsReply } from './records.reply.js';
import { ImportFileRequest, ImportRecordsQuery, ListCollectionsQuery, ListRecordsQuery, PutRecordRequest } from './records.request.js';
import { readBody } from '../common/read-body.js';

@ApiTags('records')
@Controller('api/records')
export class RecordsController {
  constructor(
    private readonly procedures: Procedures,
    private readonly config: Config,
  ) {}

  /** Rows as NDJSON, CSV or a JSON array, or `{ "fileId": … }` of a stored file: one batch that writes them. */
  @Post(':collection/import')
  @LimitCreation()
  @JsonAsText()
  @ApiConsumes('application/json', 'application/x-ndjson', 'text/csv', 'text/tab-separated-values', 'text/plain')
  @ApiExtraModels(ImportFileRequest)
  @ApiBody({ schema: { oneOf: [{ $ref: getSchemaPath(ImportFileRequest) }, { type: 'array', items: { type: 'object' } }] } })
  async import(
    @Param('collection') collection: string,
    @Query() query: ImportRecordsQuery,
    @Body() body: unknown,
    @Headers('content-type') contentType: string | undefined,
    @CurrentCaller() caller: Caller,
  ): Promise<ImportReply> {
    const rows = this.rowsIn(body, contentType ?? '', query);
    const { batch, skipped, problems } = await this.procedures.call(ImportRecords, { ...query, collection, ...rows }, caller);
    return { success: true, data: batch, skipped, problems, warnings: batch.warnings };
  }

  /** The collections, by name. */
  @Get()
  async collections(@Query() query: ListCollectionsQuery, @CurrentCaller() caller: Caller): Promise<CollectionsReply> {
    const { rows, ...pagination } = await this.procedures.call(ListCollections, query, caller);
    return { success: true, data: rows, pagination };
  }

  /** Finds records, in the order of their keys. */
  @Get(':collection')
  async list(
    @Param('collection') collection: string,
    @Query() { filter, ...query }: ListRecordsQuery,
    @CurrentCaller() caller: Caller,
  ): Promise<RecordsReply> {
    const { rows, ...pagination } = await this.procedures.call(ListRecords, { ...query, collection, filter: parseFilter(filter) }, caller);
    return { success: true, data: rows, pagination };
  }

  /** One record. */
  @Get(':collection/:key')
  async get(@Param('collection') collection: string, @Param('key') key: string, @CurrentCaller() caller: Caller): Promise<RecordReply> {
    return { success: true, data: await this.procedures.call(GetRecord, { collection, key }, caller) };
  }

  /** Writes one record whole. */
  @Put(':collection/:key')
  async put(
    @Param('collection') collection: string,
    @Param('key') key: string,
    @Body() body: PutRecordRequest,
    @CurrentCaller() caller: Caller,
  ): Promise<RecordReply> {
    return { success: true, data: await this.procedures.call(PutRecord, { ...body, collection, key }, caller) };
  }

  /** Removes one record. */
  @Delete(':collection/:key')
  async delete(
    @Param('collection') collection: string,
    @Param('key') key: string,
    @CurrentCaller() caller: Caller,
  ): Promise<DeletedRecordsReply> {
    return { success: true, data: await this.procedures.call(DeleteRecord, { collection, key }, caller) };
  }

  /** Removes all records of a collection. Of very many not all at once: then `complete` is false. */
  @Delete(':collection')
  async deleteCollection(@Param('collection') collection: string, @CurrentCaller() caller: Caller): Promise<DeletedRecordsReply> {
    return { success: true, data: await this.procedures.call(DeleteCollection, { collection }, caller) };
  }

  private rowsIn(body: unknown, contentType: string, { format, charset }: ImportRecordsQuery): RowsOfBody {
    if (body instanceof Readable) return { source: readBody(body, this.config.maxUploadBytes), contentType, format };
    if (charset !== undefined) throw invalidField('charset', 'a JSON body is UTF-8; leave it out');
    return rowsInJson(typeof body === 'string' ? body : '', format);
  }
}

type RowsOfBody = Pick<InputOf<ImportRecords>, 'source' | 'contentType' | 'format' | 'fileId'>;

/** An array of rows is read like a file; anything else names a file. */
function rowsInJson(text: string, format: ImportRecords['format']): RowsOfBody {
  if (/^\s*\[/.test(text)) return { source: Readable.from([Buffer.from(text)]), contentType: 'application/json', format };
  const file = checkInput(ImportFileRequest, parseJsonBody(text));
  if (format && file.format && file.format !== format) {
    throw invalidField('format', `is ${file.format}, but the query says ${format}; say one of them`);
  }
  return { ...file, format: file.format ?? format };
}

function parseFilter(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  const parsed = parseJson(text, 'not JSON such as {"status":"open"}');
  if ('errors' in parsed) throw jsonError(parsed.errors, 'filter');
  return parsed.value as Record<string, unknown>;
}
