/** The text with which a program fails on purpose. */
export const GIVEN_UP = 'given up on purpose';
