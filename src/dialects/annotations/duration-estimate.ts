import { runningService } from '../../common/running-service.js';
import type { AnnotationTier } from './annotations.reply.js';

/** A tier by name, as the service in this process is set up, or a number of one's own. */
export type RateLimit = AnnotationTier | { requestsPerMinute: number };

/** @throws Error for a tier's name while no service runs in this process */
export function requestsPerMinute(limit: RateLimit): number {
  return typeof limit === 'string' ? runningService().config.annotationTiers[limit].perMinute : limit.requestsPerMinute;
}

/** Whole minutes that so many images take when nothing but the rate limit holds them up. */
export function estimateDurationMinutes(imageCount: number, limit: RateLimit): number {
  return Math.ceil(imageCount / requestsPerMinute(limit));
}
