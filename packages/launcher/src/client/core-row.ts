/** A registered core, as the SKB lists it. */
export interface CoreRow {
  readonly core: number;
  readonly incarnation: number;
  readonly address: string;
  readonly up: boolean;
  readonly links: number;
  readonly package: number;
}
