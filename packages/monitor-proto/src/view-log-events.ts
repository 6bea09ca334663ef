/** Log events of views, leases, the SKB's silence and takeovers from cores that are gone. */
export const VIEW_LOG_EVENTS = {
  cap_adopted: {
    level: 'info',
    fields: { op: 'string', capability: 'string', peer: 'number' },
    doc: 'This core, the lowest holder, takes over a capability whose owner is gone.',
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
    doc: 'A view is in force on this core: its members, who joined, who left of its own will and who was lost since the previous one.',
  },
  core_quarantined: {
    level: 'warn',
    fields: { peer: 'peer', accusers: 'numbers' },
    doc: 'Enough members have proof that this one misbehaves: this core no longer listens to it, and the next view leaves it out.',
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
    doc: 'The SKB was silent this long: its link was closed, and it is dialled until it answers.',
  },
  skb_heard: {
    level: 'info',
    fields: { silent_ms: 'number' },
    doc: 'The silent SKB answers again; silent_ms: since it was last heard.',
  },
  founding_waits: {
    level: 'warn',
    fields: { cores: 'number', expected: 'number', last: 'number', text: 'string' },
    doc: 'The SKB found nobody in a view, and too few cores have come to begin one; last: the size of the last view, as far as its earlier lives knew.',
  },
} as const;
