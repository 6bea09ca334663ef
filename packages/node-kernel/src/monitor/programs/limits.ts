/** Bounds of programs and domains, each with its reason. */
export const PROGRAM_LIMITS = {
  /** A bundle with its library is some hundred kilobytes; larger ones carry data that belongs elsewhere. */
  programBytes: 4 << 20,
  /** Texts that a core keeps; the one that was used longest ago goes. */
  programsKept: 64,
  /** One piece of a text on its way between cores stays well below the largest message. */
  pieceBytes: 96 << 10,
  /** Arguments of a spawn, as of a command line. */
  arguments: 256,
  /** Bytes of arguments and environment together: they travel in one message. */
  argumentBytes: 64 << 10,
  /** Capabilities that come with a spawn: each is sent by itself. */
  capabilities: 64,
  /** Domains that have ended and whose status can still be asked for. */
  finishedKept: 1024,
  /** Of the text with which a domain ends: an error with its stack; it travels in one message. */
  endingCharacters: 8192,
  /** Dispatchers of one core: each is a thread or a process of some megabytes, and a spawn bomb has all it can get. */
  partsPerCore: 128,
  /** L2 CNodes of a new domain's cspace: 512 slots. */
  cnodes: 2,
  /** Dispatchers of one domain asked for its cores: as many as there can be cores. */
  waitersPerDomain: 4096,
} as const;

/** The value of a bound of programs. */
export function programLimit(name: keyof typeof PROGRAM_LIMITS): number {
  return PROGRAM_LIMITS[name];
}
