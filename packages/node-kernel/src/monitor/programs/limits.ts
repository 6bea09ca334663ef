/** Bounds of programs and domains, each with its reason. */
export const PROGRAM_LIMITS = {
  /** A bundle with its library is some hundred kilobytes; larger ones carry data that belongs elsewhere. */
  programBytes: 4 << 20,
  /** Texts that a core keeps; the least recently used goes. */
  programsKept: 64,
  /** One piece of a text between cores stays well below the largest message. */
  pieceBytes: 96 << 10,
  /** Arguments of a spawn, as of a command line. */
  arguments: 256,
  /** Bytes of arguments and environment together: they travel in one message. */
  argumentBytes: 64 << 10,
  /** Capabilities of a spawn: each is sent by itself. */
  capabilities: 64,
  /** Ended domains whose status can still be requested. */
  finishedKept: 1024,
  /** Characters of a domain's last text, an error with its stack, which travels in one message. */
  endingCharacters: 8192,
  /**
   * Dispatchers of one core: each is a thread or a process of some megabytes, and a spawn bomb takes all it can get.
   */
  partsPerCore: 128,
  /** L2 CNodes of a new domain's cspace: 512 slots. */
  cnodes: 2,
} as const;

/** The value of a bound of programs. */
export function programLimit(name: keyof typeof PROGRAM_LIMITS): number {
  return PROGRAM_LIMITS[name];
}
