/** What the SKB logs of its clients' sessions. */
export const SESSION_LOG_EVENTS = {
  session_lost: {
    level: 'warn',
    fields: { peer: 'peer', instance: 'string', silent_ms: 'number' },
    doc: 'A client of the SKB said nothing for a session time-out: what it held goes to others.',
  },
  session_overrun: {
    level: 'warn',
    fields: { peer: 'peer', instance: 'string' },
    doc: 'A core does not read what the SKB tells it: its session ended, so what it held goes to others. It stays a member.',
  },
} as const;
