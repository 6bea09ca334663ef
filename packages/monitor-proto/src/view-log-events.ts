/** What a core logs of views, leases, the SKB's silence and what it takes over from cores that are gone. */
export const VIEW_LOG_EVENTS = {
  cap_adopted: {
    level: 'info',
    fields: { op: 'string', capability: 'string', peer: 'number' },
    doc: 'This core takes over a capability whose owner is gone: it is its lowest holder.',
  },
  view_installed: {
    level: 'info',
    fields: {
      view: 'number',
      leader: 'number',
      members: 'numbers',
      joined: 'numbers',
      left: 'numbers',
      lost: 'numbers',
    },
    doc: 'A view is in force on this core: who is in it, who came, who left of its own will and who was lost since the one before.',
  },
  core_quarantined: {
    level: 'warn',
    fields: { peer: 'peer', accusers: 'numbers' },
    doc: 'Enough members have proof that this one misbehaves: it is heard no more here, and the next view is to be without it.',
  },
  core_fenced: {
    level: 'warn',
    fields: { view: 'number' },
    doc: 'This core has no lease: dispatchers stop, and nothing that it computes leaves it.',
  },
  core_unfenced: {
    level: 'info',
    fields: { view: 'number', fenced_ms: 'number' },
    doc: 'This core has a lease; fenced_ms: how long it had none.',
  },
  skb_silent: {
    level: 'warn',
    fields: { silent_ms: 'number', bound_ms: 'number' },
    doc: 'Nothing was heard of the SKB for so long: its link was closed, and it is dialled until it answers.',
  },
  skb_heard: {
    level: 'info',
    fields: { silent_ms: 'number' },
    doc: 'The SKB that was silent answers again; silent_ms: since it was last heard.',
  },
  founding_waits: {
    level: 'warn',
    fields: { cores: 'number', expected: 'number', last: 'number', text: 'string' },
    doc: 'The SKB found nobody in a view, and too few cores have come to begin one; last: how many the last view had, as far as its earlier lives knew.',
  },
} as const;
