/** What an access to memory may end in. Codes 300–319. */
export const MEMORY_ERRORS = {
  PAGE_FAULT: {
    code: 300,
    definite: true,
    doc: 'Nothing is mapped at the address, or without the right for this access.',
  },
  PAGE_LOST: {
    code: 301,
    definite: false,
    doc: 'The core that had the only current copy of the page is gone, and the page with it.',
  },
  HOME_LOST: { code: 302, definite: false, doc: 'The core that brought the page’s memory is gone.' },
  PAGE_GONE: { code: 303, definite: true, doc: 'The frame of the page was taken away while the access waited.' },
  MEMORY_NOT_SHARED: {
    code: 304,
    definite: true,
    doc: 'A dispatcher in a process of its own shares no memory with its core: start the cluster with --isolation thread.',
  },
  NO_ADDRESS_SPACE: { code: 305, definite: true, doc: 'The domain has not said which root page table is its own.' },
  NOT_AT_HOME: { code: 306, definite: true, doc: 'An address space is changed on the core where the domain began.' },
  PAGE_CONTENDED: {
    code: 308,
    definite: true,
    again: true,
    doc: 'Other cores took the page away before each of very many attempts to use it.',
  },
  MISALIGNED: { code: 307, definite: true, doc: 'The address is no multiple of what is accessed.' },
} as const;
