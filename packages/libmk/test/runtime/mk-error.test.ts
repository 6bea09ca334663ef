import { expect, test } from '@jest/globals';
import { MkError } from '@mk/libmk/runtime/mk-error';

test('an error of a call names itself once, as a text and in its message', () => {
  const error = new MkError('PAGE_FAULT', 'nothing is mapped there');
  expect([String(error), error.message, error.text]).toEqual([
    'PAGE_FAULT: nothing is mapped there',
    'PAGE_FAULT: nothing is mapped there',
    'nothing is mapped there',
  ]);
  expect(String(new MkError('BUSY', ''))).toBe('BUSY');
});
