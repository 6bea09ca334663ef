/**
 * How long our HTTP servers keep an idle connection, in ms. Longer than clients keep theirs, so that the client closes:
 * a request on a connection that the server is closing fails, and no client may repeat a POST by itself. Node's 5 s is
 * shorter than most pools' time-out.
 */
export const KEEP_ALIVE_MS = 75_000;
