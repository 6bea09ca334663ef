import type { CoreId } from '../ids.ts';

/** A registered core, as the SKB lists it. */
export interface CoreRow {
  readonly core: CoreId;
  readonly incarnation: number;
  readonly address: string;
  readonly up: boolean;
  readonly links: number;
  readonly package: number;
  /** Its host's name; '' when it gave none. */
  readonly host: string;
}
