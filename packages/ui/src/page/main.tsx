import { render } from 'preact';
import { App } from './app.tsx';
import { Session, takeTokenFromAddress } from './session.ts';

declare global {
  interface Window {
    /** For tests and benchmarks: what the page shows and how often it has drawn. */
    mkSession?: Session;
  }
}

const session = new Session();
window.mkSession = session;
const token = takeTokenFromAddress();
if (token !== null) session.useToken(token);
session.connect();
session.watchPulse();
render(<App session={session} />, document.getElementById('page')!);
