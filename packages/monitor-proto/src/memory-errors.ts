/** Errors of memory accesses. Codes 300–319. */
export const MEMORY_ERRORS = {
  PAGE_FAULT: {
    code: 300,
    definite: true,
    doc: 'Nothing is mapped at the address, or not with the right for this access.',
  },
  PAGE_LOST: {
    code: 301,
    definite: false,
    doc: 'The core with the only current copy of the page is gone, and the page with it.',
  },
  HOME_LOST: { code: 302, definite: false, doc: 'The core whose memory held the page is gone.' },
  PAGE_GONE: { code: 303, definite: true, doc: 'The frame of the page was revoked while the access waited.' },
  MEMORY_NOT_SHARED: {
    code: 304,
    definite: true,
    doc: 'A dispatcher in its own process shares no memory with its core: start the cluster with --isolation thread.',
  },
  NO_ADDRESS_SPACE: { code: 305, definite: true, doc: 'The domain has not chosen its root page table.' },
  NOT_AT_HOME: {
    code: 306,
    definite: true,
    doc: 'An address space can be changed only on the core where the domain began.',
  },
  PAGE_CONTENDED: {
    code: 308,
    definite: true,
    again: true,
    doc: 'Other cores took the page away before each of very many attempts to use it.',
  },
  MISALIGNED: { code: 307, definite: true, doc: 'The address is not a multiple of the access size.' },
} as const;
