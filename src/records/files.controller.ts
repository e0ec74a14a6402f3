import { Controller, Delete, Get, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiOkResponse, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { CurrentCaller } from '../access/current-caller.js';
import { invalidField } from '../common/app-error.js';
import { readMultipart } from '../common/multipart.js';
import { type Caller, Procedures } from '../common/procedure.js';
import { limitBytes } from '../common/read-body.js';
import { Config } from '../config.js';
import { DeleteFile } from './commands/delete-file.command.js';
import { type FileOfForm, UploadFiles } from './commands/upload-files.command.js';
import { downloadHeaders } from './download-headers.js';
import { GetFile } from './queries/get-file.query.js';
import { ListFiles } from './queries/list-files.query.js';
import { ReadFile } from './queries/read-file.query.js';
import { DeletedFileReply, FileReply, FilesReply, StoredFilesReply } from './records.reply.js';
import { ListFilesQuery } from './records.request.js';

@ApiTags('records')
@Controller('api/files')
export class FilesController {
  constructor(
    private readonly procedures: Procedures,
    private readonly config: Config,
  ) {}

  /**
   * Files as multipart/form-data, of any field names: all of them are stored, or none. A file's id is what an import or a record names it by.
   */
  @Post()
  @ApiConsumes('multipart/form-data')
  @ApiBody({ schema: { type: 'object', properties: { file: { type: 'array', items: { type: 'string', format: 'binary' } } } } })
  async upload(@Req() { raw, headers }: FastifyRequest, @CurrentCaller() caller: Caller): Promise<StoredFilesReply> {
    const files = await this.procedures.call(UploadFiles, { files: this.filesIn(raw, headers['content-type']) }, caller);
    return { success: true, data: files[0]!, files };
  }

  /** The stored files, newest first. */
  @Get()
  async list(@Query() query: ListFilesQuery, @CurrentCaller() caller: Caller): Promise<FilesReply> {
    const { rows, ...pagination } = await this.procedures.call(ListFiles, query, caller);
    return { success: true, data: rows, pagination };
  }

  /** What is known of one file. */
  @Get(':id')
  async get(@Param('id') fileId: string, @CurrentCaller() caller: Caller): Promise<FileReply> {
    return { success: true, data: await this.procedures.call(GetFile, { fileId }, caller) };
  }

  /** The file's bytes, as they were sent. An answer that breaks off is not the whole file. */
  @Get(':id/content')
  @ApiProduces('application/octet-stream')
  @ApiOkResponse({ schema: { type: 'string', format: 'binary' } })
  async content(@Param('id') fileId: string, @CurrentCaller() caller: Caller, @Res() reply: FastifyReply): Promise<void> {
    const { file, bytes } = await this.procedures.call(ReadFile, { fileId }, caller);
    await reply.headers(downloadHeaders(file)).send(Readable.from(bytes, { objectMode: false }));
  }

  /** Removes a file for good. */
  @Delete(':id')
  async delete(@Param('id') fileId: string, @CurrentCaller() caller: Caller): Promise<DeletedFileReply> {
    return { success: true, data: await this.procedures.call(DeleteFile, { fileId }, caller) };
  }

  private async *filesIn(body: Readable, contentType?: string): AsyncGenerator<FileOfForm> {
    for await (const { name, filename, mediaType, body: bytes } of readMultipart(body, contentType)) {
      if (filename === undefined) {
        const problem = 'is text, and this form has only files; leave it out, or with curl put an @ before the path of a file';
        throw invalidField(name, problem, 'unrecognized_keys');
      }
      yield { name: filename, mediaType, source: limitBytes(bytes, this.config.maxUploadBytes) };
    }
  }
}
