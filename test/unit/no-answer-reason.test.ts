import { describe, expect, test } from '@jest/globals';
import { noAnswerReason } from '../../src/http/no-answer-reason.ts';

const target = { hostname: 'shop.example', port: 443 };
const withCode = (code: string, message = 'details'): Error =>
  Object.assign(new Error(message), { code });

describe('the reason why there was no answer', () => {
  test.each([
    ['ENOTFOUND', 'the name shop.example was not found [ENOTFOUND]'],
    ['EAI_AGAIN', 'no name server answered for shop.example [EAI_AGAIN]'],
    ['EHOSTUNREACH', 'no route to shop.example:443 [EHOSTUNREACH]'],
    ['CERT_HAS_EXPIRED', 'the certificate of shop.example:443 has expired [CERT_HAS_EXPIRED]'],
    [
      'HPE_INVALID_CONSTANT',
      'shop.example:443 answered with something other than HTTP [HPE_INVALID_CONSTANT]',
    ],
    ['EWHATEVER', 'no answer from shop.example:443: details [EWHATEVER]'],
    ['constructor', 'no answer from shop.example:443: details [constructor]'],
  ])('%s', (code, expected) => {
    expect(noAnswerReason(withCode(code), target)).toBe(expected);
  });

  test('of several addresses the first tells', () => {
    const error = new AggregateError([withCode('ECONNREFUSED'), withCode('ENETUNREACH')], '');
    expect(noAnswerReason(error, { hostname: '[::1]', port: 80 })).toBe(
      'connection refused by [::1]:80 [ECONNREFUSED]',
    );
  });

  test('anything else that was thrown', () => {
    expect(noAnswerReason(new Error('odd'), target)).toBe('no answer from shop.example:443: odd');
    expect(noAnswerReason('odd', target)).toBe('no answer from shop.example:443: odd');
  });
});
