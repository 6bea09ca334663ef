/**
 * What a peer can be caught at. `proof`: no honest monitor does it, whatever links and cores fail, so the witness can
 * be sure; the rest may have an innocent cause and is only counted.
 */
export const OFFENCES = {
  bad_frame: { proof: true, doc: 'A frame or a message in it that does not have the form of the table.' },
  out_of_place: {
    proof: true,
    doc: 'A frame or a message where the protocol has none, or for another kind of receiver.',
  },
  other_name: { proof: true, doc: 'An operation in the name of another core, or of another life of its own.' },
  not_owner: {
    proof: false,
    doc: 'What only the owner may ask, about something that the receiver’s own record says is not its; or it was deceived itself.',
  },
  forged: {
    proof: false,
    doc: 'A capability that cannot exist where it is claimed to be: nobody was ever given it; or a third one gave it a false one.',
  },
  unsealed: {
    proof: false,
    doc: 'It passed on a round that does not bear its initiator’s seal for the receiver: one of the two made it up.',
  },
  not_home: { proof: true, doc: 'What only the home of memory may say, about memory of another core.' },
  false_count: { proof: true, doc: 'An answer for other cores than those that it was asked about.' },
  hoard: { proof: true, doc: 'More requests at once than a core can have operations: those beyond are not served.' },
  early_end: {
    proof: true,
    doc: 'Ends rounds that it has begun before it can have anybody’s answer, time and again.',
  },
  unasked: { proof: true, doc: 'An answer to what nobody ever asked it.' },
  disputed: {
    proof: false,
    doc: 'A claim to own something that another core, who should know, says is false: one of the two lies.',
  },
  over_budget: {
    proof: false,
    doc: 'More requests than its share while others asked as well: it was throttled.',
  },
} as const satisfies Readonly<Record<string, { readonly proof: boolean; readonly doc: string }>>;

export type Offence = keyof typeof OFFENCES;
