/** State that a restart needs. `owner` is set for transient records. */
export type OctopusChange =
  | { readonly type: 'put'; readonly name: string; readonly text: string; readonly owner?: string }
  | { readonly type: 'remove'; readonly name: string }
  | { readonly type: 'counter'; readonly name: string; readonly value: number }
  | { readonly type: 'counter_remove'; readonly name: string };
