import { IsIn, IsInt } from 'class-validator';
import { Nullable } from '../../common/nullable.js';

/** What is not given stays. */
export class UpdateBreakerRequest {
  /** Failures in a row that open it, 1 to 1,000; null: the service's setting. */
  @Nullable() @IsInt() failures?: number | null;
  /** Milliseconds that it stays open, 1 to 3,600,000, from the next time it opens; null: the service's setting. */
  @Nullable() @IsInt() openMs?: number | null;
  /** null: it goes by what happens. */
  @Nullable() @IsIn(['open', 'closed']) forced?: 'open' | 'closed' | null;
}
