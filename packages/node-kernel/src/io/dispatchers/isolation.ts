/** How a core keeps its dispatchers apart: threads in bare contexts, or a process each. */
export const ISOLATIONS = ['thread', 'process'] as const;
export type Isolation = (typeof ISOLATIONS)[number];
