import type { MessageSpec } from './spec.ts';

/** Between a core and the SKB: registration, the six-step mesh join, measurement, plans. Ordinals 1–39. */
export const REGISTRY_MESSAGES = {
  register_request: {
    ordinal: 1, from: 'core', to: 'skb', lane: 'monitor',
    fields: { core: 'u32', incarnation: 'u32', address: 'str', gone_cores: 'u32s', gone_incarnations: 'u32s' },
    doc: 'A booting core asks for its id (65534: any) and says where its monitor listens; incarnation 0 at first boot, its own when it comes back to a restarted SKB, and then which incarnations of other cores it has given up.',
  },
  register_reply: {
    ordinal: 2, from: 'skb', to: 'core', lane: 'monitor',
    fields: { error: 'u32', core: 'u32', incarnation: 'u32', view: 'u32', machine: 'str', settings: 'str' },
    doc: 'The core’s id and incarnation, the machine description and the cluster’s settings (both JSON), or an error code.',
  },
  monitor_initialized: {
    ordinal: 3, from: 'core', to: 'skb', lane: 'monitor', fields: {},
    doc: 'Join step 1: the new monitor listens and may be announced.',
  },
  new_monitor_notify: {
    ordinal: 4, from: 'skb', to: 'core', lane: 'monitor', fields: { monitors: 'monitors', more: 'bool' },
    doc: 'Join step 2: tells every initialised monitor of new ones, and whether others wait to be announced.',
  },
  bind_monitor_proxy: {
    ordinal: 5, from: 'core', to: 'skb', lane: 'monitor', fields: { cores: 'u32s', incarnations: 'u32s' },
    doc: 'Join step 3: an initialised monitor asks the SKB to have these incarnations of new monitors bind to it.',
  },
  bind_monitor_request: {
    ordinal: 6, from: 'skb', to: 'core', lane: 'monitor', fields: { monitors: 'monitors', more: 'bool' },
    doc: 'Join step 4: the new monitor is told which monitors to open a link to, and whether others wait to be announced.',
  },
  bind_monitor_reply: {
    ordinal: 7, from: 'core', to: 'core', lane: 'monitor', fields: { core: 'u32' },
    doc: 'Join step 5: over the fresh link, the new monitor confirms that it is bound.',
  },
  capops_ready: {
    ordinal: 8, from: 'core', to: 'any', lane: 'monitor', fields: { core: 'u32' },
    doc: 'Join step 6: the sender takes part in global operations from now on.',
  },
  monitor_gone: {
    ordinal: 9, from: 'skb', to: 'core', lane: 'urgent', fields: { core: 'u32', incarnation: 'u32' },
    doc: 'This incarnation of a core will not come back; its channel is closed.',
  },
  mesh_report: {
    ordinal: 10, from: 'core', to: 'skb', lane: 'monitor', fields: { links: 'u32' },
    doc: 'How many monitors the sender is bound to.',
  },
  measure_request: {
    ordinal: 11, from: 'skb', to: 'core', lane: 'monitor', fields: { batch: 'u32', cores: 'u32s', pings: 'u32', at_once: 'u32' },
    doc: 'Measure with these cores, so many of them at once and so many round trips of each end, and report.',
  },
  measure_report: {
    ordinal: 12, from: 'core', to: 'skb', lane: 'monitor',
    fields: { batch: 'u32', from: 'u32s', to: 'u32s', averages: 'floats', variances: 'floats', minima: 'floats', maxima: 'floats' },
    doc: 'Round-trip times in nanoseconds, one entry a pair and direction; a core that did not answer is left out.',
  },
  plan_push: {
    ordinal: 13, from: 'skb', to: 'core', lane: 'monitor',
    fields: { version: 'u32', multicast: 'u32s', numa: 'u32s' },
    doc: 'The receiver’s own dissemination trees, flat: core, number of children, then each child’s tree in send order.',
  },
  link_changed: {
    ordinal: 14, from: 'core', to: 'skb', lane: 'monitor', fields: { core: 'u32', average: 'float' },
    doc: 'The round trip to a peer moved by more than the re-plan ratio; nanoseconds.',
  },
} as const satisfies Record<string, MessageSpec>;
