import type { CAPABILITY_ERRORS } from '@mk/monitor-proto/capability-errors';
import type { Result as AnyResult } from '@mk/monitor-proto/result';

/** Errors of capability operations. */
export type CapabilityError = keyof typeof CAPABILITY_ERRORS;

/** The result of a capability operation. */
export type Result<T> = AnyResult<T, CapabilityError>;
