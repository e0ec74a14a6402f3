import { Controller, Post, Req } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import type { MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { CurrentCaller } from '../access/current-caller.js';
import { AppError, invalidField } from '../common/app-error.js';
import { type Caller, Procedures } from '../common/procedure.js';
import { Config } from '../config.js';
import { UploadFile } from './commands/upload-file.command.js';
import { FileReply } from './records.reply.js';
import { readBody } from '../common/read-body.js';

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
  async upload(@Req() request: FastifyRequest, @CurrentCaller() caller: Caller): Promise<FileReply> {
    if (!request.isMultipart())
      throw new AppError('UNSUPPORTED_TYPE', 'send the file as multipart/form-data, for example with curl -F file=@rows.csv');
    const part = await request.file({ limits: { files: 1, fileSize: Infinity } });
    if (!part) throw invalidField('file', 'the form has no file; add one as a part with a file name');
    return { success: true, data: await this.procedures.call(UploadFile, this.fileOf(part), caller) };
  }

  private fileOf({ filename, mimetype, file }: MultipartFile) {
    // The form's own limit would cut the file short without a word; this one refuses it.
    return { name: filename, mediaType: mimetype, source: readBody(file, this.config.maxUploadBytes) };
  }
}
