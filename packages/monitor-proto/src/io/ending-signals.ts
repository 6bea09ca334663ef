/** Signals that ask a process to end; a closing terminal sends the last. */
export const ENDING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
