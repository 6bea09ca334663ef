import type { CAPABILITY_ERRORS } from '@mk/monitor-proto/capability-errors';
import type { Result as AnyResult } from '@mk/monitor-proto/result';

/** What an operation on capabilities may be refused with. */
export type CapabilityError = keyof typeof CAPABILITY_ERRORS;

/** What an operation on capabilities comes to. */
export type Result<T> = AnyResult<T, CapabilityError>;
