/** What a program says that fails on purpose. */
export const GIVEN_UP = 'given up on purpose';
