/** Reports kept in a folder of runs: a new one displaces the oldest. A report is some 100 kB. */
export const KEPT_REPORTS = 50;
/** Entries of a report's timeline: nobody reads a longer page. Faults and breaches always get in. */
export const TIMELINE_MOST = 400;
/** Failed operations that a report can attribute to the faults in force; counts go on beyond that. */
export const FAILURES_KEPT = 20_000;
/** Intervals in which a report counts what ended: as many bars as a reader can tell apart. They grow with the run. */
export const INTERVALS_MOST = 240;
/** Rows in the report of many seeds; those that broke come first. */
export const RUNS_TOLD = 1000;
