/**
 * Offences of a peer. `proof`: no honest monitor commits it, whatever links and cores fail, so the witness can be sure;
 * the others may have an innocent cause and are only counted.
 */
export const OFFENCES = {
  bad_frame: { proof: true, doc: 'A frame or message that does not have the form of its table row.' },
  out_of_place: {
    proof: true,
    doc: 'A frame or message at a point where the protocol has none, or meant for another kind of receiver.',
  },
  other_name: { proof: true, doc: 'An operation in the name of another core, or of another life of its own.' },
  not_owner: {
    proof: false,
    doc: 'A request reserved to the owner, about something that the receiver’s own records say it does not own; or it was deceived itself.',
  },
  forged: {
    proof: false,
    doc: 'A capability that cannot exist where it is claimed, because nobody was ever given it; or a third core gave it a false one.',
  },
  unsealed: {
    proof: false,
    doc: 'It relayed a round without its initiator’s seal for the receiver: one of the two made it up.',
  },
  not_home: { proof: true, doc: 'A statement reserved to the home of memory, about another core’s memory.' },
  false_count: { proof: true, doc: 'An answer on behalf of cores other than those that it was asked about.' },
  hoard: { proof: true, doc: 'More requests at once than a core can have operations: the excess is not served.' },
  early_end: {
    proof: true,
    doc: 'It ends rounds that it has begun before it can have any answer, time and again.',
  },
  unasked: { proof: true, doc: 'An answer that nobody asked it for.' },
  disputed: {
    proof: false,
    doc: 'A claim of ownership that another core, who should know, denies: one of the two lies.',
  },
  over_budget: {
    proof: false,
    doc: 'More requests than its share while others were asking too: it was throttled.',
  },
} as const satisfies Readonly<Record<string, { readonly proof: boolean; readonly doc: string }>>;

export type Offence = keyof typeof OFFENCES;
