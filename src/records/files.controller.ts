import { Controller, Post, Req } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { CurrentCaller } from '../access/current-caller.js';
import { invalidField } from '../common/app-error.js';
import { type FormPart, readMultipart } from '../common/multipart.js';
import { type Caller, Procedures } from '../common/procedure.js';
import { limitBytes } from '../common/read-body.js';
import { Config } from '../config.js';
import { UploadFile } from './commands/upload-file.command.js';
import { FileReply } from './records.reply.js';

@ApiTags('records')
@Controller('api/files')
export class FilesController {
  constructor(
    private readonly procedures: Procedures,
    private readonly config: Config,
  ) {}

  /** One file as multipart/form-data, of any field name. Its id is what an import or a record names it by. */
  @Post()
  @ApiConsumes('multipart/form-data')
  @ApiBody({ schema: { type: 'object', properties: { file: { type: 'string', format: 'binary' } } } })
  async upload(@Req() { raw, headers }: FastifyRequest, @CurrentCaller() caller: Caller): Promise<FileReply> {
    const parts = readMultipart(raw, headers['content-type']);
    for await (const part of parts) {
      if (part.filename === undefined) continue;
      const source = limitBytes(onlyFile(part, parts), this.config.maxUploadBytes);
      const file = { name: part.filename, mediaType: part.mediaType, source };
      return { success: true, data: await this.procedures.call(UploadFile, file, caller) };
    }
    throw invalidField('file', 'the form has no file; add one as a part with a file name');
  }
}

/** The file's bytes, which end well only with the form. */
async function* onlyFile({ body }: FormPart, others: AsyncIterable<FormPart>): AsyncGenerator<Buffer> {
  yield* body;
  for await (const { filename } of others) {
    if (filename !== undefined) throw invalidField('file', 'the form has more than one file; send each in a form of its own');
  }
}
