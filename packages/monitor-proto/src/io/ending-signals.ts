/** By these a process is asked to end; a terminal that is closed sends the last. */
export const ENDING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
