import { invalidField } from '../../common/app-error.js';
import { runningService } from '../../common/running-service.js';
import type { AnnotationTier } from './annotations.reply.js';

const TIERS: AnnotationTier[] = ['free', 'paid'];

/** A tier by name, as the service in this process is set up, or a number of one's own. */
export type RateLimit = AnnotationTier | { requestsPerMinute: number };

/** @throws Error for a tier's name while no service runs in this process, AppError INVALID_INPUT for a number that is not above 0 */
export function requestsPerMinute(limit: RateLimit): number {
  const perMinute = typeof limit === 'object' ? limit.requestsPerMinute : rateOfTier(checkTier(limit));
  if (Number.isFinite(perMinute) && perMinute > 0) return perMinute;
  throw invalidField('requestsPerMinute', 'must be a number above 0');
}

function rateOfTier(tier: AnnotationTier): number {
  return runningService().config.annotationTiers[tier].perMinute;
}

/** @throws AppError INVALID_INPUT for a name that is no tier's */
export function checkTier(tier: AnnotationTier): AnnotationTier {
  if (TIERS.includes(tier)) return tier;
  throw invalidField('tier', `must be one of ${TIERS.join(', ')}`, 'invalid_enum_value');
}

/** Whole minutes that so many images take when nothing but the rate limit holds them up. */
export function estimateDurationMinutes(imageCount: number, limit: RateLimit): number {
  return Math.ceil(imageCount / requestsPerMinute(limit));
}
