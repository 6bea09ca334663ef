/** What the exit statuses of programs say, as the programs that ship use them. */
export const EXIT_STATUS = {
  done: 0,
  failed: 1,
  /** Arguments that the program cannot take. */
  usage: 2,
  /** Faults took something that it needed; it has said what, and has done what could be done without. */
  lost: 3,
} as const;
