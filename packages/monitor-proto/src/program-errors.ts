/** How programs, their dispatchers and domains may end, or be answered. Codes 200–229. */
export const PROGRAM_ERRORS = {
  NO_SUCH_PROGRAM: { code: 200, definite: true, doc: 'No program of that name was given to the core.' },
  NO_PROGRAM: {
    code: 201,
    definite: true,
    doc: 'The text that was loaded is no program: it does not parse, or attaches no runtime.',
  },
  NOT_SCHEDULABLE: {
    code: 202,
    definite: true,
    doc: 'The core cannot promise the time that a hard real-time dispatcher asks for.',
  },
  TOO_MANY_DOMAINS: { code: 203, definite: true, doc: 'The core has as many domains as it may.' },
  DOMAIN_ENDING: { code: 204, definite: true, doc: 'The domain is being stopped, or has been.' },
  ALREADY_SPANNED: { code: 205, definite: true, doc: 'The domain has a dispatcher on that core.' },
  KILLED: { code: 206, definite: false, doc: 'The domain was killed.' },
  OVERRUN: {
    code: 207,
    definite: false,
    doc: 'The dispatcher kept the core past its slice and, after it was asked to yield, through the grace period.',
  },
  OUT_OF_HEAP: { code: 208, definite: false, doc: 'The dispatcher’s heap grew past its limit.' },
  UNCAUGHT: { code: 209, definite: false, doc: 'An error that the program did not catch.' },
  BAD_TURN: {
    code: 210,
    definite: false,
    doc: 'What came back from the dispatcher is no turn, or came when it did not have the core.',
  },
  START_TIMEOUT: { code: 211, definite: true, doc: 'The host of dispatchers did not start the dispatcher in time.' },
  DISPATCHER_LOST: {
    code: 212,
    definite: false,
    doc: 'The thread or process of the dispatcher ended without having been told to.',
  },
  NOT_AT_ONCE: {
    code: 213,
    definite: true,
    doc: 'The call is not one that is answered within the turn: make it asynchronously.',
  },
  HOME_GONE: {
    code: 214,
    definite: false,
    doc: 'The core that kept the domain’s record is gone, and the domain with it.',
  },
  TOO_MANY_CALLS: {
    code: 215,
    definite: true,
    again: true,
    doc: 'The dispatcher has as many calls outstanding as it may; make this one when some are answered.',
  },
  UNHANDLED_REJECTION: {
    code: 216,
    definite: false,
    doc: 'A promise of the program was rejected, and nobody held it when the turn was over.',
  },
} as const;
