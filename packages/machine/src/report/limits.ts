/** Runs whose reports are kept in a folder of runs: an older one's folder goes when a new one is written. A report is some 100 kB. */
export const KEPT_REPORTS = 50;
/** Entries of a report's timeline: more make no page that a person reads. Faults and what broke always have a place. */
export const TIMELINE_MOST = 400;
/** Failed operations that a report can lay to the faults that were in force; counts go on. */
export const FAILURES_KEPT = 20_000;
/** Intervals in which a report counts what ended: as many bars as can be told apart. They grow with the run. */
export const INTERVALS_MOST = 240;
/** Rows of runs in the report of many seeds: those that broke come first. */
export const RUNS_TOLD = 1000;
