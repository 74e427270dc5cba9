import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CapturedOutput, LineSplitter } from '../../src/hosts/captured-output.ts';

const chunks = fc.array(fc.uint8Array({ maxLength: 12 }), { maxLength: 12 });

describe('captured output', () => {
  test('is all there below the limit, and its two ends above it', () => {
    fc.assert(
      fc.property(chunks, (parts) => {
        // ASCII, so that a cut cannot fall into a character.
        const bytes = parts.map((part) => Buffer.from(part.map((byte) => 97 + (byte % 26))));
        const captured = new CapturedOutput(20);
        for (const part of bytes) captured.add(part);
        const whole = Buffer.concat(bytes).toString();
        const expected =
          whole.length <= 20
            ? whole
            : `${whole.slice(0, 10)}\n[${whole.length - 20} bytes left out]\n${whole.slice(-10)}`;
        expect(captured.text()).toBe(expected);
        expect(captured.truncated).toBe(whole.length > 20);
      }),
    );
  });
});

describe('lines', () => {
  const linesOf = (parts: readonly Buffer[], limit?: number): string[] => {
    const lines: string[] = [];
    const splitter = new LineSplitter((line) => lines.push(line), limit);
    for (const part of parts) splitter.add(part);
    splitter.end();
    return lines;
  };

  test('are the same wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), fc.nat(), (text, cut) => {
        const bytes = Buffer.from(text);
        const at = cut % (bytes.length + 1);
        const lines = bytes.toString().split('\n');
        if (lines.at(-1) === '') lines.pop();
        expect(linesOf([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(lines);
      }),
    );
  });

  test('that never end come in pieces and do not pile up', () => {
    const part = Buffer.from('x'.repeat(6));
    expect(linesOf([part, part, part], 10)).toEqual(['x'.repeat(12), 'x'.repeat(6)]);
  });
});
