import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MarkedStream, type Mark } from '../../src/hosts/far/marked-stream.ts';

const mark = '\u001e0123456789abcdef';

function read(chunks: readonly Buffer[]): { text: Buffer; marks: Mark[]; stream: MarkedStream } {
  const marks: Mark[] = [];
  const stream = new MarkedStream(mark, (found) => marks.push(found));
  const text = Buffer.concat(chunks.map((chunk) => stream.add(chunk)));
  return { text, marks, stream };
}

/** Cuts bytes at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length];
  const sorted = at.sort((a, b) => a - b);
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
}

describe('marks in a stream', () => {
  test('are taken out wherever the stream is cut; what the command printed stays as it was', () => {
    // Output that looks like the beginning of a mark, again and again.
    const teasing = fc
      .array(
        fc.oneof(
          fc.constantFrom(mark.slice(0, 1), mark.slice(0, 9), mark.slice(1), '{', ']'),
          fc.string(),
        ),
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(teasing, teasing, fc.array(fc.nat()), (noise, output, places) => {
        fc.pre(!noise.includes(mark) && !output.includes(mark));
        const all = `${noise}${mark}{42 a-b}${output}${mark}[137]late\n`;
        const { text, marks, stream } = read(cut(Buffer.from(all), places));
        expect(marks).toEqual([
          { kind: 'begin', group: 42, boot: 'a-b' },
          { kind: 'end', code: 137 },
        ]);
        expect(text.equals(Buffer.from(`${output}late\n`))).toBe(true);
        expect(stream.ended).toBe(true);
        expect(stream.noise).toBe(
          Buffer.from(noise)
            .toString('utf8')
            .slice(0, 16 * 1024),
        );
      }),
      { numRuns: 3000 },
    );
  });

  test('a line is handed out as soon as it is complete', () => {
    const stream = new MarkedStream(mark, () => undefined);
    expect(stream.add(Buffer.from(`${mark}{1 }`)).toString()).toBe('');
    expect(stream.add(Buffer.from('line\n')).toString()).toBe('line\n');
    expect(stream.add(Buffer.from(`half${mark.slice(0, 4)}`)).toString()).toBe('half');
    expect(stream.add(Buffer.from('x\n')).toString()).toBe(`${mark.slice(0, 4)}x\n`);
  });

  test('a stream that breaks off has not ended', () => {
    const { stream, marks, text } = read([Buffer.from(`${mark}{1 }output${mark}[2`)]);
    expect(stream.ended).toBe(false);
    expect(marks).toHaveLength(1);
    expect(text.toString()).toBe('output');
  });

  test.each([
    ['(missing)', { kind: 'folder', missing: true }],
    ['(refused)', { kind: 'folder', missing: false }],
  ] as const)('%s is about the folder', (text, expected) => {
    expect(read([Buffer.from(`${mark}{1 }${mark}${text}`)]).marks[1]).toEqual(expected);
  });
});
