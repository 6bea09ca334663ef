/** The part of the library that we use; it ships no declarations. */
declare module 'fs-native-extensions' {
  /** Locks the whole file exclusively; false: another holder. Throws what else the system says. */
  export function tryLock(descriptor: number): boolean;
}
