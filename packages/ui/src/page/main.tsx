import { render } from 'preact';
import { App } from './app.tsx';
import { Session, takeTokenFromAddress } from './session.ts';

declare global {
  interface Window {
    /** For tests and benchmarks: the page's data, and how often it has drawn. */
    mkSession?: Session;
  }
}

const session = new Session();
window.mkSession = session;
function takeToken(): void {
  const token = takeTokenFromAddress();
  if (token !== null) session.useToken(token);
}
takeToken();
// An address that differs only behind the # loads no page: mkctl ui's, pasted into a tab that already shows the
// cluster.
addEventListener('hashchange', takeToken);
session.connect();
session.watchPulse();
render(<App session={session} />, document.getElementById('page')!);
