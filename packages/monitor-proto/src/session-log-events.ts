/** Log events of the SKB about its clients' sessions. */
export const SESSION_LOG_EVENTS = {
  session_lost: {
    level: 'warn',
    fields: { peer: 'peer', instance: 'string', silent_ms: 'number' },
    doc: 'A client of the SKB was silent for a session time-out: everything it held goes to others.',
  },
  session_overrun: {
    level: 'warn',
    fields: { peer: 'peer', instance: 'string' },
    doc: 'A core does not read the SKB’s messages: its session ended, so everything it held goes to others. It stays a member.',
  },
} as const;
