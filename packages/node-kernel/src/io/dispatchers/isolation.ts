/** How a core isolates its dispatchers: threads in bare contexts, or a process each. */
export const ISOLATIONS = ['thread', 'process'] as const;
export type Isolation = (typeof ISOLATIONS)[number];
