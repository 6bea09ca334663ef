/** Errors of programs, their dispatchers and domains. Codes 200–229. */
export const PROGRAM_ERRORS = {
  NO_SUCH_PROGRAM: { code: 200, definite: true, doc: 'The core was given no program of that name.' },
  NO_PROGRAM: {
    code: 201,
    definite: true,
    doc: 'The loaded text is not a program: it does not parse, or attaches no runtime.',
  },
  NOT_SCHEDULABLE: {
    code: 202,
    definite: true,
    doc: 'The core cannot guarantee the time that a hard real-time dispatcher requests.',
  },
  TOO_MANY_DOMAINS: { code: 203, definite: true, doc: 'The core has reached its limit of domains.' },
  DOMAIN_ENDING: { code: 204, definite: true, doc: 'The domain is being stopped, or has stopped.' },
  ALREADY_SPANNED: { code: 205, definite: true, doc: 'The domain already has a dispatcher on that core.' },
  KILLED: { code: 206, definite: false, doc: 'The domain was killed.' },
  OVERRUN: {
    code: 207,
    definite: false,
    doc: 'The dispatcher kept the core past its slice and, asked to yield, through the grace period.',
  },
  OUT_OF_HEAP: { code: 208, definite: false, doc: 'The dispatcher’s heap grew past its limit.' },
  UNCAUGHT: { code: 209, definite: false, doc: 'An error that the program did not catch.' },
  BAD_TURN: {
    code: 210,
    definite: false,
    doc: 'The dispatcher returned something other than a turn, or returned without having the core.',
  },
  START_TIMEOUT: { code: 211, definite: true, doc: 'The host of dispatchers did not start the dispatcher in time.' },
  DISPATCHER_LOST: {
    code: 212,
    definite: false,
    doc: 'The dispatcher’s thread or process ended unasked.',
  },
  NOT_AT_ONCE: {
    code: 213,
    definite: true,
    doc: 'The call cannot be answered within the turn: make it asynchronously.',
  },
  HOME_GONE: {
    code: 214,
    definite: false,
    doc: 'The core with the domain’s record is gone, and the domain with it.',
  },
  TOO_MANY_CALLS: {
    code: 215,
    definite: true,
    again: true,
    doc: 'The dispatcher has reached its limit of outstanding calls; make this one when some are answered.',
  },
  UNHANDLED_REJECTION: {
    code: 216,
    definite: false,
    doc: 'A promise of the program was rejected, and nobody had handled it by the end of the turn.',
  },
} as const;
