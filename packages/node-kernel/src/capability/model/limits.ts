/** Bounds of the capability system, each with its reason. */
export const CAPABILITY_LIMITS = {
  /** Wide as the hardware of the paper's time, and sums of addresses stay safe integers. */
  addressSpaceBytes: 2 ** 46,
  /** A capability address has 8 bits for the slot of an L2 CNode. */
  l2Slots: 256,
  /** A slot is 64 bytes of the memory that backs its CNode, so it has a physical address of its own. */
  slotBytes: 64,
  /** Slots of the CPU driver and its monitor, per core: capabilities held on behalf of operations in progress. */
  kernelSlots: 2 ** 20,
  /** One retype fills at most a whole L2 CNode: more would cross CNodes. */
  retypeCount: 256,
  /** Slots touched in one delete or clear step: a fraction of a millisecond (see the benchmark). */
  stepBudget: 32,
} as const;
