import { parseSkbSettings } from './io/settings.ts';
import { SkbProcess } from './io/skb-process.ts';

/** The program of the SKB. Everything it is told stands in MK_SKB. */
const settings = parseSkbSettings(process.env.MK_SKB);
if (typeof settings === 'string') {
  process.stderr.write(`mk skb: ${settings}\n`);
  process.exit(2);
}
void new SkbProcess(settings).start();
