import { type CanActivate, Injectable } from '@nestjs/common';
import { AppError } from '../../common/app-error.js';
import { Config } from '../../config.js';

/** Closes every route of this interface when the service is told to take no uploads. */
@Injectable()
export class UploadsEnabledGuard implements CanActivate {
  constructor(private readonly config: Config) {}

  canActivate(): boolean {
    if (this.config.uploadsEnabled) return true;
    throw new AppError('NOT_FOUND', 'uploads are switched off here (ENABLE_BATCH=false)');
  }
}
